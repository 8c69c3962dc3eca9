"""What the doctor looks at everywhere, also where there is no agent CLI, as in CI."""

import errno
import platform
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from mittelo.answering.asking import ask
from mittelo.config.load import environment
from mittelo.config.paths import crash_folder, data_paths, worker_state
from mittelo.errors import MitteloError
from mittelo.proving.checks import Check, check
from mittelo.proving.localhost import localhost_trouble
from mittelo.proving.lock import version_number
from mittelo.sandbox.bubblewrap import PROGRAM, require_bubblewrap

OLDEST_PYTHON = (3, 11)
GIT_SECONDS = 4.0
LEAST_BYTES = 500_000_000


def core_checks() -> list[Callable[[], Check]]:
    """Return what is to be looked at; each can be done beside the others."""
    return [_python, _git, _localhost, _hub_state, _rally_data, _here, _disk, _sandbox]


def _python() -> Check:
    version = platform.python_version()
    old = sys.version_info < OLDEST_PYTHON
    problem = f"Python {version} is too old: install 3.11 or newer." if old else ""
    detail = f"SQLite {sqlite3.sqlite_version}"
    return check(
        "python", problem, which=sys.executable, version=version, version_rc=0, detail=detail
    )


def _git() -> Check:
    which = shutil.which("git")
    if which is None:
        return check("git", "git is not on the PATH: install it.")
    said = ask([which, "--version"], environment(), GIT_SECONDS)
    problem = "" if said.code == 0 else f"git --version fails ({said.why}): install git again."
    version = version_number(said.out)
    return check("git", problem, which=which, version=version, version_rc=said.code)


def _localhost() -> Check:
    trouble = localhost_trouble()
    todo = "Allow this process to listen there (a sandbox may forbid it); hubs cannot run without."
    return check("localhost", f"{trouble}. {todo}" if trouble else "", detail="127.0.0.1")


def _hub_state() -> Check:
    return _writable("state folder", worker_state())


def _rally_data() -> Check:
    return _writable("data folder", data_paths(Path.cwd(), "").base)


def _here() -> Check:
    return _writable("current folder", Path.cwd())


def _disk() -> Check:
    place = _existing(crash_folder())
    free = shutil.disk_usage(place).free
    detail = f"{free / 1e9:.1f} GB free at {place}"
    few = free < LEAST_BYTES
    return check("disk space", f"Only {detail}: make room." if few else "", detail=detail)


def _sandbox() -> Check:
    """Tell whether runs can be sandboxed, which only those who ask for it need."""
    which = shutil.which(PROGRAM)
    try:
        require_bubblewrap()
    except MitteloError as error:
        return Check(name="sandbox", which=which, detail=f"{error.what} {error.todo}")
    return Check(name="sandbox", which=which, detail="runs can be sandboxed (--sandbox)")


def _writable(name: str, folder: Path) -> Check:
    """Write into a folder, or into the one in which it would be made; nothing stays there."""
    place = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"x")
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        todo = "make room" if full else "let yourself write there, or name another folder"
        return check(name, f"{place} cannot be written ({error.strerror}): {todo}.")
    return check(name, detail=str(folder))


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
