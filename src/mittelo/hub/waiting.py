"""Leases that wait for a task: who goes first when one becomes ready."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator

from mittelo.core.requests import Answer, Lease
from mittelo.core.tasks import serves
from mittelo.hub.store import Call, Kind

Offer = tuple[tuple[str, ...], tuple[str, ...] | None]
"""The backends and the tags that a worker serves."""


class Waiter:
    """A lease that nothing was there for. `until` is on the event loop's clock."""

    __slots__ = ("answer", "call", "called_for", "lease", "number", "timer", "until")

    def __init__(
        self, call: Call, lease: Lease, answer: Callable[[Answer], None], until: float
    ) -> None:
        self.call = call
        self.lease = lease
        self.answer = answer
        self.until = until
        self.number = 0
        self.called_for: Kind | None = None
        self.timer: asyncio.TimerHandle | None = None

    @property
    def offer(self) -> Offer:
        """Return what it serves."""
        tags = self.lease.tags
        return tuple(self.lease.backends), None if tags is None else tuple(tags)


class WaitingRoom:
    """All leases that wait, those alike in one row, the longest waiting first."""

    def __init__(self) -> None:
        self._rows: dict[Offer, dict[int, Waiter]] = {}
        self._by_connection: dict[int, set[Waiter]] = {}
        self._last = 0

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    @property
    def anybody(self) -> bool:
        """Tell whether a lease waits."""
        return bool(self._rows)

    def enter(self, waiter: Waiter) -> None:
        """Let a lease wait. One that was called in vain goes to the end like any other."""
        self._last += 1
        waiter.number = self._last
        self._rows.setdefault(waiter.offer, {})[waiter.number] = waiter
        self._by_connection.setdefault(waiter.call.caller.connection, set()).add(waiter)

    def leave(self, waiter: Waiter) -> bool:
        """Take a lease out; tell whether it was still waiting."""
        row = self._rows.get(waiter.offer)
        if row is None or row.pop(waiter.number, None) is None:
            return False
        if not row:
            del self._rows[waiter.offer]
        connection = waiter.call.caller.connection
        mates = self._by_connection[connection]
        mates.discard(waiter)
        if not mates:
            del self._by_connection[connection]
        return True

    def of(self, connection: int) -> list[Waiter]:
        """Return the leases that wait for one connection."""
        return [*self._by_connection.get(connection, ())]

    def call_for(self, ready: Counter[Kind]) -> Iterator[Waiter]:
        """Take out as many leases as these tasks are enough for."""
        for kind, count in ready.items():
            while count > 0 and (waiter := self._first_for(kind)):
                count -= waiter.lease.max_tasks  # noqa: PLW2901 - counted down
                self.leave(waiter)
                waiter.called_for = kind
                yield waiter

    def call_all(self) -> list[Waiter]:
        """Take out everybody."""
        everybody = [waiter for row in self._rows.values() for waiter in row.values()]
        self._rows.clear()
        self._by_connection.clear()
        return sorted(everybody, key=lambda waiter: waiter.number)

    def _first_for(self, kind: Kind) -> Waiter | None:
        backend, tags = kind
        firsts = [
            next(iter(row.values()))
            for (backends, offered), row in self._rows.items()
            if (not backend or backend in backends) and serves(offered, tags)
        ]
        return min(firsts, key=lambda waiter: waiter.number, default=None)
