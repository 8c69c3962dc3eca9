"""The life of a relay: which try comes next, when to wait, when it is over."""

from collections.abc import Iterable
from enum import StrEnum
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from mittelo.core.records import Outcome, TryRecord
from mittelo.core.routes import Lane, Runner, fail_entry, new_cycle, pick

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


Event = Started | TryEnded | WaitOver | StopAsked


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
    """Wait so many seconds; `why` is for the screen."""

    seconds: float
    why: str


class End(Struct, frozen=True, tag="end"):
    """The relay is over."""

    how: Ending
    why: str = ""


Effect = StartTry | EndRun | Wait | End


class Relay(Struct, frozen=True):
    """Where a relay stands. `attempt` 0 means that the next try begins a new run.

    `fruitless` counts the cycles through the lane since a run last succeeded.
    """

    target: int
    retry_budget: int
    lane: Lane
    done: int = 0
    run: int = 0
    attempt: int = 0
    entry: int = -1
    session: str = ""
    fruitless: int = 0
    reason: str = ""

    @property
    def runner(self) -> Runner:
        """Return who serves the current run."""
        return self.lane.entries[self.entry].runner


def step(at: Relay, event: Event) -> tuple[Relay, list[Effect]]:
    """Return the next state and what must now be done."""
    match event:
        case Started():
            return _next_try(at) if at.attempt else _next_run(at)
        case WaitOver():
            return _next_try(at) if at.attempt else _next_run(at)
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
    at = replace(at, done=at.done + 1, attempt=0, session="", fruitless=0)
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
    at = replace(at, lane=fail_entry(at.lane, at.entry), attempt=0, session="")
    after, effects = _next_run(at)
    return after, [ended, *effects]


def _next_try(at: Relay) -> tuple[Relay, list[Effect]]:
    at = replace(at, attempt=at.attempt + 1)
    return at, [StartTry(at.run, at.attempt, at.runner, at.session)]


def _next_run(at: Relay) -> tuple[Relay, list[Effect]]:
    if at.done >= at.target:
        return at, [End(Ending.COMPLETE)]
    lane, index = pick(at.lane)
    if index is None:
        return _lane_is_out(at)
    return _next_try(replace(at, lane=lane, entry=index, run=at.run + 1, attempt=0, session=""))


def _lane_is_out(at: Relay) -> tuple[Relay, list[Effect]]:
    """Begin another cycle after a pause, unless that was tried often enough."""
    if at.fruitless >= len(CYCLE_SECONDS):
        return at, [End(Ending.FAILED, f"all agents unavailable ({at.reason})")]
    seconds = CYCLE_SECONDS[at.fruitless]
    at = replace(at, lane=new_cycle(at.lane), fruitless=at.fruitless + 1)
    return at, [Wait(seconds, f"every agent failed, last: {at.reason}")]


def resume(fresh: Relay, tries: Iterable[TryRecord]) -> Relay:
    """Return the state of a relay that made these tries, in order, before we were asked again.

    Replays the scheduler, so that quotas go on where they stood. A run that was cut off goes on
    with the next attempt and, where the same runner serves it again, in the same session.
    """
    at = fresh
    for made in tries:
        at = _replay(at, made)
    _, ready = pick(at.lane)
    return at if at.attempt or ready is not None else replace(at, lane=new_cycle(at.lane))


def _replay(at: Relay, made: TryRecord) -> Relay:
    if made.run_id != at.run or at.entry < 0:
        at = _replay_pick(replace(at, run=made.run_id), made)
    at = replace(at, attempt=made.attempt_number, reason=made.fail_reason)
    if made.outcome.succeeded:
        return replace(at, done=at.done + 1, attempt=0, session="", fruitless=0)
    if made.attempt_number >= at.retry_budget and not made.outcome.open_ended:
        return replace(at, lane=fail_entry(at.lane, at.entry), attempt=0, session="")
    return replace(at, session=made.session_id if _is_runner(at, at.entry, made) else "")


def _replay_pick(at: Relay, made: TryRecord) -> Relay:
    """Stand where the try was made: at the entry that the scheduler gives, or its runner's."""
    lane, index = pick(at.lane)
    if index is None:
        lane, index = pick(new_cycle(at.lane))
    at = replace(at, lane=lane, entry=index or 0, session="")
    if _is_runner(at, at.entry, made):
        return at
    for other in range(len(lane.entries)):
        if _is_runner(at, other, made):
            return replace(at, lane=replace(lane, at=other, picks=1), entry=other)
    return at


def _is_runner(at: Relay, index: int, made: TryRecord) -> bool:
    runner = at.lane.entries[index].runner
    return (runner.harness, runner.model) == (made.agent_type, made.model)
