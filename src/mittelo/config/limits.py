"""Numbers of the settings as they are used: too small ones and contradictions mended."""

from msgspec import Struct

from mittelo.config.schema import Budget, Reliability
from mittelo.core.budgets import Amount, Scope
from mittelo.core.stalls import Patience

MIN_TIMEOUT = 300


class Timeouts(Struct, frozen=True):
    """Seconds that a run, a try and a handoff may take."""

    run: int
    try_: int
    handoff: int


def timeouts(asked: Reliability) -> tuple[Timeouts, dict[str, str]]:
    """Return the timeouts in use, and for each key that was changed a sentence on it."""
    notes: dict[str, str] = {}
    run = _at_least("run_timeout_secs", asked, notes)
    try_ = _at_least("try_timeout_secs", asked, notes)
    handoff = _at_least("handoff_timeout_secs", asked, notes)
    bound = min(run, try_)
    if handoff >= bound:
        lower = bound if bound == MIN_TIMEOUT else bound - 1
        if asked.handoff_timeout_secs >= MIN_TIMEOUT and lower != handoff:
            notes["handoff_timeout_secs"] = (
                f"reliability.handoff_timeout_secs = {asked.handoff_timeout_secs} is not below "
                f"the limits of run and try; {lower} is used."
            )
        handoff = lower
    return Timeouts(run, try_, handoff), notes


def _at_least(name: str, asked: Reliability, notes: dict[str, str]) -> int:
    value = _or_default(name, asked)
    if value < MIN_TIMEOUT:
        notes[name] = f"reliability.{name} = {value} is too short; {MIN_TIMEOUT} is used."
    return max(value, MIN_TIMEOUT)


def retry_budget(asked: Reliability) -> int:
    """Return how many attempts a run has; nothing sensible asked for means the default."""
    return _or_default("retry_budget", asked)


def patience(asked: Reliability) -> Patience:
    """Return how much silence is borne; nothing sensible asked for means the default."""
    return Patience(
        float(_or_default("stall_threshold_secs", asked)),
        connected=float(_or_default("connected_stall_secs", asked)),
    )


def _or_default(name: str, asked: Reliability) -> int:
    value = int(getattr(asked, name))
    return value if value > 0 else int(getattr(Reliability(), name))


def budgets(asked: Budget) -> dict[Scope, Amount]:
    """Return what each may use; where nothing is asked for, or less, there is no limit."""
    return {
        Scope.TRY: _amount(asked.try_usd, asked.try_tokens),
        Scope.RUN: _amount(asked.run_usd, asked.run_tokens),
        Scope.RELAY: _amount(asked.relay_usd, asked.relay_tokens),
        Scope.DAY: _amount(asked.day_usd, asked.day_tokens),
    }


def _amount(usd: float, tokens: int) -> Amount:
    return Amount(max(0.0, usd), max(0, tokens))
