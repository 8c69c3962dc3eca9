"""Supervise one try: start the agent, follow what it writes, carry out what the machine says."""

import queue
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from mittelo.core.signs import Reading, Sign
from mittelo.core.tries import (
    Event,
    Finish,
    Interrupt,
    Kill,
    Limits,
    Spoke,
    Stop,
    Ticked,
    begin,
    step,
)
from mittelo.harness.base import Harness, Stream
from mittelo.proc.child import Child, Launch
from mittelo.proc.keeper import MARKER
from mittelo.proc.listening import Listener
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
    """What a watcher is shown on every tick: signs since the last, and the sum of all."""

    signs: list[Sign]
    reading: Reading
    silent_seconds: float


class Supervisor:
    """Runs one agent to its end. `inbox` takes orders from outside, such as to stop."""

    def __init__(self, harness: Harness, launch: Launch, log: str, limits: Limits) -> None:
        self.inbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._harness = harness
        self._launch = launch
        self._limits = limits
        self._listener = Listener(
            harness, {Stream.OUT: launch.stdout, Stream.ERR: launch.stderr, Stream.LOG: log}
        )

    def run(self, watch: Callable[[Watched], None]) -> Supervised:
        """Start the agent and stay with it until nothing of it is left."""
        child = Child(self._launch, self.inbox)
        try:
            finish = self._drive(child, watch)
        except BaseException:
            child.kill()
            child.wait_until_clean()
            raise
        child.wait_until_clean()
        left = child.left
        if finish.code is None and not finish.not_started:
            child.end_group()
            left = end_marked(self._launch.env.get(MARKER, ""))
        # the exit code was read before the last bytes: nothing is written after them
        signs = self._listener.read_rest()
        watch(Watched(signs, self._listener.reading, 0.0))
        return self._result(finish, left)

    def _drive(self, child: Child, watch: Callable[[Watched], None]) -> Finish:
        state = begin(self._limits, time.monotonic())
        more = False
        while True:
            event = self._next_event(0.0 if more else TICK_SECONDS)
            heard = self._listener.heard
            signs, more = self._listener.read()
            now = time.monotonic()
            for happened in [*([Spoke()] if self._listener.heard > heard else []), event]:
                state, effects = step(state, happened, now)
                for effect in effects:
                    match effect:
                        case Interrupt():
                            child.interrupt()
                        case Kill():
                            child.kill()
                        case Finish():
                            return effect
            watch(Watched(signs, self._listener.reading, now - state.heard))

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
