"""The end of a relay, as it is told on the screen, in the log and to others."""

import time
from collections.abc import Sequence

from mittelo.core.budgets import by_runner, total
from mittelo.core.notices import Happening
from mittelo.core.records import Outcome, TryRecord
from mittelo.core.relays import End, Ending, Relay
from mittelo.rally.trying import Ground
from mittelo.rally.view import spending, tally


def close(
    ground: Ground,
    end: End,
    state: Relay,
    tries: Sequence[TryRecord],
    made: Sequence[TryRecord],
    clock: float,
) -> None:
    """Tell how a relay ended; `made` are the tries since `clock`, when it began or was resumed."""
    ground.log.say(f"relay {ground.relay.id} {end.how}: {end.why or 'target reached'}")
    runs = tally([*made])
    if end.how is Ending.STOPPED and state.attempt and state.run in runs:
        runs[state.run] = Outcome.CANCELLED
    ground.view.relay_ended(end, runs, time.monotonic() - clock, spending([*made]))
    if end.how is Ending.COMPLETE and end.why:
        ground.view.say(f"  {end.why}", "dim")
    _say_spending(ground, tries)
    tell(ground, state, tries, _happening(ground, end), ground.orders.stop or end.why)
    if end.how is not Ending.COMPLETE:
        ground.view.say("  go on with: rally start --resume", "dim")
    for last in made[-1:]:
        log = ", git log" if ground.workspace.repository else ""
        ground.view.say(f"  see: rally status, rally tail --try {last.id}{log}", "dim")


def tell(
    ground: Ground,
    state: Relay,
    tries: Sequence[TryRecord],
    event: Happening,
    why: str,
    until: float | None = None,
) -> None:
    """Tell others what a relay came to."""
    runner = state.runner.label if state.runner else ""
    ground.notifier.tell(event, why, total(tries), runner=runner, until=until)


def _say_spending(ground: Ground, tries: Sequence[TryRecord]) -> None:
    """Tell what each runner used in the whole relay, and how it stands with the budgets."""
    used = by_runner(tries)
    if used:
        all_ = "; ".join(f"{runner}: {amount}" for runner, amount in used.items())
        ground.view.say(f"  spent by {all_}", "dim")
    if known := ground.purse.balances(tries[-1].run_id if tries else 0):
        ground.view.say(f"  budgets: {', '.join(map(str, known))}", "dim")


def _happening(ground: Ground, end: End) -> Happening:
    match end.how:
        case Ending.COMPLETE:
            return Happening.DONE
        case Ending.FAILED:
            return Happening.FAILED
        case Ending.STOPPED:
            return Happening.BUDGET if ground.purse.stopped_by else Happening.STOPPED
