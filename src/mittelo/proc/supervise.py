"""Supervise one try: start the agent, follow what it writes, carry out what the machine says."""

import math
import queue
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from mittelo.core import stalls
from mittelo.core.signs import Ended, Reading, Sign
from mittelo.core.stalls import Condition
from mittelo.core.tries import (
    Event,
    Finish,
    Interrupt,
    Kill,
    Limits,
    Spoke,
    Stop,
    Ticked,
    Try,
    begin,
    step,
)
from mittelo.harness.base import Harness, Stream
from mittelo.proc.child import Child, Launch
from mittelo.proc.keeper import MARKER
from mittelo.proc.listening import Listener
from mittelo.proc.sampling import NetstatLog, Sampler
from mittelo.proc.survey import end_marked
from mittelo.proc.transcript import tail

TICK_SECONDS = 0.25
ERRORS_KEPT = 2000


class Supervised(Struct, frozen=True):
    """What a supervised try came to. `left` names processes that had to be ended after it."""

    finish: Finish
    reading: Reading
    answer: str
    errors: str
    left: list[str]
    dropped_lines: int

    @classmethod
    def never_started(cls, stop: Stop | None) -> "Supervised":
        """Return what a try comes to that was stopped before its agent started."""
        return cls(Finish(None, stop), Reading(), "", "", [], 0)


class Watched(Struct, frozen=True):
    """What a watcher is shown on every tick: signs since the last, and the sum of all.

    `hints` tell what is odd about the network, `frozen` why the agent is ended as stalled.
    """

    signs: list[Sign]
    reading: Reading
    silent_seconds: float
    condition: Condition = Condition.ACTIVE
    hints: list[str] = []
    frozen: str = ""


class Supervisor:
    """Runs one agent to its end. `inbox` takes orders from outside, such as to stop.

    What its processes do goes into the file `netstat`, where that is looked at.
    """

    def __init__(
        self, harness: Harness, launch: Launch, log: str, limits: Limits, netstat: str = ""
    ) -> None:
        self.inbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._harness = harness
        self._launch = launch
        self._limits = limits
        self._netstat = NetstatLog(netstat, [launch.stdout, launch.stderr, log])
        self._ended: Ended | None = None
        self._listener = Listener(
            harness, {Stream.OUT: launch.stdout, Stream.ERR: launch.stderr, Stream.LOG: log}
        )

    def run(self, watch: Callable[[Watched], None]) -> Supervised:
        """Start the agent and stay with it until nothing of it is left."""
        child = Child(self._launch, self.inbox)
        sampler = self._sampler(child)
        try:
            finish = self._drive(child, watch)
        except BaseException:
            child.kill()
            child.wait_until_clean()
            raise
        finally:
            if sampler:
                sampler.close()
        child.wait_until_clean()
        left = child.left
        if finish.code is None and not finish.not_started:
            child.end_group()
            left = end_marked(self._launch.env.get(MARKER, ""))
        # the exit code was read before the last bytes: nothing is written after them
        signs = self._listener.read_rest()
        watch(Watched(signs, self._listener.reading, 0.0))
        if finish.stop is Stop.LINGERED:
            self._listener.reading.ended = self._ended  # not what it says of being interrupted
        return self._result(finish, left)

    def _sampler(self, child: Child) -> Sampler | None:
        if self._limits.patience.silence == math.inf:
            return None
        mark = self._launch.env.get(MARKER, "")
        return Sampler(child.root, mark, self._limits.patience, self._netstat, self.inbox)

    def _drive(self, child: Child, watch: Callable[[Watched], None]) -> Finish:
        state = begin(self._limits, time.monotonic())
        more = False
        while True:
            event = self._next_event(0.0 if more else TICK_SECONDS)
            spoken, signs, more = self._listen()
            now = time.monotonic()
            for happened in [*spoken, event, Ticked()]:
                state, effects = step(state, happened, now)
                for effect in effects:
                    match effect:
                        case Interrupt():
                            self._ended = self._listener.reading.ended
                            child.interrupt()
                        case Kill():
                            child.kill()
                        case Finish():
                            return effect
            watch(self._watched(signs, state, now))

    def _listen(self) -> tuple[list[Event], list[Sign], bool]:
        """Return what the agent wrote as an event, the signs of it, and whether more is there."""
        listener = self._listener
        heard = listener.heard
        signs, more = listener.read()
        if listener.heard == heard:
            return [], signs, more
        ended = listener.reading.ended is not None
        return [Spoke(listener.tone, listener.noise, ended)], signs, more

    def _watched(self, signs: list[Sign], state: Try, now: float) -> Watched:
        return Watched(
            signs,
            self._listener.reading,
            now - state.heard,
            Condition.FROZEN if state.frozen else stalls.condition(state.watch, now),
            stalls.hints(state.watch, now),
            state.frozen,
        )

    def _next_event(self, patience: float) -> Event:
        try:
            return self.inbox.get(timeout=patience) if patience else self.inbox.get_nowait()
        except queue.Empty:
            return Ticked()

    def _result(self, finish: Finish, left: list[str]) -> Supervised:
        out, err = tail(Path(self._launch.stdout)), tail(Path(self._launch.stderr))
        reading = self._listener.reading
        return Supervised(
            finish=finish,
            reading=reading,
            answer=self._harness.answer(reading, out, err),
            errors=err.decode(errors="replace")[-ERRORS_KEPT:],
            left=left,
            dropped_lines=self._listener.dropped,
        )
