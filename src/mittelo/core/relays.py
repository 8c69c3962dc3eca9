"""The life of a relay: which try comes next, when to wait, when it is over."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from mittelo.core.faults import Category
from mittelo.core.records import Outcome
from mittelo.core.routes import (
    Lane,
    Runner,
    Slot,
    forgive,
    has_served_its_range,
    new_cycle,
    pick,
    set_aside,
)
from mittelo.core.standings import Benches, earliest_return

RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)
CYCLE_SECONDS = (5.0, 30.0)
LOOK_AGAIN = 86400.0
"""How long to wait at once for somebody who only the user can call back."""

QUEUE_SECONDS = 30.0
"""How soon a queue is looked at again whose laps may not be begun."""

LAP_GONE = "lap_gone"
RUN_ENDERS = {"skip", LAP_GONE}
"""What cancels a run, and not the relay."""

END_OF_RUN = "end of run"
SAME_FAILURES = 3
BACK_AND_FORTH = 4
FRESH = {
    Category.CONTEXT_TOO_LONG,
    Category.CONTENT_REFUSAL,
    Category.SESSION_LOST,
    Category.AGENT_ERROR,
    Category.UNIDENTIFIED_ISSUE,
}
"""Failures after which the conversation is not worth going on with."""


class Ending(StrEnum):
    """How a relay ended."""

    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"


class Started(Struct, frozen=True, tag="started"):
    """The relay begins, or goes on after it was resumed."""


class TryEnded(Struct, frozen=True, tag="try_ended"):
    """A try is over. `session` is what the CLI called its session, "" where it cannot resume.

    `retryable`: the same runner may do better at once. `stuck`: no runner can. `tree` stands for
    the state of the work tree, "" where it is not known. `cancelled_by`: who ended it, and how.
    `run_is_over`: the time of its run ran out; what is left is to hand the work off.
    `spent` tells which budget of its run is used up.
    """

    outcome: Outcome
    session: str = ""
    spoke: bool = True
    retryable: bool = True
    stuck: bool = False
    reason: str = ""
    category: Category | None = None
    tree: str = ""
    cancelled_by: str = ""
    run_is_over: bool = False
    spent: str = ""


class Resumed(Struct, frozen=True, tag="resumed"):
    """The user lets a relay go on that he held."""


class BudgetSpent(Struct, frozen=True, tag="budget_spent"):
    """A budget of money or tokens would be passed by another try."""

    why: str


class RunBudgetSpent(Struct, frozen=True, tag="run_budget_spent"):
    """The budget of the current run leaves nothing for another try."""

    why: str


class WaitOver(Struct, frozen=True, tag="wait_over"):
    """A wait ended by itself."""


class StopAsked(Struct, frozen=True, tag="stop_asked"):
    """The user wants the relay to stop; it can be resumed."""


class BenchesRead(Struct, frozen=True, tag="benches_read"):
    """These runners sit out at this epoch second; precedes every event that may start a run."""

    benches: Benches
    now: float


class LapClaimed(Struct, frozen=True, tag="lap_claimed"):
    """The next run is to work this lap, served by the lane of this name."""

    lap: str
    lane: str


class LapGone(Struct, frozen=True, tag="lap_gone"):
    """The current run cannot go on with its lap; `finished`: because it is done."""

    why: str
    finished: bool = False


class QueueEmpty(Struct, frozen=True, tag="queue_empty"):
    """No lap is left to be done."""

    why: str


class QueueWaits(Struct, frozen=True, tag="queue_waits"):
    """Laps are left, but none may be begun now."""

    why: str


class QueueBroken(Struct, frozen=True, tag="queue_broken"):
    """The queue cannot be worked, or should not without a person."""

    why: str


Event = (
    Started
    | TryEnded
    | WaitOver
    | Resumed
    | BudgetSpent
    | RunBudgetSpent
    | StopAsked
    | BenchesRead
    | LapClaimed
    | LapGone
    | QueueEmpty
    | QueueWaits
    | QueueBroken
)


class StartTry(Struct, frozen=True, tag="start_try"):
    """Run an agent; `session` continues an earlier conversation, "" begins one."""

    run: int
    attempt: int
    runner: Runner
    session: str = ""
    handoff_only: bool = False


class ClaimLap(Struct, frozen=True, tag="claim_lap"):
    """Take the lap that comes next in the queue, for a new run."""


class EndRun(Struct, frozen=True, tag="end_run"):
    """A run is over, with the outcome of its last try; `why` is what else decided it."""

    run: int
    outcome: Outcome
    why: str = ""


class Hold(Struct, frozen=True, tag="hold"):
    """Wait until the user lets it go on."""


class Wait(Struct, frozen=True, tag="wait"):
    """Wait so many seconds; `why` is for the screen.

    `until`: wait for this epoch second instead, or for a change of standing, as all runners sit
    out. `for_user`: it is up to a person, or to others who work the queue, that it goes on.
    """

    seconds: float
    why: str
    until: float | None = None
    for_user: bool = False


class End(Struct, frozen=True, tag="end"):
    """The relay is over."""

    how: Ending
    why: str = ""


Effect = StartTry | ClaimLap | EndRun | Wait | Hold | End


class Track(Struct, frozen=True):
    """A lane that serves no run now, and how its runs went: see `Relay`."""

    lane: Lane
    failures: int = 0
    fruitless: int = 0


class Relay(Struct, frozen=True):
    """Where a relay stands. `attempt` 0 means that the next try begins a new run.

    `spent` counts the attempts of the current runner in this run, without those that a limit took.

    `failures` counts the runs that failed since one succeeded or the relay waited, `fruitless`
    the waits of that kind since a run last succeeded. `same` counts how often the failure `fault`
    came in a row in this run; `trees` are the states of the work tree after its failures.

    With `queue` each run works a `lap`, whose role decides on the lane; `others` are the lanes of
    the other roles, by their names.
    """

    target: int
    retry_budget: int
    lane: Lane
    done: int = 0
    run: int = 0
    attempt: int = 0
    spent: int = 0
    slot: Slot | None = None
    session: str = ""
    failures: int = 0
    fruitless: int = 0
    reason: str = ""
    same: int = 0
    fault: tuple[str, ...] = ()
    trees: tuple[str, ...] = ()
    benches: Benches = {}
    now: float = 0.0
    queue: bool = False
    lap: str = ""
    others: Mapping[str, Track] = {}

    @property
    def runner(self) -> Runner | None:
        """Return who serves the current run; None before the first."""
        return self.lane.runner(self.slot) if self.slot else None


def step(at: Relay, event: Event) -> tuple[Relay, list[Effect]]:
    """Return the next state and what must now be done."""
    match event:
        case Started() | WaitOver() | Resumed():
            return _go_on(at)
        case BenchesRead(benches, now):
            return replace(at, benches=benches, now=now), []
        case StopAsked():
            return at, [End(Ending.STOPPED, "stopped")]
        case BudgetSpent(why):
            return give_back_attempt(at), [End(Ending.STOPPED, why)]
        case RunBudgetSpent(why):
            return _end_run(at, Outcome.FAILED, why)
        case LapClaimed(lap, lane):
            return _begin_run(replace(change_lanes(at, lane), lap=lap))
        case LapGone():
            return _without_lap(at, event)
        case QueueEmpty(why):
            return at, [End(Ending.COMPLETE, why)]
        case QueueWaits(why):
            return at, [Wait(QUEUE_SECONDS, why, for_user=True)]
        case QueueBroken(why):
            return at, [End(Ending.FAILED, why)]
        case TryEnded(outcome) if outcome.succeeded:
            return _succeed(at, outcome)
        case TryEnded(cancelled_by="skip"):
            return _end_run(at, event.outcome, "skipped")
        case TryEnded(cancelled_by=cancelled) if cancelled == LAP_GONE:
            return _without_lap(at, LapGone(event.reason))
        case TryEnded(cancelled_by="pause"):
            at = give_back_attempt(replace(at, session=event.session or at.session))
            return at, [Hold()]
        case TryEnded(outcome) if outcome.open_ended:
            return at, [EndRun(at.run, outcome), End(Ending.STOPPED, event.reason)]
        case TryEnded():
            return _fail(at, event)
        case _:
            assert_never(event)


def give_back_attempt(at: Relay) -> Relay:
    """Take back what a try that was not made to its end took of the budget."""
    return replace(at, spent=max(0, at.spent - 1))


def _succeed(at: Relay, outcome: Outcome) -> tuple[Relay, list[Effect]]:
    ended = EndRun(at.run, outcome)
    at = replace(at, done=at.done + 1, attempt=0, session="", failures=0, fruitless=0)
    after, effects = _next_run(at)
    return after, [ended, *effects]


def _fail(at: Relay, event: TryEnded) -> tuple[Relay, list[Effect]]:
    """Go on after a failure: by the same runner, by another in the same run, or in the next run."""
    at = _remember(at, event)
    if event.stuck:
        return at, [EndRun(at.run, event.outcome), End(Ending.FAILED, event.reason)]
    if event.outcome is Outcome.HANDOFF_TIMEOUT or event.spent:
        return _end_run(at, event.outcome, event.spent)
    if event.run_is_over and (runner := at.runner):
        at = replace(at, attempt=at.attempt + 1)
        return at, [StartTry(at.run, at.attempt, runner, event.session, handoff_only=True)]
    if at.runner and at.runner.key in at.benches:
        return _go_on(replace(at, spent=max(0, at.spent - 1)))
    if loop := _loop(at):
        return _end_run(at, event.outcome, loop)
    if event.retryable and at.spent < at.retry_budget:
        seconds = RETRY_SECONDS[min(at.spent, len(RETRY_SECONDS)) - 1]
        return at, [Wait(seconds, f"retry {at.spent + 1}/{at.retry_budget}: {event.reason}")]
    return _end_run(at, event.outcome)


def _remember(at: Relay, event: TryEnded) -> Relay:
    """Keep what the next try needs to know, and what tells of a loop."""
    fresh = not event.spoke or event.category in FRESH
    session = "" if fresh else event.session or at.session
    fault = (str(event.category), event.reason, event.tree) if event.tree else ()
    same = at.same + 1 if fault and fault == at.fault else 1
    trees = (*at.trees, event.tree)[-BACK_AND_FORTH:] if event.tree else at.trees
    return replace(at, session=session, reason=event.reason, fault=fault, same=same, trees=trees)


def _loop(at: Relay) -> str:
    """Return how the run goes round in circles; "" while it does not."""
    if at.same >= SAME_FAILURES:
        return f"the same failure {at.same} times, with no change in between"
    if len(at.trees) == BACK_AND_FORTH and len({*at.trees}) == 2:
        first, second, *rest = at.trees
        if rest == [first, second] and first != second:
            return "its edits go back and forth"
    return ""


def _end_run(at: Relay, outcome: Outcome, why: str = "") -> tuple[Relay, list[Effect]]:
    """End a run that failed; its runner is left out of the rest of the cycle."""
    after, effects = _next_run(without_current(at))
    return after, [EndRun(at.run, outcome, why), *effects]


def without_current(at: Relay) -> Relay:
    """Leave the runner of the current run out of the rest of the cycle; the run is over."""
    at = replace(at, attempt=0, session="")
    if at.slot is None:
        return at
    return replace(at, lane=set_aside(at.lane, at.slot), failures=at.failures + 1)


def _go_on(at: Relay) -> tuple[Relay, list[Effect]]:
    return _next_try(at) if at.attempt else _next_run(at)


def _next_try(at: Relay) -> tuple[Relay, list[Effect]]:
    """Begin the next attempt of the run; another runner takes it when its own sits out."""
    runner = at.runner
    if not runner or runner.key in at.benches:
        lane, slot = pick(at.lane, at.benches)
        if slot is None:
            return _lane_is_out(at)
        runner = lane.runner(slot)
        at = replace(at, lane=lane, slot=slot, session="", spent=0, same=0, fault=())
    at = replace(at, attempt=at.attempt + 1, spent=at.spent + 1)
    return at, [StartTry(at.run, at.attempt, runner, at.session)]


def _next_run(at: Relay) -> tuple[Relay, list[Effect]]:
    if at.done >= at.target:
        return at, [End(Ending.COMPLETE)]
    return (at, [ClaimLap()]) if at.queue else _begin_run(at)


def _begin_run(at: Relay) -> tuple[Relay, list[Effect]]:
    lane, slot = pick(at.lane, at.benches)
    if slot is None or everybody_failed(at):
        return _lane_is_out(at)
    at = replace(at, lane=lane, slot=slot, run=at.run + 1, attempt=0, spent=0, session="")
    return _next_try(replace(at, same=0, fault=(), trees=()))


def change_lanes(at: Relay, name: str) -> Relay:
    """Let the lane of this name serve; each goes on where it stood."""
    track = at.others.get(name)
    if track is None or name == at.lane.name:
        return at
    others = {**at.others, at.lane.name: Track(at.lane, at.failures, at.fruitless)}
    return replace(
        at,
        lane=track.lane,
        failures=track.failures,
        fruitless=track.fruitless,
        slot=None,
        others=others,
    )


def _without_lap(at: Relay, gone: LapGone) -> tuple[Relay, list[Effect]]:
    """End a run whose lap was taken from it; nobody is to blame."""
    outcome = Outcome.COMPLETED if gone.finished else Outcome.CANCELLED
    ended = EndRun(at.run, outcome, gone.why)
    at = replace(at, attempt=0, session="", done=at.done + gone.finished)
    after, effects = _next_run(at)
    return after, [ended, *effects]


def everybody_failed(at: Relay) -> bool:
    """Tell whether as many runs failed one after the other as there are places to serve them."""
    places = sum(at.lane.runner(slot).key not in at.benches for slot in at.lane.slots())
    return at.failures >= places


def _lane_is_out(at: Relay) -> tuple[Relay, list[Effect]]:
    """Wait for whom it may help to wait for; end when that was done often enough."""
    keys = at.lane.everyone
    benched = [at.benches[key] for key in keys if key in at.benches]
    whys = "; ".join(dict.fromkeys(bench.why for bench in benched))
    back = earliest_return(benched)
    if back is None and len(benched) == len(keys) and not all(b.for_good for b in benched):
        back = at.now + LOOK_AGAIN
    served = has_served_its_range(at.lane, at.benches)
    if served and back is None:
        return _go_on(replace(at, lane=new_cycle(at.lane), failures=0))
    if len(benched) < len(keys) and not served and at.fruitless < len(CYCLE_SECONDS):
        return _try_another_cycle(at)
    if back is not None:
        at = replace(at, lane=forgive(at.lane), failures=0, fruitless=0)
        return at, [Wait(max(0.0, back - at.now), whys, back)]
    why = "; ".join(filter(None, [at.reason, whys])) or "the lane is empty"
    ended: list[Effect] = [EndRun(at.run, Outcome.FAILED)] if at.attempt else []
    return at, [*ended, End(Ending.FAILED, f"all agents unavailable ({why})")]


def _try_another_cycle(at: Relay) -> tuple[Relay, list[Effect]]:
    seconds = CYCLE_SECONDS[at.fruitless]
    at = replace(at, lane=new_cycle(at.lane), failures=0, fruitless=at.fruitless + 1)
    return at, [Wait(seconds, f"every agent failed, last: {at.reason}")]


def decision(ended: TryEnded, effects: Sequence[Effect]) -> str:
    """Return in words what was decided because of a try, for its record."""
    skipped = ended.cancelled_by in RUN_ENDERS
    goes_on = ended.stuck or (ended.outcome.open_ended and not skipped)
    for effect in effects:
        match effect:
            case EndRun() if goes_on:
                continue
            case EndRun(why=why):
                return f"{END_OF_RUN}: {why}" if why else END_OF_RUN
            case Wait(seconds, why, until):
                return f"waits {seconds:.0f} s" + ("" if until is None else ", as all sit out")
            case StartTry(handoff_only=True):
                return "out of time: the agent is only to hand its work off"
            case StartTry(runner=runner, session=session):
                return f"goes on with {runner.label}" + (", in its session" if session else "")
            case Hold():
                return "held by the user"
            case End(how, why):
                return f"end of relay: {how} {why}".rstrip()
    return ""
