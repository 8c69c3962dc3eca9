"""Agent CLIs that tests put on the PATH: small scripts that claim to be somebody."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mittelo.harness.registry import BUILT_IN

MITTELO = str(Path(sys.executable).with_name("mittelo"))
TOOLS = ("bash", "cat", "env", "git", "sh", "sleep", "touch")
PATIENCE = 30.0


class Machine:
    """A machine on which nothing is installed but what a test puts there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bin = root / "bin"
        self.work = root / "work"
        self.bin.mkdir()
        self.work.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            if found:
                (self.bin / tool).symlink_to(found)

    def install(self, name: str, body: str) -> Path:
        """Put a program on the PATH, written in shell."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    def install_cli(self, name: str, program: str, version: str, answer: str = "cat") -> Path:
        """Install an agent CLI that knows all flags; `answer` is what it does with a prompt."""
        flags = " ".join(next(h for h in BUILT_IN if h.name == name).flags())
        return self.install(
            program,
            f"case \"$*\" in *--version*) echo '{version}';;"
            f" *--help*) echo '{flags}';;\n*) {answer};; esac",
        )

    def install_package(self, name: str, program: str, version: str, body: str) -> None:
        """Install an agent CLI as npm does, in a package that tells its version."""
        self.install_cli(name, program, "", body)
        folder = self.root / "lib/node_modules" / program
        folder.mkdir(parents=True)
        (self.bin / program).rename(folder / "cli.js")
        (self.bin / program).symlink_to(folder / "cli.js")
        package = {"version": version, "bin": {program: "cli.js"}}
        (folder / "package.json").write_text(json.dumps(package))

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, "PATH": str(self.bin), **more}

    def mittelo(self, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [MITTELO, *words],
            cwd=self.work,
            env=self.environment(**env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def begin(self, *words: str, **env: str) -> "subprocess.Popen[bytes]":
        """Start a command and go on."""
        return subprocess.Popen(
            [MITTELO, *words],
            cwd=self.work,
            env=self.environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def report(self, kind: str = "e2e") -> Path:
        """Return the folder of the only report."""
        (found,) = (path for path in (self.work / "reports" / kind).iterdir() if path.is_dir())
        return found


def says(*events: object) -> str:
    """Return the body of a program that swallows its prompt and prints these as JSON lines."""
    lines = "\n".join(json.dumps(event) for event in events)
    return f"cat >/dev/null; cat <<'END'\n{lines}\nEND\n"


def claude_says(text: str) -> str:
    """Return the body of a claude that answers."""
    return says(
        {"type": "system", "subtype": "init", "session_id": "s"},
        {
            "type": "result",
            "subtype": "success",
            "is_error": False,
            "num_turns": 1,
            "result": text,
            "session_id": "s",
        },
    )


def names(rows: Sequence[dict[str, str]], verdict: str) -> set[str]:
    """Return the backends of a matrix that have a verdict."""
    return {row["backend"] for row in rows if row["verdict"] == verdict}
