"""Set keys of an agent's JSON settings file for the length of a try, and put them back."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mittelo.errors import MitteloError
from mittelo.files import write_whole
from mittelo.harness.base import JsonKey
from mittelo.log import warn

LOCK_POLL_SECONDS = 0.5
_ABSENT = "\0absent"


@contextlib.contextmanager
def placed(
    settings: tuple[JsonKey, ...], home: Path, give_up: Callable[[], bool] = lambda: False
) -> Iterator[bool]:
    """Hold the settings as given while the body runs, alone among our processes.

    Yields whether that could be had: waiting for another process ends when `give_up` says so.
    What was there before is kept in a file beside each until it is put back, so that a crash of
    ours is mended the next time. A key that somebody else changed meanwhile stays as it is.
    """
    with contextlib.ExitStack() as stack:
        had = all(
            stack.enter_context(_placed(wanted, home / wanted.path, give_up)) for wanted in settings
        )
        yield had


@contextlib.contextmanager
def _placed(wanted: JsonKey, path: Path, give_up: Callable[[], bool]) -> Iterator[bool]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = path.with_name(f".{path.name}.mittelo-kept")
    lock = FileLock(f"{path}.mittelo-lock")
    if not _acquired(lock, give_up):
        yield False
        return
    with contextlib.ExitStack() as undoing:
        undoing.callback(lock.release)
        undoing.callback(_put_back, path, kept)
        _put_back(path, kept)
        before = _read(path).get(wanted.key, _ABSENT)
        if before != wanted.value:
            told = json.dumps([wanted.key, before, wanted.value])
            write_whole(kept, told.encode(), mode=0o600)
            _set(path, wanted.key, wanted.value)
        yield True


def _acquired(lock: FileLock, give_up: Callable[[], bool]) -> bool:
    while not give_up():
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=LOCK_POLL_SECONDS)
            return True
        warn(f"another process uses {lock.lock_file}; waiting for it.")
    return False


def _put_back(path: Path, kept: Path) -> None:
    """Undo what a kept file tells of, unless the key was changed since."""
    if not kept.exists():
        return
    key, before, ours = json.loads(kept.read_text())
    if _read(path).get(key, _ABSENT) == ours:
        _set(path, key, before)
    kept.unlink()


def _set(path: Path, key: str, value: object) -> None:
    held = _read(path)
    if value == _ABSENT:
        held.pop(key, None)
    else:
        held[key] = value
    if not held:
        path.unlink(missing_ok=True)
        return
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    write_whole(path, (json.dumps(held, indent=2) + os.linesep).encode(), mode=mode)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists() or not path.read_text().strip():
        return {}
    try:
        held = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise MitteloError(
            f"{path} is not valid JSON: {error}.", "Mend it, or take the model out of the mix."
        ) from error
    if not isinstance(held, dict):
        raise MitteloError(f"{path} does not hold a JSON object.", "Mend it by hand.")
    return held
