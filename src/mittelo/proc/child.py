"""An agent's process, started and stopped through its keeper."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from typing import IO

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from mittelo.core.tries import Event, Exited, Lost, NotStarted
from mittelo.proc.keeper import KEEPER_MARKER, MARKER

LAST_WORDS_SECONDS = 10.0


class Launch(Struct, frozen=True, kw_only=True):
    """All that is needed to start an agent; `stdin` "" gives it nothing to read."""

    argv: list[str]
    cwd: str
    env: dict[str, str]
    stdin: str
    stdout: str
    stderr: str


class _Report(Struct):
    """A line from the keeper; one field is set."""

    started: int | None = None
    not_started: str | None = None
    exited: int | None = None
    clean: list[str] | None = None


class Child:
    """A running agent. What becomes of it arrives as events in `inbox`.

    `left` names the processes that had to be ended after the agent was gone.
    """

    def __init__(self, launch: Launch, inbox: "queue.SimpleQueue[Event]") -> None:
        self.pid: int | None = None
        self.left: list[str] = []
        self._inbox = inbox
        self._keeper = subprocess.Popen(
            [sys.executable, "-P", "-m", "mittelo.proc.keeper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=os.environ | {KEEPER_MARKER: launch.env.get(MARKER, "")},
        )
        # the standard library's JSON, as an environment may hold bytes that are not UTF-8
        self._order(json.dumps(asdict(launch)).encode())
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def root(self) -> int:
        """Return the pid of the keeper, from whom all processes of the agent descend."""
        return self._keeper.pid

    def interrupt(self) -> None:
        """Ask the agent to stop."""
        self._order(b"interrupt")

    def kill(self) -> None:
        """End the agent and all it started."""
        self._order(b"kill")

    def wait_until_clean(self) -> None:
        """Wait until nothing of the agent is left; its keeper ends then.

        A keeper that cannot finish, as with processes that we may not end, is left to go on.
        """
        self._listener.join(LAST_WORDS_SECONDS)
        if self._keeper.stdin:
            with contextlib.suppress(BrokenPipeError):  # of an order that came too late
                self._keeper.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._keeper.wait(LAST_WORDS_SECONDS)
            self._reports().close()

    def end_group(self) -> None:
        """End what is left of the agent's own group, where its keeper is gone."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def _order(self, line: bytes) -> None:
        try:
            if self._keeper.stdin:
                self._keeper.stdin.write(line + b"\n")
                self._keeper.stdin.flush()
        except BrokenPipeError:
            return

    def _listen(self) -> None:
        heard_end = False
        for line in self._reports():
            said = msgspec.json.decode(line, type=_Report)
            if said.started is not None:
                self.pid = said.started
            if said.not_started is not None:
                heard_end = True
                self._inbox.put(NotStarted(said.not_started))
            if said.exited is not None:
                heard_end = True
                self._inbox.put(Exited(said.exited))
            self.left = said.clean or self.left
        if not heard_end:
            self._inbox.put(Lost())

    def _reports(self) -> IO[bytes]:
        if self._keeper.stdout is None:
            raise RuntimeError("the keeper was started without a pipe")
        return self._keeper.stdout
