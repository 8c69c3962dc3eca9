"""Who leased tasks from this hub, what they serve, and what they have in hand."""

from collections.abc import Collection, Sequence

from msgspec import Struct, field

from mittelo.core.requests import Event, Lease, Worker

FORGET_SECONDS = 3600.0
MOST = 20_000


class _Seen(Struct):
    lease: Lease
    at: float
    connections: set[int] = field(default_factory=set)
    tasks: set[int] = field(default_factory=set)


class Roster:
    """The workers seen since the hub started; those long gone are forgotten."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def asks(self, lease: Lease, connection: int, now: float) -> None:
        """Note that a worker asks for tasks."""
        seen = self._seen.get(lease.worker_id)
        if seen is None:
            if len(self._seen) >= MOST:
                self._forget(now)
            seen = self._seen[lease.worker_id] = _Seen(lease, now)
        seen.lease, seen.at = lease, now
        seen.connections.add(connection)

    def speak(self, workers: Collection[str], now: float) -> None:
        """Note that these are still there."""
        for name in workers:
            if seen := self._seen.get(name):
                seen.at = now

    def gone(self, workers: Collection[str], connection: int) -> None:
        """Note that a connection of these is closed."""
        for name in workers:
            if seen := self._seen.get(name):
                seen.connections.discard(connection)

    def note(self, events: Sequence[Event]) -> None:
        """Note who has which task in hand."""
        for event in events:
            seen = self._seen.get(event.worker_id or "")
            if seen is None:
                continue
            if event.kind in {"leased", "cancel_requested"}:
                seen.tasks.add(event.task_id)
            else:
                seen.tasks.discard(event.task_id)

    def everybody(self) -> list[Worker]:
        """Return all workers, by name."""
        return [
            Worker(
                worker_id=name,
                backends=seen.lease.backends,
                tags=seen.lease.tags,
                connected=bool(seen.connections),
                last_seen=seen.at,
                tasks=sorted(seen.tasks),
            )
            for name, seen in sorted(self._seen.items())
        ]

    def _forget(self, now: float) -> None:
        """Forget who was not seen for long, and if need be whoever is not connected."""
        away = sorted((s.at, name) for name, s in self._seen.items() if not s.connections)
        for number, (at, name) in enumerate(away):
            if at < now - FORGET_SECONDS or number < len(away) // 2:
                del self._seen[name]
