"""What a hub asks of the database behind it; SQLite is one, each is held to the same contract."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct, field

from mittelo.core.requests import Answer, Counted, Event, Listed, Task, Write
from mittelo.core.tasks import Status
from mittelo.errors import MitteloError

PAGE_TASKS = 200
PAGE_BYTES = 4 * 1024 * 1024
"""A page of a list ends after so many tasks, or after the one that passes so many bytes."""

PURGE_AT_ONCE = 500
"""So many tasks are forgotten in one write at most; whoever purges asks again."""

RETRY_AT_ONCE = 1000
"""So many failed tasks are queued again in one write at most; whoever asks asks again."""

SWEEP_AT_ONCE = 1000
"""So many leases expire, and so many tasks fall due, in one write at most."""


class StoreError(MitteloError):
    """The database cannot be used: what happened, and what to do. `damaged`: not even later."""

    def __init__(self, what: str, todo: str = "", *, damaged: bool = False) -> None:
        super().__init__(what, todo)
        self.damaged = damaged


class Caller(Struct, frozen=True):
    """Who asks: by which connection, under which names it leased, and what is his own.

    `owner` is the name of his token; `only_own` keeps him to what he enqueued.
    """

    connection: int
    workers: set[str] = set()
    owner: str = ""
    only_own: bool = False


class Call(Struct, frozen=True):
    """A change that somebody asks for."""

    request: Write
    caller: Caller


Kind = tuple[str, tuple[str, ...]]
"""The backend ("" for any) and the tags of tasks that the same workers may take."""


class Outcome(Struct):
    """What came of a batch, once it is durable.

    `answers` has one for each call, in order. `ready` counts tasks that can be leased since then,
    by kind; `resumed` tells that others may be, too.
    """

    answers: list[Answer]
    events: list[Event] = field(default_factory=list)
    ready: Counter[Kind] = field(default_factory=Counter)
    resumed: bool = False

    def join(self, more: "Outcome") -> None:
        """Add what came of the calls after these."""
        self.answers += more.answers
        self.events += more.events
        self.ready.update(more.ready)
        self.resumed |= more.resumed


class Heard(Struct, frozen=True):
    """What happened on a store that others change, too: events with their numbers, ready tasks.

    `begin`: forget the events from before; those told next come after this number.
    """

    events: list[Event] = []
    ready: Counter[Kind] = field(default_factory=Counter)
    begin: int | None = None


class Store(Protocol):
    """A durable queue. `apply` is called by one thread, the reads by another."""

    def apply(self, batch: Sequence[Call], now: float) -> Outcome:
        """Carry out the calls as if one after the other, in one transaction where that goes.

        Before them, leases whose time is over expire, and tasks whose time has come fall due.
        A call that fails by itself is refused by itself. Returns when everything is durable;
        raises `StoreError` when nothing is.
        """
        ...

    def next_due(self) -> float | None:
        """Return when the next lease expires or task falls due, so that `apply` is called."""
        ...

    def recover(self, now: float, grace: float) -> Outcome:
        """Let leases that nobody could renew live on for so many seconds at least."""
        ...

    def clock(self) -> float:
        """Return the time by which leases end."""
        ...

    def listen(self, hear: Callable[[Heard], None], last: Callable[[], int]) -> None:
        """Call `hear`, on whichever thread, with what others do to the tasks.

        A store that nobody else changes never calls it. `last` tells the number of the last event
        that is known here.
        """
        ...

    def counted(self, now: float) -> Counted:
        """Count the tasks."""
        ...

    def page(self, status: Status | None, before: int | None, limit: int, *, brief: bool) -> Listed:
        """Return a page of tasks, newest first, and where the next begins."""
        ...

    def task(self, task_id: int) -> Task | None:
        """Return all of one task with its attempts."""
        ...

    def close(self) -> None:
        """Put everything in place and let go of it."""
        ...
