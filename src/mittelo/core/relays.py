"""The life of a relay: which try comes next, when to wait, when it is over."""

from collections.abc import Iterable
from enum import StrEnum
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from mittelo.core.records import Outcome, TryRecord
from mittelo.core.routes import (
    Lane,
    Runner,
    Slot,
    forgive,
    has_served_its_range,
    new_cycle,
    pick,
    set_aside,
    stand_at,
)
from mittelo.core.standings import Benches, earliest_return

RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)
CYCLE_SECONDS = (5.0, 30.0)


class Ending(StrEnum):
    """How a relay ended."""

    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"


class Started(Struct, frozen=True, tag="started"):
    """The relay begins, or goes on after it was resumed."""


class TryEnded(Struct, frozen=True, tag="try_ended"):
    """A try is over. `session` is what the CLI called its session, "" where it cannot resume.

    `retryable`: the same runner may do better at once. `stuck`: no runner can.
    """

    outcome: Outcome
    session: str = ""
    spoke: bool = True
    retryable: bool = True
    stuck: bool = False
    reason: str = ""


class WaitOver(Struct, frozen=True, tag="wait_over"):
    """A wait ended by itself."""


class StopAsked(Struct, frozen=True, tag="stop_asked"):
    """The user wants the relay to stop; it can be resumed."""


class BenchesRead(Struct, frozen=True, tag="benches_read"):
    """These runners sit out at this epoch second; precedes every event that may start a run."""

    benches: Benches
    now: float


Event = Started | TryEnded | WaitOver | StopAsked | BenchesRead


class StartTry(Struct, frozen=True, tag="start_try"):
    """Run an agent; `session` continues an earlier conversation, "" begins one."""

    run: int
    attempt: int
    runner: Runner
    session: str = ""


class EndRun(Struct, frozen=True, tag="end_run"):
    """A run is over, with the outcome of its last try."""

    run: int
    outcome: Outcome


class Wait(Struct, frozen=True, tag="wait"):
    """Wait so many seconds; `why` is for the screen.

    `until`: wait for this epoch second instead, or for a change of standing, as all runners sit
    out.
    """

    seconds: float
    why: str
    until: float | None = None


class End(Struct, frozen=True, tag="end"):
    """The relay is over."""

    how: Ending
    why: str = ""


Effect = StartTry | EndRun | Wait | End


class Relay(Struct, frozen=True):
    """Where a relay stands. `attempt` 0 means that the next try begins a new run.

    `failures` counts the runs that failed since one succeeded or the relay waited, `fruitless`
    the waits of that kind since a run last succeeded.
    """

    target: int
    retry_budget: int
    lane: Lane
    done: int = 0
    run: int = 0
    attempt: int = 0
    slot: Slot | None = None
    session: str = ""
    failures: int = 0
    fruitless: int = 0
    reason: str = ""
    benches: Benches = {}
    now: float = 0.0

    @property
    def runner(self) -> Runner | None:
        """Return who serves the current run; None before the first."""
        return self.lane.runner(self.slot) if self.slot else None


def step(at: Relay, event: Event) -> tuple[Relay, list[Effect]]:
    """Return the next state and what must now be done."""
    match event:
        case Started() | WaitOver():
            return _go_on(at)
        case BenchesRead(benches, now):
            return replace(at, benches=benches, now=now), []
        case StopAsked():
            return at, [End(Ending.STOPPED, "stopped")]
        case TryEnded(outcome) if outcome.succeeded:
            return _succeed(at, outcome)
        case TryEnded(outcome) if outcome.open_ended:
            return at, [EndRun(at.run, outcome), End(Ending.STOPPED, event.reason)]
        case TryEnded():
            return _fail(at, event)
        case _:
            assert_never(event)


def _succeed(at: Relay, outcome: Outcome) -> tuple[Relay, list[Effect]]:
    ended = EndRun(at.run, outcome)
    at = replace(at, done=at.done + 1, attempt=0, session="", failures=0, fruitless=0)
    after, effects = _next_run(at)
    return after, [ended, *effects]


def _fail(at: Relay, event: TryEnded) -> tuple[Relay, list[Effect]]:
    resumed_in_vain = bool(at.session) and not event.spoke
    session = "" if resumed_in_vain else event.session or at.session
    at = replace(at, session=session, reason=event.reason)
    if event.stuck:
        return at, [EndRun(at.run, event.outcome), End(Ending.FAILED, event.reason)]
    if event.retryable and at.attempt < at.retry_budget:
        seconds = RETRY_SECONDS[min(at.attempt, len(RETRY_SECONDS)) - 1]
        return at, [Wait(seconds, f"retry {at.attempt + 1}/{at.retry_budget}: {event.reason}")]
    ended = EndRun(at.run, event.outcome)
    after, effects = _next_run(_without_current(at))
    return after, [ended, *effects]


def _without_current(at: Relay) -> Relay:
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
        at = replace(at, lane=lane, slot=slot, session="")
    at = replace(at, attempt=at.attempt + 1)
    return at, [StartTry(at.run, at.attempt, runner, at.session)]


def _next_run(at: Relay) -> tuple[Relay, list[Effect]]:
    if at.done >= at.target:
        return at, [End(Ending.COMPLETE)]
    lane, slot = pick(at.lane, at.benches)
    if slot is None or _everybody_failed(at):
        return _lane_is_out(at)
    return _next_try(replace(at, lane=lane, slot=slot, run=at.run + 1, attempt=0, session=""))


def _everybody_failed(at: Relay) -> bool:
    """Tell whether as many runs failed one after the other as there are places to serve them."""
    places = sum(at.lane.runner(slot).key not in at.benches for slot in at.lane.slots())
    return at.failures >= places


def _lane_is_out(at: Relay) -> tuple[Relay, list[Effect]]:
    """Wait for whom it may help to wait for; end when that was done often enough."""
    keys = at.lane.everyone
    benched = [at.benches[key] for key in keys if key in at.benches]
    whys = "; ".join(dict.fromkeys(bench.why for bench in benched))
    back = earliest_return(benched)
    served = has_served_its_range(at.lane, at.benches)
    if served and back is None:
        return _go_on(replace(at, lane=new_cycle(at.lane), failures=0))
    if len(benched) < len(keys) and not served and at.fruitless < len(CYCLE_SECONDS):
        return _try_another_cycle(at)
    if back is not None:
        at = replace(at, lane=forgive(at.lane), failures=0, fruitless=0)
        return at, [Wait(max(0.0, back - at.now), whys, back)]
    why = "; ".join(filter(None, [at.reason, whys])) or "the lane is empty"
    return at, [End(Ending.FAILED, f"all agents unavailable ({why})")]


def _try_another_cycle(at: Relay) -> tuple[Relay, list[Effect]]:
    seconds = CYCLE_SECONDS[at.fruitless]
    at = replace(at, lane=new_cycle(at.lane), failures=0, fruitless=at.fruitless + 1)
    return at, [Wait(seconds, f"every agent failed, last: {at.reason}")]


def resume(fresh: Relay, tries: Iterable[TryRecord]) -> Relay:
    """Return the state of a relay that made these tries, in order, before we were asked again.

    Replays the scheduler, so that quotas go on where they stood. A run that was cut off goes on
    with the next attempt and, where the same runner serves it again, in the same session.
    """
    at = fresh
    for made in tries:
        at = _replay(at, made)
    _, ready = pick(at.lane, at.benches)
    if at.attempt or (ready is not None and not _everybody_failed(at)):
        return at
    return replace(at, lane=new_cycle(at.lane), failures=0)


def _replay(at: Relay, made: TryRecord) -> Relay:
    if made.run_id != at.run or not _is_runner(at.runner, made):
        at = _replay_pick(replace(at, run=made.run_id), made)
    at = replace(at, attempt=made.attempt_number, reason=made.fail_reason)
    if made.outcome.succeeded:
        return replace(at, done=at.done + 1, attempt=0, session="", failures=0, fruitless=0)
    if made.attempt_number >= at.retry_budget and not made.outcome.open_ended:
        return _without_current(at)
    return replace(at, session=made.session_id if _is_runner(at.runner, made) else "")


def _replay_pick(at: Relay, made: TryRecord) -> Relay:
    """Stand where the try was made: at the place that the scheduler gives, else its runner's next.

    A runner that is not of this lane leaves it as it is.
    """
    lane, slot = pick(at.lane, at.benches)
    if slot is None or _everybody_failed(at):
        lane, slot = pick(new_cycle(at.lane), at.benches)
        at = replace(at, failures=0)
    if slot and _is_runner(lane.runner(slot), made):
        return replace(at, lane=lane, slot=slot, session="")
    places = [place for place in at.lane.slots() if _is_runner(at.lane.runner(place), made)]
    if not places:
        return replace(at, slot=None, session="")
    ahead = len(at.lane.entries)
    place = min(places, key=lambda place: (place[0] - at.lane.at - 1) % ahead)
    return replace(at, lane=stand_at(at.lane, place), slot=place, session="")


def _is_runner(runner: Runner | None, made: TryRecord) -> bool:
    return runner is not None and runner.key == (made.agent_type, made.model)
