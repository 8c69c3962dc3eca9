"""The life of one try: when to interrupt the agent, when to kill it, how it ended."""

import math
from enum import StrEnum
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from mittelo.core import stalls
from mittelo.core.pulses import Sample, Tone
from mittelo.core.stalls import Condition, Patience, Watch

DRAIN_SECONDS = 5.0
KILL_SECONDS = 10.0


class Stop(StrEnum):
    """Why we ended a try; what we end is never blamed on the agent."""

    QUIT_NOW = "quit_now"
    GRACEFUL_STOP = "graceful_stop"
    TERMINATED = "terminated"
    SKIP = "skip"
    PAUSE = "pause"
    TRY_TIMEOUT = "try_timeout"
    RUN_TIMEOUT = "run_timeout"
    STALLED = "stalled"
    BUDGET = "budget"
    LINGERED = "lingered"


class Spoke(Struct, frozen=True, tag="spoke"):
    """The agent wrote something: its strongest tone, how many lines of it were mere noise.

    `ended`: the CLI has told of its end, and nothing after it.
    """

    tone: Tone = Tone.PROGRESS
    noise: int = 0
    ended: bool = False


class Sampled(Struct, frozen=True, tag="sampled"):
    """Somebody looked at the agent's processes."""

    sample: Sample


class Ticked(Struct, frozen=True, tag="ticked"):
    """Time passed."""


class StopAsked(Struct, frozen=True, tag="stop_asked"):
    """Somebody wants the try to end; asked twice, it ends at once."""

    why: Stop


class Exited(Struct, frozen=True, tag="exited"):
    """The agent is gone, with its exit code or minus the signal that ended it."""

    code: int


class NotStarted(Struct, frozen=True, tag="not_started"):
    """The agent could not be started."""

    why: str


class Lost(Struct, frozen=True, tag="lost"):
    """The keeper of the agent is gone, and with it the exit code."""


Event = Spoke | Sampled | Ticked | StopAsked | Exited | NotStarted | Lost


class Interrupt(Struct, frozen=True, tag="interrupt"):
    """Ask the agent to stop (SIGINT)."""


class Kill(Struct, frozen=True, tag="kill"):
    """End the agent and all it started, at once (SIGKILL)."""


class Finish(Struct, frozen=True, tag="finish"):
    """The try is over. `frozen` says what was seen of an agent that stalled."""

    code: int | None
    stop: Stop | None = None
    not_started: str = ""
    frozen: str = ""


Effect = Interrupt | Kill | Finish


class Limits(Struct, frozen=True):
    """Seconds a try may take in all, may be silent, and has from the interrupt to the kill.

    `timeout` is what has run out when it took too long: its own time, or that of its run.
    """

    try_seconds: float = math.inf
    timeout: Stop = Stop.TRY_TIMEOUT
    drain: float = DRAIN_SECONDS
    patience: Patience = Patience()


class Try(Struct, frozen=True):
    """Where a try stands. `asked` is when its end was asked for, `frozen` why, if it stalled."""

    limits: Limits
    began: float
    heard: float
    watch: Watch
    stop: Stop | None = None
    asked: float = math.inf
    killed: bool = False
    frozen: str = ""


def begin(limits: Limits, now: float) -> Try:
    """Return the state of a try that starts now."""
    return Try(limits, began=now, heard=now, watch=stalls.begin(limits.patience, now))


def step(at: Try, event: Event, now: float) -> tuple[Try, list[Effect]]:
    """Return the next state and what must now be done."""
    match event:
        case Spoke(tone, noise, ended):
            watch = stalls.hear(at.watch, tone, noise, now, ended=ended)
            return replace(at, heard=now, watch=watch), []
        case Sampled(sample):
            return replace(at, watch=stalls.watch(at.watch, sample, now)), []
        case Ticked():
            return _tick(at, now)
        case StopAsked(Stop.BUDGET) if at.stop:
            return at, []
        case StopAsked(why):
            return _kill(at) if at.stop else _interrupt(at, why, now)
        case Exited(code):
            return at, [Finish(code, at.stop, frozen=at.frozen)]
        case NotStarted(why):
            return at, [Finish(None, at.stop, why)]
        case Lost():
            return at, [Finish(None, at.stop, frozen=at.frozen)]
        case _:
            assert_never(event)


def _tick(at: Try, now: float) -> tuple[Try, list[Effect]]:
    if now >= at.asked + at.limits.drain + KILL_SECONDS:
        return at, [Finish(None, at.stop, frozen=at.frozen)]
    if now >= at.asked + at.limits.drain:
        return _kill(at)
    if not at.stop and now >= at.began + at.limits.try_seconds:
        return _interrupt(at, at.limits.timeout, now)
    at = replace(at, watch=stalls.look(at.watch, now))
    return (at, []) if at.stop else _look(at, now)


def _look(at: Try, now: float) -> tuple[Try, list[Effect]]:
    """Stop an agent that gets nowhere any more, and one that has finished and does not exit."""
    match stalls.condition(at.watch, now):
        case Condition.FROZEN:
            at = replace(at, frozen=stalls.account(at.watch, now))
            return _interrupt(at, Stop.STALLED, now)
        case Condition.LINGERING:
            return _interrupt(at, Stop.LINGERED, now)
        case Condition.ACTIVE | Condition.SLOWING:
            return at, []
        case condition:
            assert_never(condition)


def _interrupt(at: Try, why: Stop, now: float) -> tuple[Try, list[Effect]]:
    return replace(at, stop=why, asked=now), [Interrupt()]


def _kill(at: Try) -> tuple[Try, list[Effect]]:
    return (at, []) if at.killed else (replace(at, killed=True), [Kill()])
