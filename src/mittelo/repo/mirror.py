"""A second name for each record, where the agents' git cannot reach it.

`git clean -fdx` removes `.rally/state`; an agent may well run it. Hard links in git's own folder
keep the records, at no cost: an appended line is in both.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path


def keep(files: Iterable[Path], folder: Path) -> None:
    """Give each file its second name in the folder, where the file system can do that."""
    if not folder.is_dir():
        return
    for file in files:
        second = folder / file.name
        with contextlib.suppress(OSError):
            if file.exists() and not (second.exists() and second.samefile(file)):
                fresh = folder / f".{file.name}.new"
                fresh.unlink(missing_ok=True)
                os.link(file, fresh)
                fresh.replace(second)


def restore(files: Iterable[Path], folder: Path) -> list[str]:
    """Bring back files that are gone, and return their names."""
    back: list[str] = []
    for file in files:
        second = folder / file.name
        if second.exists() and not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(OSError):
                os.link(second, file)
                back.append(file.name)
    return back


def drop(files: Iterable[Path], folder: Path) -> None:
    """Remove the second names of files."""
    for file in files:
        (folder / file.name).unlink(missing_ok=True)
