"""Which runners sit out, until when and why: the fold over the events of their standing."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field

from mittelo.core.records import VERSION
from mittelo.core.routes import Key


class Happened(StrEnum):
    """What befell a runner."""

    BENCHED = "benched"
    ACTIVE = "active"


class StandingRecord(Struct, omit_defaults=True, kw_only=True):
    """One event of a runner's standing, in `.rally/state/agent_status.jsonl`.

    `reset_at` ends a bench; without one it lasts until an `active` event.
    """

    v: int = field(default_factory=lambda: VERSION)
    agent_type: str
    model: str = ""
    event_type: str
    timestamp: str
    relay_id: int = 0
    reason: str = ""
    reset_at: str = ""
    quota_scope: str = ""


class Bench(Struct, frozen=True):
    """Why a runner sits out, and the epoch second at which it may come back; None: not by itself.

    `for_good`: it cannot come back while this relay runs.
    """

    why: str
    until: float | None = None
    for_good: bool = False


Benches = Mapping[Key, Bench]


def benches_at(records: Iterable[StandingRecord], now: float) -> dict[Key, Bench]:
    """Return who sits out at an epoch second."""
    known = [record for record in records if record.event_type in {*Happened}]
    last = {(record.agent_type, record.model): record for record in known}
    held = {key: bench for key, record in last.items() if (bench := _bench(record))}
    return {key: bench for key, bench in held.items() if bench.until is None or bench.until > now}


def _bench(record: StandingRecord) -> Bench | None:
    if record.event_type != Happened.BENCHED:
        return None
    return Bench(record.reason or "benched", _epoch(record.reset_at))


def _epoch(instant: str) -> float | None:
    try:
        return datetime.fromisoformat(instant).timestamp() if instant else None
    except ValueError:
        return None


def earliest_return(benches: Iterable[Bench]) -> float | None:
    """Return when the first of them comes back by itself; None when none does."""
    return min((bench.until for bench in benches if bench.until is not None), default=None)
