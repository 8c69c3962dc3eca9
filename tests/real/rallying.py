"""`rally` as a user runs it: in one repository, with one environment."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypeVar

import msgspec
import psutil

from mittelo.config.paths import workspace_key
from mittelo.core.records import RelayRecord, SummaryRecord, TryRecord
from mittelo.core.standings import StandingRecord
from mittelo.proc.keeper import MARKER

RALLY = Path(sys.executable).with_name("rally")

Record = TypeVar("Record")


def _surprising(errors: str) -> str:
    """Leave out the warning that every test with one agent gets."""
    return "".join(line for line in errors.splitlines(True) if "no fallback" not in line)


@dataclass(frozen=True)
class Ended:
    """What a finished command left."""

    code: int
    output: str
    errors: str


class Running:
    """A relay that was started."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path, errors: Path) -> None:
        self._process = process
        self._output = output
        self._errors = errors

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its process group, as a terminal does."""
        os.killpg(self._process.pid, number)

    def wait(self, seconds: float) -> Ended:
        """Return how it ended; it must do so within these seconds."""
        code = self._process.wait(seconds)
        return Ended(code, self._output.read_text(), _surprising(self._errors.read_text()))


@dataclass(frozen=True)
class Rally:
    """The command `rally` in a git work tree."""

    repository: Path
    environment: Mapping[str, str]

    def init(self, settings: str = "") -> None:
        """Make the repository ready, with these settings in its configuration."""
        if settings:
            (self.repository / ".rally").mkdir()
            (self.repository / ".rally/config.toml").write_text(settings)
        done = self.ask("init")
        assert done.code == 0, done

    def ask(self, *words: str) -> Ended:
        """Run a command that starts no agents."""
        done = subprocess.run(
            [RALLY, *words],
            cwd=self.repository,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *words: str, seconds: float = 90) -> Ended:
        """Run `rally start` to its end."""
        with self.starting(*words) as command:
            return command.wait(seconds)

    @contextmanager
    def starting(self, *words: str) -> Iterator[Running]:
        """Run `rally start`; what is left of it and its agents after the body is killed."""
        with NamedTemporaryFile() as output, NamedTemporaryFile() as errors:
            process = subprocess.Popen(
                [RALLY, "start", *words],
                cwd=self.repository,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
            try:
                yield Running(process, Path(output.name), Path(errors.name))
            finally:
                process.kill()
                process.wait()
                for left in self.agents:
                    with suppress(psutil.Error):
                        left.kill()

    @property
    def agents(self) -> list[psutil.Process]:
        """All that runs as part of a try in this repository, whoever started it."""
        mark = f"{workspace_key(str(self.repository.resolve()))}."
        found = psutil.process_iter(["environ", "name", "status"])
        return [p for p in found if (p.info["environ"] or {}).get(MARKER, "").startswith(mark)]

    @property
    def agent_names(self) -> set[str]:
        """The names of those processes."""
        return {process.info["name"] for process in self.agents}

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

    @property
    def standings(self) -> list[StandingRecord]:
        """The events of all runners' standing."""
        return self._records(".rally/state/agent_status.jsonl", StandingRecord)

    def _records(self, name: str, kind: type[Record]) -> list[Record]:
        path = self.repository / name
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [msgspec.json.decode(line, type=kind) for line in lines]

    def git(self, *words: str) -> list[str]:
        """Return the lines that git says of the repository."""
        done = subprocess.run(
            ["git", *words],
            cwd=self.repository,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()


def make_repository(folder: Path) -> Path:
    """Make a git work tree with one commit and an author of its own."""
    folder.mkdir()
    (folder / "README.md").write_text("# A repository to work in\n")
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        ["config", "user.name", "Somebody"],
        ["config", "user.email", "somebody@example.invalid"],
        ["config", "commit.gpgsign", "false"],
        ["add", "README.md"],
        ["commit", "--quiet", "--message=Begin"],
    ):
        subprocess.run(["git", *command], cwd=folder, env=_nobody(), check=True)
    return folder


def _nobody() -> dict[str, str]:
    """Return an environment in which git reads nobody's settings."""
    return {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
