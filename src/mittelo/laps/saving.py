"""Bring a change into the files: whole, even if we are killed in the middle of it.

A change of several files is written down first; whoever comes after a crash completes it.
"""

import contextlib
import os
import re
import time
from pathlib import Path

import msgspec

from mittelo.core.lapfiles import ARCHIVE
from mittelo.files import write_whole
from mittelo.laps.folder import REDO_FILE, Contents, Redo, Step, inside, pending, read
from mittelo.log import warn

OLD_SECONDS = 60.0
_HALF = re.compile(r"\.(.*\.jsonl?|claim|\.redo)\.[a-z0-9_]{8}")


def save(folder: Path, changes: Contents) -> None:
    """Bring files to what they must hold: all of them, or none as far as readers can tell."""
    if len(changes) < 2:
        return _apply(folder, changes)
    redo = folder / REDO_FILE
    before = {name: read(inside(folder, name)) for name in changes}
    steps = {name: Step(before[name], after) for name, after in changes.items()}
    write_whole(redo, msgspec.json.encode(Redo(1, steps)))
    _sync(folder)
    try:
        _apply(folder, changes)
    except OSError:
        _apply(folder, before)
        redo.unlink()
        raise
    redo.unlink()
    return _sync(folder)


def complete(folder: Path) -> None:
    """Complete a change that was cut off."""
    redo = folder / REDO_FILE
    left = pending(folder)
    if left is None:
        aside = folder / f"{REDO_FILE}.aside"
        redo.replace(aside)
        warn(f"A change was cut off, and its files were changed since; it is kept in {aside}.")
    elif left:
        _apply(folder, left)
        redo.unlink()
        _sync(folder)
    _sweep(folder)


def _apply(folder: Path, changes: Contents) -> None:
    """Write what is new before removing what is old, so that nothing is ever in no file."""
    touched = set()
    for name, held in sorted(changes.items(), key=lambda item: item[1] is None):
        path = inside(folder, name)
        touched.add(path.parent)
        if held is None:
            path.unlink(missing_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, held)
    for parent in touched:
        _sync(parent)


def _sweep(folder: Path) -> None:
    """Remove what writers that were killed left half written."""
    for place in (folder, folder / "stints", folder / ARCHIVE):
        for path in place.glob(".*"):
            with contextlib.suppress(OSError):
                if _HALF.fullmatch(path.name) and time.time() - path.stat().st_mtime > OLD_SECONDS:
                    path.unlink()


def _sync(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
