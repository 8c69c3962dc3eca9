"""Which runners sit out, until when and why: the fold over the events of their standing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field

from mittelo.core.faults import Category, Evidence
from mittelo.core.records import VERSION
from mittelo.core.routes import Key

PAUSE_SECONDS = (120.0, 300.0, 900.0, 1800.0, 3600.0)
"""How long a runner pauses after failures of the infrastructure, one pause after the other."""

BLIND_SECONDS = (900.0, 1800.0, 3600.0, 7200.0, 18000.0)
"""How long one sits out whose limit does not say when it ends, one time after the other."""

COOLDOWN_SECONDS = {Category.SHORT_RATE_LIMIT: 60.0, Category.PROVIDER_OVERLOADED: 30.0}
MARGIN_SECONDS = 5.0
"""Clocks differ: nobody is sent out in the second in which a limit ends."""

ALLOWED_FAILURES = 1
"""Failures of the infrastructure in a row that do not yet make a runner pause."""


class Happened(StrEnum):
    """What befell a runner; `unfrozen` is an older word for `active`."""

    BENCHED = "benched"
    PAUSED = "paused"
    RETRY_FAILED = "retry_failed"
    FROZEN = "frozen"
    PROBATION = "probation"
    ACTIVE = "active"
    UNFROZEN = "unfrozen"


_OUT = {Happened.BENCHED, Happened.PAUSED, Happened.RETRY_FAILED, Happened.FROZEN}
_DEFAULT_SECONDS = {
    Happened.PAUSED: 3600.0,
    Happened.RETRY_FAILED: 3600.0,
    Happened.FROZEN: 18000.0,
}


class Consequence(Struct, frozen=True):
    """A runner is to sit out until an epoch second; `wide`: so are all of its quota scope."""

    event: Happened
    until: float
    why: str
    wide: bool = False


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
    by_user: bool = False


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
    """Return the bench that an event means; what older files do not tell has a default length."""
    happened = Happened(record.event_type)
    if happened not in _OUT:
        return None
    until = _epoch(record.reset_at)
    if until is None and happened in _DEFAULT_SECONDS:
        until = (_epoch(record.timestamp) or 0.0) + _DEFAULT_SECONDS[happened]
    return Bench(record.reason or happened, until)


def consequence(
    evidence: Evidence, past: Sequence[StandingRecord], in_a_row: int, now: float
) -> Consequence | None:
    """Return who sits out because of a failure, and until when; None when nobody does.

    `past` are the events of the runner, `in_a_row` how many failures of the infrastructure it
    had one after the other, with this one.
    """
    category = evidence.category
    if category is Category.USAGE_LIMIT:
        return _usage_limit(evidence, past, now)
    pause = _pause(category, past, in_a_row, now)
    if category not in COOLDOWN_SECONDS:
        return pause
    seconds = evidence.retry_after or COOLDOWN_SECONDS[category]
    until = now + seconds + (MARGIN_SECONDS if evidence.resets else 0.0)
    if pause and pause.until > until:
        return pause
    return Consequence(Happened.BENCHED, until, category.label, wide=True)


def _usage_limit(evidence: Evidence, past: Sequence[StandingRecord], now: float) -> Consequence:
    label = evidence.category.label
    if evidence.resets:
        until = evidence.resets + MARGIN_SECONDS
        return Consequence(Happened.BENCHED, until, label, wide=True)
    why = f"{label}, no reset time known"
    before = sum(record.reason == why for record in _since_active(past))
    seconds = BLIND_SECONDS[min(before, len(BLIND_SECONDS) - 1)]
    return Consequence(Happened.BENCHED, now + seconds, why, wide=True)


def _pause(
    category: Category, past: Sequence[StandingRecord], in_a_row: int, now: float
) -> Consequence | None:
    """Pause a runner whose infrastructure fails again and again, each time for longer."""
    if not category.is_infra or in_a_row <= ALLOWED_FAILURES:
        return None
    paused = {Happened.PAUSED, Happened.RETRY_FAILED}
    before = sum(record.event_type in paused for record in _since_active(past))
    event = Happened.RETRY_FAILED if before else Happened.PAUSED
    seconds = PAUSE_SECONDS[min(before, len(PAUSE_SECONDS) - 1)]
    return Consequence(event, now + seconds, f"{category.label}, {in_a_row} times in a row")


def _since_active(past: Sequence[StandingRecord]) -> list[StandingRecord]:
    back = {Happened.ACTIVE, Happened.UNFROZEN}
    last = max((i for i, record in enumerate(past) if record.event_type in back), default=-1)
    return [*past[last + 1 :]]


def _epoch(instant: str) -> float | None:
    try:
        return datetime.fromisoformat(instant).timestamp() if instant else None
    except ValueError:
        return None


def earliest_return(benches: Iterable[Bench]) -> float | None:
    """Return when the first of them comes back by itself; None when none does."""
    return min((bench.until for bench in benches if bench.until is not None), default=None)
