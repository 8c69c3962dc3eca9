"""Bring changes to the store in groups, and let leases wait until there is a task for them.

What is asked for in one turn of the event loop, or while a write is under way, goes into the next
write, together; an answer leaves only after that. Where the disk is quick, the loop itself writes:
handing a group to a thread and back would take longer than the disk. Where it is slow, a thread
writes, and the loop goes on listening.
"""

import asyncio
import math
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

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

GRACE_SECONDS = 30.0
"""A lease that nobody could renew lives on for so long at most: after a restart, or a sleep."""

AWAY_SECONDS = 2.0
"""A hub that did not look at the clock for so long was stopped or slept, or the clock was set."""

RETRY_SECONDS = 1.0
"""The pause before what is due is tried again after a write that failed as a whole."""

QUICK_SECONDS = 0.0004
"""A store that lets us wait for less than this is written to on the event loop."""

MAX_LEAVING = 10_000
"""So many connections that ended are remembered, for what they asked last is soon answered."""

LOOKED_AT = 32
"""Of so many writes the one that waited least tells how quick the store is.

The others may have waited for their turn on a busy machine.
"""

Reply = Callable[[Answer], None]
_OUR_FAULT = Refusal("The hub failed at this; its log tells how.", Code.INTERNAL)
_STOPPING = Refusal("The hub is shutting down; come again.", Code.UNAVAILABLE)


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
        self._calls: list[Call] = []
        self._replies: list[Reply] = []
        self._called = self._writing = self._closed = False
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = self._rest_until = self._away = 0.0
        self._looked = clock()
        self._may_block = getattr(store, "BLOCKS_BRIEFLY", False)
        self._quick = True
        self._least_wait, self._looked_at = math.inf, 0
        self._thread = ThreadPoolExecutor(1, "hub writer")
        self._waiting = WaitingRoom()
        self._leaving: dict[int, None] = {}
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False
        self._set_alarm()

    @property
    def waiting(self) -> int:
        """Return how many leases wait for a task."""
        return len(self._waiting)

    def submit(self, call: Call, reply: Reply) -> None:
        """Ask for a change; the reply comes on the event loop, and exactly once."""
        request = call.request
        if isinstance(request, Lease):
            if self._draining:
                return reply(_STOPPING)
            if request.wait_seconds:
                until = self._loop.time() + request.wait_seconds
                reply = partial(self._seat, Waiter(call, request, reply, until))
        elif self._draining and isinstance(request, Ack) and request.lease:
            call = Call(replace(request, lease=None), call.caller)
        return self._put(call, reply)

    def submit_whole(self, call: Call, reply: Reply) -> None:
        """Ask for a change that takes several writes, each short, and add their answers up."""
        self._again(call, reply, 0)

    def forget(self, connection: int, *, answer: bool = False) -> None:
        """Let the leases of a connection wait no more; `answer` tells it that nothing came.

        Those that are being written do not wait either.
        """
        self._leaving[connection] = None
        if len(self._leaving) > MAX_LEAVING:
            del self._leaving[next(iter(self._leaving))]
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
        await self._idle.wait()
        self._closed = True
        if self._alarm:
            self._alarm.cancel()
        await asyncio.to_thread(self._thread.shutdown)

    def _put(self, call: Call, reply: Reply) -> None:
        if not self._open:
            self._idle.clear()
        self._open += 1
        self._calls.append(call)
        self._replies.append(reply)
        self._begin_soon()

    def _begin_soon(self) -> None:
        if not self._called:
            self._called = True
            self._loop.call_soon(self._begin)

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

    # Writing

    def _begin(self) -> None:
        """Write what was asked for, unless a write is under way; its end begins the next."""
        self._called = False
        if self._writing or self._closed:
            return
        now = self._look()
        if not self._calls and not self._is_due(now):
            self._set_alarm()
            return
        calls, self._calls = self._calls[:GROUP], self._calls[GROUP:]
        replies, self._replies = self._replies[:GROUP], self._replies[GROUP:]
        self._writing = True
        if self._may_block and self._quick:
            self._written(replies, self._write(calls, now))
        else:
            write = self._loop.run_in_executor(self._thread, self._write, calls, now)
            write.add_done_callback(lambda done: self._written(replies, done.result()))

    def _look(self) -> float:
        """Return the time, and note how long nobody could renew a lease."""
        now = self._clock()
        if now - self._looked > AWAY_SECONDS:
            self._away = min(now - self._looked, GRACE_SECONDS)
        self._looked = now
        return now

    def _is_due(self, now: float) -> bool:
        due = self._store.next_due()
        return due is not None and due <= now and self._loop.time() >= self._rest_until

    def _set_alarm(self) -> None:
        """Look again when something is due, or after a while."""
        due = self._store.next_due()
        wait = LONGEST_SLEEP if due is None else min(LONGEST_SLEEP, due - self._clock())
        at = max(self._loop.time() + wait, self._rest_until)
        if self._alarm and at < self._alarm_at:
            self._alarm.cancel()
            self._alarm = None
        if not self._alarm and not self._closed:
            self._alarm, self._alarm_at = self._loop.call_at(at, self._ring), at

    def _ring(self) -> None:
        self._alarm = None
        self._begin()

    def _write(self, calls: list[Call], now: float) -> Outcome:
        """Change the store: on the event loop or on the writer's thread."""
        began, worked = time.perf_counter(), time.thread_time()
        try:
            outcome = self._store.recover(now, self._away) if self._away else Outcome([])
            self._away = 0.0
            outcome.join(self._store.apply(calls, now))
        except StoreError as error:
            outcome = self._failed(calls, error)
        except Exception:  # noqa: BLE001 - whatever it was, the hub must go on
            warn(traceback.format_exc())
            self._rest_until = self._loop.time() + RETRY_SECONDS
            outcome = Outcome([_OUR_FAULT] * len(calls))
        self._look_at_speed(time.perf_counter() - began - (time.thread_time() - worked))
        return outcome

    def _failed(self, calls: list[Call], error: StoreError) -> Outcome:
        said = f"{error.what} {error.todo}".strip()
        warn(said)
        self._rest_until = self._loop.time() + RETRY_SECONDS
        if error.damaged:
            self._loop.call_soon_threadsafe(self._on_failure, error)
        return Outcome([Refusal(said, Code.UNAVAILABLE)] * len(calls))

    def _look_at_speed(self, waited: float) -> None:
        """Choose where to write; the write that waited least tells how quick the store is."""
        self._least_wait = min(self._least_wait, waited)
        self._looked_at += 1
        if self._looked_at == LOOKED_AT:
            self._quick = self._least_wait < QUICK_SECONDS
            self._least_wait, self._looked_at = math.inf, 0

    def _written(self, replies: list[Reply], outcome: Outcome) -> None:
        """Answer, once the next write is under way if it is on the thread."""
        self._writing = False
        if self._calls:
            self._begin_soon()
        else:
            self._set_alarm()
        for reply, answer in zip(replies, outcome.answers, strict=True):
            reply(answer)
        if outcome.events:
            self._on_events(outcome.events)
        if outcome.resumed:
            self._call(self._waiting.call_all())
        elif outcome.ready:
            self.announce(outcome.ready)
        self._open -= len(replies)
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
        may_wait = not self._draining and waiter.call.caller.connection not in self._leaving
        if empty and may_wait and self._loop.time() < waiter.until:
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
