"""What each request does to the tasks: find them, ask the rules, write down what they say."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import UNSET

from mittelo.core import requests as ask
from mittelo.core import tasks as rules
from mittelo.core.admission import admit, ending, no_task, refusal, taker
from mittelo.core.requests import Answer, Code, Refusal, Task
from mittelo.core.tasks import Attempt, Head, No, Status, Step
from mittelo.hub.rows import leased_task
from mittelo.hub.store import PURGE_AT_ONCE, RETRY_AT_ONCE, Call, Caller

DAY = 86400.0

Body = tuple[str, str | None, str | None]
"""The texts of a task: its prompt, and as JSON what it runs after and its `meta`."""


class Ledger(Protocol):
    """The tasks as one transaction of a store sees and changes them."""

    now: float
    lease_seconds: float
    salt: str
    paused: frozenset[str]

    def head(self, task_id: int) -> Head | None:
        """Return one task."""
        ...

    def status(self, task_id: int) -> Status | None:
        """Return where a task stands; None when there is no such task."""
        ...

    def with_key(self, key: str) -> int | None:
        """Return the task that has a dedupe key."""
        ...

    def next_id(self) -> int:
        """Return the id of a new task; none is ever used again."""
        ...

    def add(self, head: Head, body: Body) -> None:
        """Put a new task on record."""
        ...

    def wait_for(self, task_id: int, needs: Sequence[int]) -> None:
        """Let a task wait for others."""
        ...

    def needs(self, task_id: int) -> list[int]:
        """Return what a task was enqueued to run after."""
        ...

    def attempt(self, task_id: int, lease_id: str | None) -> Attempt | None:
        """Return how a lease ended, if it has."""
        ...

    def pick(
        self, backends: Sequence[str], tags: Sequence[str] | None, limit: int
    ) -> Iterator[tuple[Head, Body]]:
        """Yield ready tasks of these backends that suit these tags, the first in order first."""
        ...

    def failed(self, limit: int) -> list[Head]:
        """Return the first failed tasks."""
        ...

    def ended_before(self, instant: float, limit: int) -> list[Head]:
        """Return tasks that ended until then, the longest ago first."""
        ...

    def take(self, before: Head, step: Step) -> Head:
        """Write down what became of a task, and of those that wait for it."""
        ...

    def forget(self, head: Head) -> None:
        """Take a task off the record."""
        ...

    def pause(self, backend: str) -> None:
        """Hand out no more tasks for a backend, "" for all."""
        ...

    def resume(self, backend: str) -> None:
        """Hand out tasks for a backend again; "" ends every pause."""
        ...


def carry_out(ledger: Ledger, call: Call) -> Answer:
    """Carry out what is asked for."""
    return _DO[type(call.request)](ledger, call.request, call.caller)


def _enqueue(ledger: Ledger, request: ask.Enqueue, caller: Caller) -> Answer:
    return _missing(ledger, request) or ask.Enqueued(_add(ledger, request, caller))


def _enqueue_many(ledger: Ledger, request: ask.EnqueueMany, caller: Caller) -> Answer:
    for number, task in enumerate(request.tasks):
        if refused := _missing(ledger, task, f"tasks[{number}]."):
            return refused
    return ask.EnqueuedMany([_add(ledger, task, caller) for task in request.tasks])


def _missing(ledger: Ledger, request: ask.Enqueue, where: str = "") -> Refusal | None:
    for needed in request.after:
        if ledger.status(needed) is None:
            words = f"There is no task {needed} to run after."
            return Refusal(words, Code.NOT_FOUND, f"{where}after")
    return None


def _add(ledger: Ledger, request: ask.Enqueue, caller: Caller) -> int:
    """Add a task, or return the id of the one that has its key."""
    if request.dedupe_key is not None:
        known = ledger.with_key(request.dedupe_key)
        if known is not None:
            return known
    needs = {needed: ledger.status(needed) for needed in request.after}
    unfinished = [needed for needed, status in needs.items() if status and not status.ended]
    head = admit(request, ledger.next_id(), caller.owner, len(unfinished), ledger.now)
    meta = msgspec.json.encode(request.meta).decode() if request.meta else None
    after = msgspec.json.encode([*needs]).decode() if needs else None
    ledger.add(head, (request.prompt, after, meta))
    ledger.wait_for(head.id, unfinished)
    for needed, status in needs.items():
        if status in {Status.FAILED, Status.CANCELLED}:
            ledger.take(head, rules.other_ended(head, needed, status, ledger.now))
            break
    return head.id


def _lease(ledger: Ledger, request: ask.Lease, caller: Caller) -> ask.Leased:
    backends = rules.open_backends(request.backends, ledger.paused)
    to = taker(request, caller.connection, ledger.lease_seconds, ledger.salt)
    leased: list[Task] = []
    size = 0
    for before, body in ledger.pick(backends, request.tags, request.max_tasks):
        after = ledger.take(before, rules.grant(before, to, ledger.now))
        leased.append(leased_task(after, body))
        size += len(leased[-1].prompt)
        if size >= ask.LEASE_BYTES:
            break
    return ask.Leased(leased)


def _renew(ledger: Ledger, request: ask.Renew, _caller: Caller) -> Answer:
    head = ledger.head(request.task_id)
    if head is None:
        return no_task(request.task_id)
    given = request.lease_seconds
    seconds = ledger.lease_seconds if given is None else given
    step = rules.renew(head, request.lease_id, seconds, ledger.now)
    if isinstance(step, No):
        return refusal(step)
    kept = ledger.take(head, step)
    return ask.Renewed(kept.leased_until or ledger.now, kept.cancel_requested)


def _ack(ledger: Ledger, request: ask.Ack, caller: Caller) -> Answer:
    head = ledger.head(request.task_id)
    if head is None:
        return no_task(request.task_id)
    said = ending(request, caller.connection, caller.workers)
    step = rules.end(head, said, ledger.now)
    if not isinstance(step, No):
        ledger.take(head, step)
    elif not rules.is_repeat(said, ledger.attempt(head.id, request.lease_id)):
        return refusal(step)
    if request.lease is None:
        return _ACKED
    return ask.Acked(tasks=_lease(ledger, request.lease, caller).tasks)


def _cancel(ledger: Ledger, request: ask.Cancel, caller: Caller) -> Answer:
    head = ledger.head(request.task_id)
    if head is None:
        return no_task(request.task_id)
    step = rules.cancel(head, ledger.now, caller.owner if caller.only_own else None)
    if isinstance(step, No):
        return refusal(step)
    after = ledger.take(head, step) if step.kind else head
    return ask.Cancelled(after.status, after.cancel_requested)


def _retry(ledger: Ledger, request: ask.Retry, _caller: Caller) -> Answer:
    head = ledger.head(request.task_id)
    if head is None:
        return no_task(request.task_id)
    unfinished = _unfinished_needs(ledger, head)
    if isinstance(unfinished, No):
        return refusal(unfinished)
    step = rules.retry(head, ledger.now, len(unfinished))
    if isinstance(step, No):
        return refusal(step)
    ledger.wait_for(head.id, unfinished)
    ledger.take(head, step)
    return ask.Done()


def _unfinished_needs(ledger: Ledger, head: Head) -> list[int] | No:
    """Return what a task waits for again when it is retried."""
    unfinished = []
    for needed in ledger.needs(head.id):
        blocks = rules.retry_is_blocked(head, needed, ledger.status(needed))
        if isinstance(blocks, No):
            return blocks
        if blocks:
            unfinished.append(needed)
    return unfinished


def _retry_failed(ledger: Ledger, _request: ask.RetryFailed, _caller: Caller) -> Answer:
    failed = ledger.failed(RETRY_AT_ONCE)
    for head in failed:
        step = rules.retry(head, ledger.now)
        if not isinstance(step, No):
            ledger.take(head, step)
    return ask.Retried(len(failed))


def _purge(ledger: Ledger, request: ask.Purge, _caller: Caller) -> Answer:
    before = ledger.now - request.days * DAY
    ended = ledger.ended_before(before, PURGE_AT_ONCE)
    for head in ended:
        ledger.forget(head)
    return ask.Purged(len(ended))


def _pause(ledger: Ledger, request: ask.Pause, _caller: Caller) -> Answer:
    ledger.pause(request.backend or "")
    return ask.Done()


def _resume(ledger: Ledger, request: ask.Resume, _caller: Caller) -> Answer:
    ledger.resume(request.backend or "")
    return ask.Done()


_ACKED = ask.Acked(tasks=UNSET)
_DO: dict[type, Callable[[Ledger, Any, Caller], Answer]] = {
    ask.Enqueue: _enqueue,
    ask.EnqueueMany: _enqueue_many,
    ask.Lease: _lease,
    ask.Renew: _renew,
    ask.Ack: _ack,
    ask.Cancel: _cancel,
    ask.Retry: _retry,
    ask.RetryFailed: _retry_failed,
    ask.Purge: _purge,
    ask.Pause: _pause,
    ask.Resume: _resume,
}
