"""Find programs, but never one that an agent could have put where it works."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path


def find_program(name: str, outside: Iterable[Path]) -> str | None:
    """Return the first program of this name on the PATH that lies in none of these folders."""
    return shutil.which(name, path=path_without(os.environ.get("PATH", os.defpath), outside))


def path_without(path: str, folders: Iterable[Path]) -> str:
    """Return a PATH without what lies in these folders, and without relative ones."""
    barred = [folder.resolve() for folder in folders]
    kept = [place for place in path.split(os.pathsep) if _is_apart(Path(place), barred)]
    return os.pathsep.join(kept)


def _is_apart(place: Path, barred: list[Path]) -> bool:
    if not place.is_absolute():
        return False
    spellings = (place.resolve(), Path(os.path.normpath(place)))
    return not any(each.is_relative_to(folder) for each in spellings for folder in barred)
