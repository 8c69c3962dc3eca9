"""Bring changes to the store in groups, and let leases wait until there is a task for them.

One thread writes. What is asked for while it commits goes into the next commit, together; an
answer leaves only after that. Everything else here happens on the event loop.
"""

import asyncio
import queue
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from mittelo.core.requests import (
    Ack,
    Answer,
    Code,
    Event,
    Lease,
    Leased,
    Purged,
    Refusal,
    Retried,
)
from mittelo.hub.store import (
    PURGE_AT_ONCE,
    RETRY_AT_ONCE,
    Call,
    Caller,
    Kind,
    Outcome,
    Store,
    StoreError,
)
from mittelo.hub.waiting import Waiter, WaitingRoom
from mittelo.log import warn

GROUP = 1024
"""So many calls share a commit at most."""

LONGEST_SLEEP = 1.0
"""The clock may be set; what is due is found after so many seconds all the same."""

RETRY_SECONDS = 1.0
"""The pause after a write that failed as a whole."""

Reply = Callable[[Answer], None]
_OUR_FAULT = Refusal("The hub failed at this; its log tells how.", Code.INTERNAL)
_STOPPING = Refusal("The hub is shutting down; come again.", Code.UNAVAILABLE)


class _Job(Struct, frozen=True):
    call: Call
    reply: Reply


class Engine:
    """Takes calls on the event loop, answers them there once they are durable.

    `on_events` hears of everything that happened; `on_failure` of a store that is lost.
    """

    def __init__(
        self,
        store: Store,
        *,
        on_events: Callable[[list[Event]], None] = lambda _events: None,
        on_failure: Callable[[StoreError], None] = lambda _error: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._on_events = on_events
        self._on_failure = on_failure
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = WaitingRoom()
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False
        self._thread = threading.Thread(target=self._write, name="hub writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Return how many leases wait for a task."""
        return len(self._waiting)

    def submit(self, call: Call, reply: Reply) -> None:
        """Ask for a change; the reply comes on the event loop, and exactly once."""
        match call.request:
            case Lease() if self._draining:
                reply(_STOPPING)
            case Ack(lease=Lease()) as ack if self._draining:
                self._put(Call(replace(ack, lease=None), call.caller), reply)
            case Lease(wait_seconds=wait) as lease if wait:
                waiter = Waiter(call, lease, reply, self._loop.time() + wait)
                self._put(call, partial(self._seat, waiter))
            case _:
                self._put(call, reply)

    def submit_whole(self, call: Call, reply: Reply) -> None:
        """Ask for a change that takes several writes, each short, and add their answers up."""
        self._again(call, reply, 0)

    def forget(self, connection: int, *, answer: bool = False) -> None:
        """Let the leases of a connection wait no more; `answer` tells it that nothing came."""
        self._send_away(self._waiting.of(connection), answer=answer)

    def _send_away(self, waiters: Iterable[Waiter], *, answer: bool) -> None:
        for waiter in waiters:
            self._waiting.leave(waiter)
            if waiter.timer:
                waiter.timer.cancel()
            if answer:
                waiter.answer(Leased([]))

    def give_back(self, leased: Leased, caller: Caller) -> None:
        """Release tasks that were leased by somebody who is gone."""
        for task in leased.tasks:
            ack = Ack(task_id=task.task_id, status="released", lease_id=task.lease_id)
            self._put(Call(ack, caller), lambda _answer: None)

    async def drain(self) -> None:
        """Hand out nothing more, send away who waits, and finish what was asked for."""
        self._draining = True
        self._send_away(self._waiting.call_all(), answer=True)
        await self._idle.wait()

    async def close(self) -> None:
        """End the writer; what was asked for before is done first."""
        self._draining = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _put(self, call: Call, reply: Reply) -> None:
        self._open += 1
        self._idle.clear()
        self._jobs.put(_Job(call, reply))

    def _again(self, call: Call, reply: Reply, sum_: int) -> None:
        def add(answer: Answer) -> None:
            whole: Answer
            match answer:
                case Purged(count):
                    most, whole = PURGE_AT_ONCE, Purged(sum_ + count)
                case Retried(count):
                    most, whole = RETRY_AT_ONCE, Retried(sum_ + count)
                case _:
                    return reply(answer)
            if count < most:
                return reply(whole)
            return self._again(call, reply, sum_ + count)

        self._put(call, add)

    # On the writer's thread

    def _write(self) -> None:
        while True:
            jobs, last = self._gather()
            self._commit(jobs)
            if last:
                return

    def _gather(self) -> tuple[list[_Job], bool]:
        """Return what was asked for, once there is something or something is due."""
        jobs: list[_Job] = []
        try:
            job = self._jobs.get(timeout=self._sleep())
            while job is not None:
                jobs.append(job)
                if len(jobs) >= GROUP:
                    return jobs, False
                job = self._jobs.get_nowait()
        except queue.Empty:
            return jobs, False
        return jobs, True

    def _sleep(self) -> float:
        due = self._store.next_due()
        if due is None:
            return LONGEST_SLEEP
        return min(LONGEST_SLEEP, max(0.0, due - self._clock()))

    def _commit(self, jobs: list[_Job]) -> None:
        now = self._clock()
        due = self._store.next_due()
        if not jobs and (due is None or due > now):
            return
        try:
            outcome = self._store.apply([job.call for job in jobs], now)
        except StoreError as error:
            outcome = self._failed(jobs, error)
        except Exception:  # noqa: BLE001 - a thread's entry: the hub must go on
            warn(traceback.format_exc())
            outcome = Outcome([_OUR_FAULT] * len(jobs))
            time.sleep(RETRY_SECONDS)
        self._loop.call_soon_threadsafe(self._deliver, jobs, outcome)

    def _failed(self, jobs: list[_Job], error: StoreError) -> Outcome:
        said = f"{error.what} {error.todo}".strip()
        warn(said)
        if error.damaged:
            self._loop.call_soon_threadsafe(self._on_failure, error)
        if not jobs:
            time.sleep(RETRY_SECONDS)
        return Outcome([Refusal(said, Code.UNAVAILABLE)] * len(jobs))

    # On the event loop again

    def _deliver(self, jobs: list[_Job], outcome: Outcome) -> None:
        for job, answer in zip(jobs, outcome.answers, strict=True):
            job.reply(answer)
        if outcome.events:
            self._on_events(outcome.events)
        if outcome.resumed:
            self._call(self._waiting.call_all())
        elif outcome.ready:
            self.announce(outcome.ready)
        self._open -= len(jobs)
        if not self._open:
            self._idle.set()

    def announce(self, ready: Counter[Kind]) -> None:
        """Call as many of the leases that wait as there are tasks for them now."""
        if self._waiting.anybody:
            self._call(self._waiting.call_for(ready))

    def _call(self, waiters: Iterable[Waiter]) -> None:
        for waiter in waiters:
            if waiter.timer:
                waiter.timer.cancel()
            self._put(waiter.call, partial(self._seat, waiter))

    def _seat(self, waiter: Waiter, answer: Answer) -> None:
        """Answer a lease that waits, or let it wait for what is left of its time."""
        empty = isinstance(answer, Leased) and not answer.tasks
        if empty and not self._draining and self._loop.time() < waiter.until:
            self._waiting.enter(waiter)
            waiter.timer = self._loop.call_at(waiter.until, self._give_up, waiter)
            return
        waiter.answer(answer)
        if waiter.called_for and isinstance(answer, Leased) and not _all_of(answer, waiter):
            self.announce(Counter({waiter.called_for: 1}))

    def _give_up(self, waiter: Waiter) -> None:
        if self._waiting.leave(waiter):
            waiter.answer(Leased([]))


def _all_of(leased: Leased, waiter: Waiter) -> bool:
    """Tell whether a lease took only tasks of the kind that it was called for.

    If not, one that it was called for may be left, and somebody else be waiting for it.
    """
    return all((task.backend or "", tuple(task.tags)) == waiter.called_for for task in leased.tasks)
