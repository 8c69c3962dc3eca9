"""What tests need to drive the commands as a user does, in a world of their own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import psutil

from mittelo.core.records import RelayRecord, TryRecord
from mittelo.proc.keeper import MARKER

T = TypeVar("T")
RALLY = str(Path(sys.executable).with_name("rally"))
LAPS = str(Path(sys.executable).with_name("laps"))
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Place:
    """A repository with a home of its own, in which commands are run."""

    root: Path
    home: Path
    env: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_DATA_HOME": str(self.home / "data"),
            "XDG_STATE_HOME": str(self.home / "state"),
            "GIT_CONFIG_GLOBAL": str(self.home / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "LANG": "C.UTF-8",
            **self.env,
        }

    def rally(self, *words: str, given: str | bytes = "", cwd: Path | None = None) -> Done:
        raw = given.encode() if isinstance(given, str) else given
        done = subprocess.run(
            [RALLY, *words],
            cwd=cwd or self.root,
            env=self.environment(),
            input=raw,
            capture_output=True,
            check=False,
            timeout=PATIENCE_SECONDS * 3,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def laps(self, *words: str, given: str = "") -> Done:
        """Run `laps`, and expect that it succeeds."""
        done = subprocess.run(
            [LAPS, *words],
            cwd=self.root,
            env=self.environment(),
            input=given.encode(),
            capture_output=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == 0, done.stderr.decode()
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def begin(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start a command and go on, its output in files beside the home."""
        with (self.home / "out").open("wb") as out, (self.home / "err").open("wb") as err:
            return subprocess.Popen(
                [RALLY, *words],
                cwd=self.root,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=self.root,
            env=self.environment(),
            capture_output=True,
            check=True,
            text=True,
        )
        return done.stdout.rstrip("\n")

    def committed(self, commit: str = "HEAD") -> list[str]:
        """Return the files of a commit."""
        return self.git("show", "--name-only", "--format=", commit).splitlines()

    def script(self, *turns: str, path: str = ".rally/script.toml") -> None:
        """Write a script for the scripted agent; each turn is the inside of its list of steps."""
        text = "".join(f"[[turn]]\nsteps = [\n{turn}\n]\n" for turn in turns)
        (self.root / path).write_text(text)

    def configure(self, text: str) -> None:
        (self.root / ".rally/config.toml").write_text(text)

    def tries(self) -> list[TryRecord]:
        return lines_of(self.root / ".rally/state/tries.jsonl", TryRecord)

    def relays(self) -> list[RelayRecord]:
        return lines_of(self.root / ".rally/state/relays.jsonl", RelayRecord)

    def summary(self) -> list[dict[str, Any]]:
        return lines_of(self.root / ".rally/summary.jsonl", dict[str, Any])

    def relay_log(self) -> str:
        logs = sorted((self.home / "data/rally/relays").glob("*/relay-*.log"))
        return "".join(log.read_text() for log in logs)


def lines_of(path: Path, kind: type[T]) -> list[T]:
    if not path.exists():
        return []
    return [msgspec.json.decode(line, type=kind) for line in path.read_bytes().splitlines()]


def wait_until(
    true: Callable[[], object], what: str = "it", seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait until something is so; fail when it takes unreasonably long."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"{what} did not come true"
        time.sleep(0.02)


def marked(fragment: str, variable: str = MARKER) -> list[psutil.Process]:
    """Return living processes whose try's mark contains this."""
    found = []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(variable, "")
            if fragment in mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found
