"""`mittelo backend-check`, as scripts use it."""

import json
import os
import subprocess
import sys
from pathlib import Path

MITTELO = str(Path(sys.executable).with_name("mittelo"))


def check(*words: str, path: str | None = None, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [MITTELO, "backend-check", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path or os.environ["PATH"], **env},
    )


def test_what_is_ready_exits_with_0() -> None:
    done = check("--backend", "echo", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "backend": "echo",
        "status": "ok",
        "problems": [],
        "warnings": [],
        "used": "built in",
    }


def test_what_is_not_ready_exits_with_1_and_says_what_to_do(tmp_path: Path) -> None:
    done = check("--backend", "claude_code", "--json", path=str(tmp_path))
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["backend"], found["status"]) == ("claude_code", "fail")
    assert "install it" in found["problems"][0]


def test_a_warning_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "codex").write_text("#!/bin/sh\n")
    (tmp_path / "codex").chmod(0o755)
    done = check("--backend", "codex", path=str(tmp_path))
    assert done.returncode == 1
    assert "codex: warn (built in)" in done.stdout


def test_another_version_than_that_of_the_lock_is_told_of_and_keeps_nothing_back(
    tmp_path: Path,
) -> None:
    (tmp_path / "codex").write_text("#!/bin/sh\necho codex-cli 9.8.7\n")
    (tmp_path / "codex").chmod(0o755)
    done = check("--backend", "codex", "--json", path=str(tmp_path), CODEX_API_KEY="x")
    found = json.loads(done.stdout)
    assert (done.returncode, found["status"]) == (0, "ok")
    assert found["warnings"][0].startswith("codex is 9.8.7, and ")
    assert "`mittelo lock --verify codex`" in found["warnings"][0]


def test_a_folder_says_what_it_takes_the_place_of(tmp_path: Path) -> None:
    script = tmp_path / "backends/gemini/run"
    script.parent.mkdir(parents=True)
    script.write_text("cat\n")
    done = check("--backend", "gemini")
    assert done.returncode == 0
    assert f"{script}, in place of the built-in one" in done.stdout


def test_an_unknown_backend_is_answered_with_the_nearest() -> None:
    done = check("--backend", "gemni")
    assert done.returncode == 2
    assert "Did you mean gemini" in done.stderr
