"""A command of ours that goes on beside us, kept so that nothing of it outlives us."""

import queue
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mittelo.core.tries import Event, Exited, NotStarted
from mittelo.proc.child import Child, Launch
from mittelo.proc.keeper import MARKER

LOOK_SECONDS = 0.05
WORDS_BYTES = 4000


class Staying:
    """A running `mittelo` command, under a keeper; its words go to a file."""

    def __init__(self, words: Sequence[str], env: Mapping[str, str], cwd: str, log: Path) -> None:
        self.log = log
        self.ended = ""
        self._inbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
        launch = Launch(
            argv=[sys.executable, "-P", "-m", "mittelo", *words],
            cwd=cwd,
            env={**env, MARKER: f"proving.{uuid.uuid4().hex}"},
            stdin="",
            stdout=str(log),
            stderr=str(log),
        )
        self._child = Child(launch, self._inbox)

    def is_gone(self) -> bool:
        """Tell whether it has ended; `ended` says how."""
        while not self.ended:
            try:
                event = self._inbox.get_nowait()
            except queue.Empty:
                return False
            match event:
                case Exited(code):
                    self.ended = f"exit {code}" if code >= 0 else f"ended by signal {-code}"
                case NotStarted(reason):
                    self.ended = f"it did not start: {reason}"
                case _:
                    self.ended = "its keeper is gone"
        return True

    def words(self) -> str:
        """Return the last that it said."""
        try:
            return self.log.read_bytes()[-WORDS_BYTES:].decode(errors="replace")
        except OSError:
            return ""

    def interrupt(self) -> None:
        """Ask it to end."""
        self._child.interrupt()

    def kill(self) -> None:
        """End it, and all that it started, at once."""
        self._child.kill()

    def see_out(self, seconds: float) -> list[str]:
        """Wait so long for its end, then end it; return what was left of it and had to be ended."""
        if not wait_for(self.is_gone, seconds):
            self.kill()
        self._child.wait_until_clean()
        self.is_gone()
        return self._child.left


def wait_for(true: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is so, and tell whether it came true."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True
