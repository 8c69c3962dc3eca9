"""Set keys of an agent's JSON settings file for the length of a try, and put them back."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock

from mittelo.errors import MitteloError
from mittelo.files import write_whole
from mittelo.harness.base import JsonKey

_ABSENT = "\0absent"


@contextlib.contextmanager
def placed(settings: tuple[JsonKey, ...], home: Path) -> Iterator[None]:
    """Hold the settings as given while the body runs, alone among our processes.

    What was there before is kept in a file beside each until it is put back, so that a crash of
    ours is mended the next time. A key that somebody else changed meanwhile stays as it is.
    """
    with contextlib.ExitStack() as stack:
        for wanted in settings:
            stack.enter_context(_placed(wanted, home / wanted.path))
        yield


@contextlib.contextmanager
def _placed(wanted: JsonKey, path: Path) -> Iterator[None]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = path.with_name(f".{path.name}.mittelo-kept")
    with FileLock(f"{path}.mittelo-lock"):
        _put_back(path, kept)
        before = _read(path).get(wanted.key, _ABSENT)
        if before == wanted.value:
            yield
            return
        write_whole(kept, json.dumps([wanted.key, before, wanted.value]).encode(), mode=0o600)
        _set(path, wanted.key, wanted.value)
        try:
            yield
        finally:
            _put_back(path, kept)


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
