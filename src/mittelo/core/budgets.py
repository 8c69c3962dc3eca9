"""What may be spent and what was: by a try, a run, a relay, and a day of the calendar."""

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from enum import StrEnum

from msgspec import Struct

from mittelo.core.records import TryRecord

ROUNDING = 1e-9
"""Sums of dollars are not exact; less than this is nothing."""


class Scope(StrEnum):
    """What a budget is for, the narrowest first; a day is one of the local calendar."""

    TRY = "try"
    RUN = "run"
    RELAY = "relay"
    DAY = "day"


class Amount(Struct, frozen=True):
    """US dollars and tokens; as a limit, 0 of either means that there is none."""

    usd: float = 0.0
    tokens: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.usd + other.usd, self.tokens + other.tokens)

    def __str__(self) -> str:
        parts = [f"{self.tokens:,} tokens"] if self.tokens else []
        return ", ".join([*parts, *([dollars(self.usd)] if self.usd else [])]) or "nothing"


Amounts = Mapping[Scope, Amount]


class Place(Struct, frozen=True):
    """Which run is looked at, and when it is by whose calendar."""

    relay: int
    run: int
    now: float
    zone: tzinfo


class Balance(Struct, frozen=True):
    """How much of a budget is used: whose it is, in which unit it counts."""

    scope: Scope
    unit: str
    limit: float
    used: float

    @property
    def is_used_up(self) -> bool:
        """Tell whether it leaves nothing."""
        return self.used >= self.limit - ROUNDING

    @property
    def is_passed(self) -> bool:
        """Tell whether more was used than it allows."""
        return self.used > self.limit + ROUNDING

    @property
    def complaint(self) -> str:
        """Return the words for its being used up."""
        return f"{self.scope} budget of {self._shown(self.limit)} is used up"

    @property
    def setting(self) -> str:
        """Return the name of the setting that limits it."""
        return f"budget.{self.scope}_{self.unit}"

    @property
    def spent(self) -> str:
        """Return how much is used, in its unit."""
        return self._shown(self.used)

    def __str__(self) -> str:
        over = " (used up)" if self.is_used_up else ""
        return f"{self.scope} {self.spent} of {self._shown(self.limit)}{over}"

    def _shown(self, number: float) -> str:
        return dollars(number) if self.unit == "usd" else f"{int(number):,} tokens"


def amount(made: TryRecord) -> Amount:
    """Return what a try used, as far as its CLI reported it."""
    return Amount(made.cost_usd or 0.0, made.tokens.total if made.tokens else 0)


def total(tries: Iterable[TryRecord]) -> Amount:
    """Return what tries used together."""
    return sum((amount(made) for made in tries), Amount())


def by_runner(tries: Iterable[TryRecord]) -> dict[str, Amount]:
    """Return what each runner used, of those whose CLI reported anything."""
    sums: dict[str, Amount] = {}
    for made in tries:
        if (used := amount(made)) != Amount():
            runner = ":".join(filter(None, (made.agent_type, made.model)))
            sums[runner] = sums.get(runner, Amount()) + used
    return sums


def belongs(made: TryRecord, scope: Scope, at: Place) -> bool:
    """Tell whether a try that is over counts towards a budget here and now.

    A try counts on the day on which it ended: that is when its sum is known.
    """
    match scope:
        case Scope.TRY:
            return False
        case Scope.RUN:
            return (made.relay_id, made.run_id) == (at.relay, at.run)
        case Scope.RELAY:
            return made.relay_id == at.relay
        case Scope.DAY:
            return is_today(made, at.now, at.zone)


def is_today(made: TryRecord, now: float, zone: tzinfo) -> bool:
    """Tell whether a try ended on the present day of the calendar."""
    try:
        ended = datetime.fromisoformat(made.ended_at).astimezone(zone)
    except ValueError:
        return False
    return ended.date() == datetime.fromtimestamp(now, zone).date()


def spent(tries: Iterable[TryRecord], at: Place) -> dict[Scope, Amount]:
    """Return what was used of each budget by tries that are over."""
    known = [*tries]
    return {scope: total(m for m in known if belongs(m, scope, at)) for scope in Scope}


def balances(limits: Amounts, used: Amounts, *scopes: Scope) -> list[Balance]:
    """Return how it stands with those of these budgets that are set."""
    found = []
    for scope in scopes:
        limit, have = limits.get(scope, Amount()), used.get(scope, Amount())
        found.append(Balance(scope, "usd", limit.usd, have.usd))
        found.append(Balance(scope, "tokens", limit.tokens, have.tokens))
    return [balance for balance in found if balance.limit > 0]


def used_up(limits: Amounts, used: Amounts, *scopes: Scope) -> Balance | None:
    """Return the first of these budgets that leaves nothing for another try."""
    return next((b for b in balances(limits, used, *scopes) if b.is_used_up), None)


def passed(limits: Amounts, used: Amounts, live: Amount) -> Balance | None:
    """Return the first budget that a running try has passed, with what was used before it."""
    together = {scope: used.get(scope, Amount()) + live for scope in Scope}
    return next((b for b in balances(limits, together, *Scope) if b.is_passed), None)


def dollars(usd: float) -> str:
    """Return dollars as people read them; less than a cent with more digits."""
    return f"${usd:.2f}" if usd >= 0.01 or not usd else f"${usd:.4f}"
