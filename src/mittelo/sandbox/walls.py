"""What one sandboxed run sees of this machine: which folders, writable or not, and which hosts."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

import mittelo
from mittelo.core.endpoints import Endpoint

SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt"),
    *("/nix", "/gnu", "/snap", "/run/current-system"),
)
_BINARIES = ("bin", "sbin")
_BESIDE = ("lib", "lib64", "libexec", "share/man", "pyvenv.cfg")
"""What a program in a folder `bin` may need of the folder above."""


class Walls(Struct, frozen=True, kw_only=True):
    """A sandbox: `folders` are its own and writable, all else is seen as it is and no more.

    `guarded` is read-only all the same; `lent` are files, by where they are seen.
    `cut_off`: it has a network of its own, that leads to the endpoints alone.
    """

    workspace: str
    readable: list[str] = []
    folders: list[str] = []
    temporary: str
    guarded: list[str] = []
    lent: dict[str, str] = {}
    cut_off: bool = False
    endpoints: list[Endpoint] = []


def programs(program: str, path: str) -> list[str]:
    """Return the folders of all programs on a PATH, of ours, and of what is started."""
    places = [Path(folder) for folder in path.split(os.pathsep) if folder]
    started = [Path(there)] if (there := shutil.which(program, path=path)) else []
    ours = [Path(mittelo.__file__).parent, Path(sys.prefix), Path(sys.base_prefix)]
    found = [*ours, *(near for place in places for near in _installed(place))]
    for start in (*started, *(link for place in places for link in _links(place))):
        found += [near for step in _steps(start) for near in _package(step)]
    return outermost(str(folder) for folder in found if folder.exists())


def outermost(paths: Iterable[str]) -> list[str]:
    """Return these paths without those that lie in another, or in the system's folders."""
    kept: list[str] = []
    for path in sorted({os.path.normpath(path) for path in paths}):
        if not is_in(path, (*SYSTEM, *kept)) and path != "/":
            kept.append(path)
    return kept


def is_in(path: str, folders: Iterable[str]) -> bool:
    """Tell whether a path is one of these folders, or lies in one."""
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _links(place: Path) -> Iterator[Path]:
    if is_in(str(place), SYSTEM):
        return
    try:
        yield from (entry for entry in place.iterdir() if entry.is_symlink())
    except OSError:
        return


def _steps(program: Path) -> Iterator[Path]:
    """Yield where each link on the way to a program leads."""
    for _ in range(40):
        if not program.is_symlink():
            break
        program = Path(os.path.normpath(program.parent / program.readlink()))
        yield program
    yield program.resolve()


def _package(file: Path) -> Iterator[Path]:
    """Yield what a program is likely to need that is more than a file."""
    parts = file.parts
    if "node_modules" in parts:
        yield Path(*parts[: parts.index("node_modules") + 1])
    else:
        yield file
        if file.parent.name in _BINARIES:
            yield from _installed(file.parent)


def _installed(place: Path) -> Iterator[Path]:
    yield place
    if place.name in _BINARIES:
        yield from (place.parent / name for name in _BESIDE)
