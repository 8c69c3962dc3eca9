"""The folder `.laps` itself: its lock, the paths below it, and a change that was cut off."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from mittelo.laps.refusals import RefusedError, StoreError
from mittelo.log import warn

REDO_FILE = ".redo"
WORD_SECONDS = 1.0
PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.002
MOST_POLL_SECONDS = 0.02

Contents = dict[str, bytes | None]
"""What files hold, by their names below the folder; None: they are not there."""


class Step(Struct):
    """A file of a change: what it held, and what it will hold."""

    before: bytes | None
    after: bytes | None


class Redo(Struct):
    """A change of several files, in `.redo` from before the first one until after the last."""

    version: int
    files: dict[str, Step]


def inside(folder: Path, name: str) -> Path:
    """Return the real path of a file below the folder; refuse one that leads out of it."""
    top = folder.resolve()
    path = Path(os.path.realpath(top / name))
    if path == top or not path.is_relative_to(top):
        raise RefusedError(f"{name} leads out of {folder}.", "Name a file inside it.")
    return path


def read(path: Path) -> bytes | None:
    """Return what a file holds, None if it is not there."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError as error:
        raise StoreError(f"{path} is a folder.", "Move it away, then try again.") from error


def pending(folder: Path) -> Contents | None:
    """Return what a change that was cut off must still put in place.

    None if somebody else has changed those files since: then nothing of it is put in place.
    """
    raw = read(folder / REDO_FILE)
    if raw is None:
        return {}
    try:
        redo = msgspec.json.decode(raw, type=Redo)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    left: Contents = {}
    for name, step in redo.files.items():
        if read(inside(folder, name)) not in {step.before, step.after}:
            return None
        left[name] = step.after
    return left


@contextlib.contextmanager
def locked(folder: Path, how: int) -> Iterator[None]:
    """Hold the lock on a folder; for a change, the folder is made."""
    handle = _acquire(folder, how)
    try:
        yield
    finally:
        os.close(handle)


def _acquire(folder: Path, how: int) -> int:
    began = time.monotonic()
    pause = POLL_SECONDS
    while True:
        if how == fcntl.LOCK_EX:
            _make(folder)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if _try_lock(handle, how, folder) and _is_still(folder, handle):
            return handle
        os.close(handle)
        waited = time.monotonic() - began
        if waited > WORD_SECONDS:
            warn(f"waiting for another process that changes {folder}")
        if waited > PATIENCE_SECONDS:
            raise StoreError(
                f"Another process holds {folder} for {waited:.0f} s, and does not let go.",
                "End it, then try again.",
            )
        time.sleep(pause * (1 + os.getpid() % 16 / 16))  # so that waiters do not meet
        pause = min(MOST_POLL_SECONDS, pause * 1.5)


def _try_lock(handle: int, how: int, folder: Path) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if how == fcntl.LOCK_SH:  # the file system knows no locks, but can be read
            return True
        os.close(handle)
        raise StoreError(f"{folder} cannot be locked: {error.strerror}.") from error
    return True


def _is_still(folder: Path, handle: int) -> bool:
    """Tell whether the folder that we locked is not one that was removed meanwhile."""
    try:
        return os.path.samestat(folder.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o755, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder} cannot be made: {error.strerror}.") from error
