"""Workers for tests, as users start them, and the scripts that they let answer."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import psutil
from hubs import MITTELO, PATIENCE
from support import PATIENCE_SECONDS, wait_until

from mittelo.core.requests import Task
from mittelo.hub.client import HubClient


class Started:
    """A command that goes on, its words in a file."""

    def __init__(
        self, command: str, port: int, *words: str, env: dict[str, str] | None = None
    ) -> None:
        self._errors = Path(f"{command}-{os.urandom(4).hex()}.stderr").absolute()
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [MITTELO, command, "--port", str(port), *words],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)

    def errors(self) -> str:
        return self._errors.read_text()

    def says(self, words: str) -> None:
        """Wait until it has said something."""
        try:
            wait_until(lambda: words in self.errors())
        except AssertionError:
            raise AssertionError(f"{words!r} is not in {self.errors()!r}") from None

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Tell it to end, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)


def worker(port: int, *words: str, env: dict[str, str] | None = None) -> Started:
    return Started("agent", port, *words, env=env)


def program(folder: Path, name: str, text: str) -> str:
    """Write a Python program, and return the command line that runs it."""
    path = folder / f"{name}.py"
    path.write_text(text)
    return shlex.join([sys.executable, "-S", str(path)])


def slow(folder: Path) -> str:
    """Return a command that tells its pid in `began-TASK`, and ends once `go` is there."""
    text = f"""
import os, sys, time
begun = {str(folder)!r} + "/began-" + os.environ["MITTELO_TASK_ID"]
open(begun + ".new", "w").write(str(os.getpid()))
os.rename(begun + ".new", begun)
while not os.path.exists({str(folder / "go")!r}):
    time.sleep(0.01)
print("slow:" + sys.stdin.read())
"""
    return program(folder, "slow", text)


def pid_of(folder: Path, task_id: int) -> int:
    """Wait until a slow program runs, and return its pid."""
    begun = folder / f"began-{task_id}"
    wait_until(begun.exists, "the run")
    return int(begun.read_text())


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def ended(client: HubClient, task_id: int, seconds: float = PATIENCE_SECONDS) -> Task:
    """Wait until a task is over, and return it."""
    wait_until(lambda: client.get(task_id).status.ended, f"the end of task {task_id}", seconds)
    return client.get(task_id)


def kept(home: Path, kind: str) -> list[Path]:
    """Return what lies in the outbox, among the lost or among the results."""
    place = home / "state/mittelo/workers" / kind
    return [path for path in place.rglob("[!.]*") if path.is_file()]
