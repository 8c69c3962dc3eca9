"""What the tries of a relay may use, and what they and all others of this day have used."""

import time
from collections.abc import Iterable, Sequence

from mittelo.config.zone import local_zone
from mittelo.core.budgets import (
    Amount,
    Amounts,
    Balance,
    Place,
    Scope,
    balances,
    belongs,
    by_runner,
    is_today,
    passed,
    spent,
    used_up,
)
from mittelo.core.records import TryRecord
from mittelo.core.relays import StartTry
from mittelo.core.signs import Reading, Tokens
from mittelo.harness.base import Harness


class Meter:
    """Watches what one running try uses. `why` tells which budget it passed, once it did."""

    def __init__(self, limits: Amounts, used: Amounts, before: Tokens) -> None:
        self.why = ""
        self._limits = limits
        self._used = used
        self._before = before

    def passes(self, reading: Reading) -> bool:
        """Tell, once, that the try passed a budget; one that has told of its end may exit."""
        if self.why or reading.ended:
            return False
        live = Amount(reading.cost or 0.0, (reading.tokens - self._before).total)
        found = passed(self._limits, self._used, live)
        self.why = found.complaint if found else ""
        return bool(found)


class Purse:
    """Knows the budgets and what counts towards them. `stopped_by` is the one that ended it all.

    Of the tries of other relays, those of today are enough: time does not go back.
    """

    def __init__(self, limits: Amounts, tries: Iterable[TryRecord], relay: int) -> None:
        self.stopped_by: Balance | None = None
        self._limits = limits
        self._is_limited = any(limit != Amount() for limit in limits.values())
        self._relay = relay
        self._zone = local_zone()
        now = time.time()
        self._tries = [
            made for made in tries if made.relay_id == relay or is_today(made, now, self._zone)
        ]

    def add(self, made: TryRecord) -> None:
        """Take note of what a try used."""
        self._tries.append(made)

    def meter(self, harness: Harness, start: StartTry) -> Meter:
        """Return a meter for a try that begins now."""
        before = tokens_before(harness, start.session, self._tries)
        return Meter(self._limits, self._spent(start.run, time.time()), before)

    def run_is_out(self, run: int) -> str:
        """Return which budget of a run is used up; "" while none is."""
        found = used_up(self._limits, self._spent(run, time.time()), Scope.RUN)
        return found.complaint if found else ""

    def relay_is_out(self, run: int, at: float) -> str:
        """Return why no try may begin at an epoch second; "" while one may."""
        place = self._place(run, at)
        found = used_up(self._limits, self._spent(run, at), Scope.RELAY, Scope.DAY)
        if found is None:
            return ""
        self.stopped_by = found
        counted = [made for made in self._tries if belongs(made, found.scope, place)]
        who = "; ".join(f"{runner}: {used}" for runner, used in by_runner(counted).items())
        return f"the {found.complaint}, {found.spent} spent ({who})"

    def balances(self, run: int) -> list[Balance]:
        """Return how it stands with the budgets that are set."""
        used = self._spent(run, time.time())
        return balances(self._limits, used, Scope.RUN, Scope.RELAY, Scope.DAY)

    def unseen(self, made: TryRecord) -> str:
        """Return which budgets do not see what a try used, as its CLI does not report it."""
        limits = self._limits.values()
        if not made.completed:
            return ""
        if made.cost_usd is None and any(limit.usd for limit in limits):
            return f"{made.agent_type} reports no cost: budgets in dollars do not see what it uses."
        if made.tokens is None and any(limit.tokens for limit in limits):
            return f"{made.agent_type} reports no tokens: budgets of tokens do not see them."
        return ""

    def _spent(self, run: int, at: float) -> Amounts:
        return spent(self._tries, self._place(run, at)) if self._is_limited else {}

    def _place(self, run: int, at: float) -> Place:
        return Place(self._relay, run, at, self._zone)


def tokens_before(harness: Harness, resumed: str, earlier: Sequence[TryRecord]) -> Tokens:
    """Return what a CLI's count holds of earlier tries: it may go on from the session's start."""
    if not (harness.usage_spans_session and resumed):
        return Tokens()
    held = (made.tokens for made in earlier if made.session_id == resumed and made.tokens)
    return sum(held, Tokens())
