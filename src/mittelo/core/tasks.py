"""The life of a task: what each thing that happens to it makes of it, or why it cannot be.

Stores find tasks, ask here what becomes of them, and write that down.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

_LAST_ID = 2**53
Count = Annotated[int, Meta(ge=0, le=_LAST_ID)]


class Status(StrEnum):
    """Where a task stands."""

    QUEUED = "queued"
    LEASED = "leased"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Tell whether nothing more happens to it by itself."""
        return self is not _QUEUED and self is not _LEASED


_QUEUED = Status.QUEUED
_LEASED = Status.LEASED


class Why(StrEnum):
    """What kind of refusal a decision is; the words are those of the wire."""

    NOT_FOUND = "not_found"
    LEASE_LOST = "lease_lost"
    CONFLICT = "conflict"
    UNAUTHORIZED = "unauthorized"


class No(Struct, frozen=True):
    """It cannot be, and nothing changes."""

    why: Why
    message: str


class Head(Struct, frozen=True, gc=False):
    """All of a task but its texts.

    `blocked` counts the tasks that it waits for. `leases` counts all leases ever given and never
    goes back, which keeps each lease id the only one of its kind; `spent` counts those that were
    an attempt since it was last queued by a person. `connection` is where the lease was given.
    """

    id: int
    status: Status
    priority: int
    backend: str
    tags: tuple[str, ...]
    created_at: float
    updated_at: float
    not_before: float | None
    blocked: int
    max_attempts: int
    timeout_seconds: float | None
    owner: str
    dedupe_key: str | None = None
    spent: int = 0
    leases: int = 0
    lease_id: str | None = None
    worker_id: str | None = None
    connection: int = 0
    leased_at: float | None = None
    leased_until: float | None = None
    cancel_requested: bool = False
    note: str | None = None
    ending: int | None = None

    @property
    def ready(self) -> bool:
        """Tell whether it can be leased now."""
        return self.status is _QUEUED and not self.blocked and self.not_before is None

    @property
    def may_run_again(self) -> bool:
        """Tell whether it has attempts left."""
        return self.spent < self.max_attempts


class Usage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run used, as far as its agent told."""

    input_tokens: Count = 0
    output_tokens: Count = 0
    cost_usd: Annotated[float, Meta(ge=0, le=1e9)] = 0.0


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A lease that is over, and how it ended: done, failed, released, expired or cancelled."""

    number: int
    worker_id: str
    began: float
    ended: float
    how: str
    result: str | None = None
    error: str | None = None
    category: str | None = None
    usage: Usage | None = None
    lease_id: str | None = None


class Step(Struct, frozen=True, gc=False):
    """What becomes of a task. `kind` names the event; `over` is the attempt that it ends."""

    kind: str
    head: Head
    over: Attempt | None = None


class Taker(Struct, frozen=True):
    """Who takes a lease, for how long; `salt` makes its id hard to guess."""

    worker_id: str
    connection: int
    seconds: float
    salt: str


class Ending(Struct, frozen=True, kw_only=True):
    """How a worker says that a lease ended: done, failed or released.

    Whoever shows no `lease_id` is known by his `connection`, and by the names that he goes by.
    """

    status: str
    lease_id: str | None
    connection: int
    workers: Collection[str] = ()
    result: str | None = None
    error: str | None = None
    category: str | None = None
    usage: Usage | None = None
    retry_after: float | None = None


def canonical(tags: Collection[str]) -> tuple[str, ...]:
    """Return tags in the one order in which tasks hold them."""
    return tuple(sorted(set(tags))) if tags else ()


def serves(offered: Collection[str] | None, tags: Collection[str]) -> bool:
    """Tell whether a worker of these tags takes a task of those; None takes any."""
    return offered is None or all(tag in offered for tag in tags)


def open_backends(backends: Collection[str], paused: Collection[str]) -> list[str]:
    """Return the backends of the tasks that a worker may be given; "" is that of all others.

    Whoever serves only paused backends gets nothing; "" in `paused` stands for everybody.
    """
    if not backends and not paused:
        return [""]
    if "" in paused:
        return []
    serving = [backend for backend in dict.fromkeys(backends) if backend not in paused]
    return [] if backends and not serving else ["", *serving]


def grant(head: Head, to: Taker, now: float) -> Step:
    """Lease a task that is ready."""
    number = head.leases + 1
    leased = replace(
        head,
        status=_LEASED,
        updated_at=now,
        leases=number,
        spent=head.spent + 1,
        lease_id=f"{head.id}.{number}.{to.salt}",
        worker_id=to.worker_id,
        connection=to.connection,
        leased_at=now,
        leased_until=now + to.seconds,
        note=None,
        ending=None,
    )
    return Step("leased", leased)


def task_of(lease_id: str) -> int | None:
    """Return the task of a lease as `grant` named it; None for what is no name of a lease."""
    number, dot, _ = lease_id.partition(".")
    is_number = number.isascii() and number.isdecimal() and len(number) <= len(str(_LAST_ID))
    return int(number) if dot and is_number and 1 <= int(number) <= _LAST_ID else None


def renew(head: Head, lease_id: str, seconds: float, now: float) -> Step | No:
    """Keep a lease for longer."""
    if not _is_held(head, now) or head.lease_id != lease_id:
        return _lost(head)
    return Step("renewed", replace(head, updated_at=now, leased_until=now + seconds))


def end(head: Head, ending: Ending, now: float) -> Step | No:
    """End a lease as its worker says; the first end of a task wins."""
    if refused := _not_his(head, ending, now):
        return refused
    over = _attempt(head, now, ending.status, ending.error, ending)
    if ending.status == "done":
        return Step("done", _ended(head, Status.DONE, now), over)
    if head.cancel_requested:
        return Step("cancelled", _ended(head, Status.CANCELLED, now), over)
    if ending.status == "released":
        back = replace(head, spent=head.spent - 1)
        return Step("released", _queued(back, now, ending.retry_after), over)
    if ending.retry_after is not None and head.may_run_again:
        return Step("requeued", _queued(head, now, ending.retry_after), over)
    return Step("failed", _ended(head, Status.FAILED, now), over)


def is_repeat(ending: Ending, made: Attempt | None) -> bool:
    """Tell whether a worker only says again how a lease of his ended: the reply was lost."""
    if made is None or ending.lease_id is None or made.lease_id != ending.lease_id:
        return False
    said = (ending.status, ending.result, ending.error)
    return said == (made.how, made.result, made.error)


def expire(head: Head, now: float) -> Step:
    """Take a lease away whose time is over; that was an attempt."""
    error = (
        f"The lease expired: worker {head.worker_id} neither finished nor renewed it in time "
        f"(attempt {head.spent} of {head.max_attempts})."
    )
    over = _attempt(head, now, "expired", error)
    head = replace(head, lease_id=None)
    if head.cancel_requested:
        return Step("cancelled", _ended(head, Status.CANCELLED, now), over)
    if head.may_run_again:
        return Step("expired", _queued(head, now, None), over)
    return Step("failed", _ended(head, Status.FAILED, now), over)


def cancel(head: Head, now: float, owner: str | None = None) -> Step | No:
    """Cancel a task, for anybody or for `owner` alone; the worker of a leased one is asked to."""
    if owner is not None and head.owner != owner:
        return No(Why.UNAUTHORIZED, f"Task {head.id} is not yours to cancel.")
    if head.status is Status.QUEUED:
        return Step("cancelled", _ended(head, Status.CANCELLED, now))
    if head.status is Status.LEASED:
        return Step("cancel_requested", replace(head, updated_at=now, cancel_requested=True))
    if head.status is Status.CANCELLED:
        return Step("", head)
    return No(Why.CONFLICT, f"Task {head.id} is {head.status} already.")


def retry(head: Head, now: float, blocked: int = 0) -> Step | No:
    """Queue a task again that failed or was cancelled, with all its attempts before it."""
    if head.status not in {Status.FAILED, Status.CANCELLED}:
        return No(Why.CONFLICT, f"Task {head.id} is {head.status}; only failed ones are retried.")
    fresh = replace(head, spent=0, note=None, ending=None, blocked=blocked)
    return Step("retried", _queued(fresh, now, None))


def retry_is_blocked(head: Head, needs: int, status: Status | None) -> No | int:
    """Return how much a task that another needs (None: it is gone) holds back its retry."""
    match status:
        case Status.DONE:
            return 0
        case Status.QUEUED | Status.LEASED:
            return 1
        case _:
            how = f"is {status}: retry that first" if status else "is gone"
            return No(Why.CONFLICT, f"Task {head.id} waits for task {needs}, which {how}.")


def other_ended(head: Head, other: int, status: Status, now: float) -> Step:
    """Tell a task that one that it waits for has ended."""
    if status is Status.DONE:
        return Step("unblocked", replace(head, blocked=head.blocked - 1, updated_at=now))
    note = f"Task {other}, which it waited for, is {status}."
    return Step("cancelled", replace(_ended(head, Status.CANCELLED, now), note=note))


def due(head: Head, now: float) -> Step:
    """Let a task go whose time has come."""
    return Step("due", replace(head, not_before=None, updated_at=now))


def keep_after_restart(head: Head, now: float, grace: float) -> Head:
    """Give a lease time enough to be renewed: its worker could not while the hub was away."""
    until = max(head.leased_until or 0.0, now + grace)
    return replace(head, leased_until=until)


def _is_held(head: Head, now: float) -> bool:
    return head.status is _LEASED and (head.leased_until or 0.0) > now


def _not_his(head: Head, ending: Ending, now: float) -> No | None:
    """Return why somebody may not end a lease."""
    if ending.lease_id is None:
        if head.status.ended:
            return _conflict(head)
        known = head.connection == ending.connection or head.worker_id in ending.workers
        return None if known and _is_held(head, now) else _lost(head)
    if head.lease_id != ending.lease_id:
        return _lost(head)
    if head.status.ended:
        return _conflict(head)
    return None if _is_held(head, now) else _lost(head)


def _lost(head: Head) -> No:
    return No(Why.LEASE_LOST, f"This is not the current lease of task {head.id}: drop the run.")


def _conflict(head: Head) -> No:
    return No(Why.CONFLICT, f"Task {head.id} is {head.status} already; the first end counts.")


def _attempt(
    head: Head, now: float, how: str, error: str | None, ending: Ending | None = None
) -> Attempt:
    return Attempt(
        number=head.leases,
        worker_id=head.worker_id or "",
        began=head.leased_at or head.updated_at,
        ended=now,
        how=how,
        result=ending.result if ending else None,
        error=error,
        category=ending.category if ending else None,
        usage=ending.usage if ending else None,
        lease_id=head.lease_id,
    )


def _ended(head: Head, status: Status, now: float) -> Head:
    """Keep who did it, and the lease id that a repeated ack is known by."""
    return replace(
        head,
        status=status,
        updated_at=now,
        leased_until=None,
        not_before=None,
        blocked=0,
        cancel_requested=False,
    )


def _queued(head: Head, now: float, delay: float | None) -> Head:
    return replace(
        head,
        status=Status.QUEUED,
        updated_at=now,
        not_before=now + delay if delay else None,
        lease_id=None,
        worker_id=None,
        connection=0,
        leased_at=None,
        leased_until=None,
        cancel_requested=False,
        ending=None,
    )
