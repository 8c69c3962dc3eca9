"""`rally` as a user runs it: in one repository, with the environment of one test."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import psutil

from mittelo.core.records import RelayRecord, SummaryRecord, TryRecord
from mittelo.proc.keeper import MARKER

RALLY = Path(sys.executable).with_name("rally")

Record = TypeVar("Record")


@dataclass(frozen=True)
class Ended:
    """What a finished command left."""

    code: int
    output: str
    errors: str


class Running:
    """A command of rally that was started; signals go where a terminal would send them."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path, errors: Path) -> None:
        self._process = process
        self._output = output
        self._errors = errors

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its process group."""
        os.killpg(self._process.pid, number)

    def wait(self, seconds: float) -> Ended:
        """Return how it ended; it must do so within these seconds."""
        code = self._process.wait(seconds)
        return Ended(code, self._output.read_text(), self._errors.read_text())


@dataclass(frozen=True)
class Rally:
    """The command `rally` in a git work tree."""

    repository: Path
    environment: Mapping[str, str]

    def init(self, settings: str = "") -> None:
        """Make the repository ready, with these settings in its configuration."""
        (self.repository / ".rally").mkdir()
        if settings:
            (self.repository / ".rally/config.toml").write_text(settings)
        done = self.run("init")
        assert done.code == 0, done

    def run(self, *words: str, seconds: float = 90) -> Ended:
        """Run a command of rally to its end."""
        with self.running(*words) as command:
            return command.wait(seconds)

    @contextmanager
    def running(self, *words: str) -> Iterator[Running]:
        """Start a command of rally; what is left of it after the body is killed."""
        place = Path(self.environment["TMPDIR"])
        number = len(list(place.glob("rally-*.out")))
        output, errors = place / f"rally-{number}.out", place / f"rally-{number}.err"
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                [RALLY, *words],
                cwd=self.repository,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        try:
            yield Running(process, output, errors)
        finally:
            process.kill()
            process.wait()
            for left in self.agents:
                with suppress(psutil.Error):
                    left.kill()

    @property
    def agents(self) -> list[psutil.Process]:
        """All that runs as part of some try of ours, whoever started it."""
        return [process for process in psutil.process_iter() if self._is_agent(process)]

    def _is_agent(self, process: psutil.Process) -> bool:
        try:
            environment = process.environ()
            alive = process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False
        return alive and MARKER in environment and environment.get("HOME") == self._home

    @property
    def _home(self) -> str:
        return self.environment["HOME"]

    @property
    def tries(self) -> list[TryRecord]:
        """The records of all tries."""
        return self._records(".rally/state/tries.jsonl", TryRecord)

    @property
    def relays(self) -> list[RelayRecord]:
        """The records of all relays."""
        return self._records(".rally/state/relays.jsonl", RelayRecord)

    @property
    def digests(self) -> list[SummaryRecord]:
        """The digests of all runs."""
        return self._records(".rally/summary.jsonl", SummaryRecord)

    def _records(self, name: str, kind: type[Record]) -> list[Record]:
        path = self.repository / name
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [msgspec.json.decode(line, type=kind) for line in lines]

    def git(self, *words: str) -> str:
        """Return what git says of the repository."""
        done = subprocess.run(
            ["git", *words],
            cwd=self.repository,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout
