"""What tests need to drive `laps` in a repository of their own, mostly in this process."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support import Done, Place

from mittelo import log
from mittelo.cli import main

LAPS = str(Path(sys.executable).with_name("laps"))
AT = "2026-01-01T00:00:00Z"


def lap(lap_id: str, **more: Any) -> dict[str, Any]:
    """Return an entry as a file holds it; `done=True` or a time for one that is done."""
    done = more.pop("done", False)
    return {
        "kind": "lap",
        "id": lap_id,
        "title": f"Title of {lap_id}",
        "description": "",
        "isDone": bool(done),
        "order": 65536,
        "createdAt": AT,
        "updatedAt": AT,
        "completedAt": (done if isinstance(done, str) else AT) if done else None,
        **more,
    }


def ref(name: str, **more: Any) -> dict[str, Any]:
    """Return an entry that refers to a stint."""
    return lap(f"repo-{name}", kind="stint", ref=name, title=name, **more)


class Laps:
    """A repository called `repo`, and the command in it."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.folder = root / ".laps"
        self._monkeypatch = monkeypatch

    def __call__(
        self, *words: str, given: str = "", cwd: str | Path | None = None, **env: str
    ) -> Done:
        """Run a command line in this process, the result being what a shell would see."""
        out, err = _stream(), _stream()
        with self._monkeypatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", ["laps", *words])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
            patch.setattr(log, "_said", set())
            patch.chdir(cwd or self.root)
            for name, value in env.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as caught:
                main.laps()
        code = caught.value.code
        assert isinstance(code, int)
        return Done(code, _text(out), _text(err))

    def process(
        self, *words: str, given: str = "", cwd: str | Path | None = None, **env: str
    ) -> Done:
        """Run a command line in a process of its own."""
        done = subprocess.run(
            [LAPS, *words],
            cwd=cwd or self.root,
            env={**os.environ, **env},
            input=given.encode(),
            capture_output=True,
            check=False,
            timeout=60,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def ok(self, *words: str, given: str = "", **env: str) -> str:
        """Run a command that succeeds, and return what it says."""
        done = self(*words, given=given, cwd=None, **env)
        assert done.code == 0, done
        return done.out

    def add(self, title: str, *words: str) -> str:
        """Add a lap at the tail, and return its id."""
        return self.ok("add", "tail", "--title", title, *words).strip()

    def json(self, *words: str, **env: str) -> Any:
        """Run a command that succeeds, and return its data."""
        return msgspec.json.decode(self.ok(*words, "--json-output", **env))

    def write(self, file: str, *entries: dict[str, Any], **envelope: Any) -> None:
        """Write a task file; entries are numbered in the order given."""
        numbered = [{**one, "order": 65536 * i} for i, one in enumerate(entries, 1)]
        self.put(file, msgspec.json.encode({"version": 3, **envelope, "tasks": numbered}))

    def stint(self, name: str, *entries: dict[str, Any], **envelope: Any) -> None:
        """Write an active stint."""
        prefix = f"{name[:4]:x<4}"
        self.write(f"stints/{name}.laps.json", *entries, prefix=prefix, **envelope)

    def put(self, file: str, held: bytes) -> None:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(held)

    def read(self, file: str = "laps.json") -> Any:
        return msgspec.json.decode((self.folder / file).read_bytes())

    def entries(self, file: str = "laps.json") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.read(file)["tasks"]
        return found

    def ids(self, file: str = "laps.json") -> list[str]:
        """Return the ids of what is to do, the head first."""
        todo = [one for one in self.entries(file) if not one["isDone"]]
        return [one["id"] for one in sorted(todo, key=lambda one: one["order"])]

    def titles(self, file: str = "laps.json") -> list[str]:
        known = {one["id"]: one["title"] for one in self.entries(file)}
        return [known[lap_id] for lap_id in self.ids(file)]

    def find(self, lap_id: str, file: str = "laps.json") -> dict[str, Any]:
        return next(one for one in self.entries(file) if one["id"] == lap_id)

    def claim(self) -> Any:
        """Return what the claim file holds, None if it is not there."""
        path = self.folder / "claim"
        return msgspec.json.decode(path.read_bytes()) if path.exists() else None

    def events(self) -> list[dict[str, Any]]:
        path = self.folder / "log.jsonl"
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [msgspec.json.decode(line) for line in lines]

    def hooks(self, *hooks: dict[str, Any]) -> None:
        self.put("hooks.json", msgspec.json.encode({"version": 1, "hooks": hooks}))

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Require that no file of the repository changes."""
        before = self.contents()
        yield
        assert self.contents() == before

    def contents(self) -> dict[str, bytes]:
        paths = sorted(self.root.rglob("*"))
        return {str(path): path.read_bytes() for path in paths if path.is_file()}

    def git(self, *words: str) -> str:
        return Place(self.root, self.root.parent / "home").git(*words)


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    held = stream.buffer
    assert isinstance(held, io.BytesIO)
    return held.getvalue().decode()
