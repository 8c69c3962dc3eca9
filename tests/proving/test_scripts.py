"""The scripts of a checkout run without an installation, from its root, by any Python."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from standins import Machine

from mittelo.config.paths import cli_locks

ROOT = cli_locks()[-1].parents[1]
SCRIPTS = {
    "doctor.py": ["--core"],
    "run_system_tests.py": ["--backend", "echo", "--prompt", "Say hello"],
    "run_backend_matrix.py": ["--include", "echo"],
    "run_pair_smoke.py": ["--backend-a", "echo", "--backend-b", "echo"],
    "verify_cli_drivers.py": ["--backend", "kiro"],
}


def run(root: Path, script: str, *words: str, path: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *(["-S"] if path == "bare" else []), f"scripts/{script}", *words],
        cwd=root,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(machine: Machine) -> Path:
    for part in ("scripts", "src"):
        (machine.work / part).symlink_to(ROOT / part)
    return machine.work


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_does_its_work(checkout: Path, script: str) -> None:
    done = run(checkout, script, *SCRIPTS[script])
    assert done.returncode == 0, done.stderr + done.stdout


def test_without_dependencies_they_say_what_to_do(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", BARE, str(tmp_path / "scripts/doctor.py")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "uv pip install -e '.[dev]'" in done.stderr


BARE = """
import os, runpy, sys
execve = os.execve
os.execve = lambda python, words, env: execve(python, [python, "-I", "-S", *words[2:]], env)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0])
"""
"""Starts a script, and the Python that this becomes, without any site-packages."""
