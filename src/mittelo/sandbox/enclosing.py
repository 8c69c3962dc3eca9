"""Put up the walls of one run: what it may read and write, and whom it may reach."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from mittelo.config.schema import SandboxTable
from mittelo.core.endpoints import endpoints_of, proxies
from mittelo.core.policies import Network
from mittelo.harness.base import Harness
from mittelo.programs import path_without
from mittelo.sandbox.permits import Permit
from mittelo.sandbox.walls import Walls, is_in, outermost, programs

_GUARDED = (".rally/config.toml", ".laps/hooks.json")
_GUARDED_GIT = ("config", "config.worktree", "hooks")
"""What is run outside of the sandbox later on, by git or by us: an agent must not write it."""

_ANCHORED = (".git", ".rally", ".rally/state", ".laps")
"""Folders that hold it: mounted for themselves, so that they cannot be moved out of the way."""


class Ground(Struct, frozen=True, kw_only=True):
    """Where a run takes place: `home` is its own, `beside` what else is its own and writable.

    `readable` are folders that it needs to see, `lending` is one for copies that it is given.
    """

    workspace: Path
    home: Path
    real_home: Path
    temporary: Path
    lending: Path
    beside: Sequence[Path] = ()
    readable: Sequence[Path] = ()


def walls_of(
    permit: Permit,
    harness: Harness | None,
    ground: Ground,
    argv: Sequence[str],
    env: Mapping[str, str],
) -> Walls:
    """Return the walls that a permit puts around a run."""
    table, home, network = permit.table, ground.real_home, Network(permit.table.network)
    known = harness.endpoints(env) if harness else []
    git = _git_folders(ground.workspace)
    place = [str(ground.workspace), *map(str, git)]
    writable = [ground.workspace, ground.home, *ground.beside]
    path = path_without(env.get("PATH", ""), writable)
    readable = [place for place in programs(argv[0], path) if not is_in(str(home), [place])]
    readable += [*map(str, ground.readable), *(_at(home, word) for word in table.readable)]
    folders = [str(ground.home), *map(str, ground.beside)]
    if permit.writes:
        anchored = [ground.workspace / name for name in _ANCHORED]
        folders += [*place, *(str(path) for path in anchored if path.is_dir())]
        folders += [_at(home, word) for word in table.writable]
    reached = [*known, *table.hosts, *proxies(env)]
    return Walls(
        workspace=str(ground.workspace),
        readable=outermost(readable if permit.writes else [*readable, *place]),
        folders=[*dict.fromkeys(folders)],
        temporary=str(ground.temporary),
        guarded=_guarded(ground.workspace, git) if permit.writes else [],
        lent=_lent(table, ground),
        cut_off=network is not Network.OPEN,
        endpoints=endpoints_of(reached) if network is Network.MODEL else [],
    )


def _at(home: Path, word: str) -> str:
    return str(home / word[2:]) if word.startswith("~/") else word


def furnish(table: SandboxTable, ground: Ground) -> None:
    """Copy what a run is given of the user's home; what it does to the copies is lost.

    Where git has no folder for hooks it gets one, for that to be guarded.
    """
    for folder in _git_folders(ground.workspace) or [ground.workspace / ".git"]:
        if folder.is_dir():
            (folder / "hooks").mkdir(exist_ok=True)
    for name in table.home_files:
        source, copy = ground.real_home / name, ground.lending / name
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, symlinks=True, dirs_exist_ok=True)
        elif source.exists():
            shutil.copyfile(source, copy)


def _lent(table: SandboxTable, ground: Ground) -> dict[str, str]:
    """Return what is seen in the run's home of the user's: copies, and logins as they are."""
    copies = {name: ground.lending / name for name in table.home_files}
    themselves = {name: ground.real_home / name for name in table.logins}
    return {
        str(ground.home / name): str(source)
        for name, source in (copies | themselves).items()
        if (ground.real_home / name).exists()
    }


def _guarded(workspace: Path, git: Sequence[Path]) -> list[str]:
    """Return what is read-only; the folder of hooks is made before a run, where git has none."""
    inside = workspace / ".git"
    folders = git or [inside] if inside.exists() else []
    named = [folder / name for folder in folders for name in _GUARDED_GIT]
    named += [inside] if git else []
    found = [*named, *(workspace / name for name in _GUARDED)]
    return [str(path) for path in found if path.exists() or path.name == "hooks"]


def _git_folders(workspace: Path) -> list[Path]:
    """Return where git keeps a linked work tree: its private folder and the common one."""
    try:
        told = (workspace / ".git").read_text()
        private = workspace / told.removeprefix("gitdir:").strip()
        common = private / (private / "commondir").read_text().strip()
    except (OSError, UnicodeDecodeError):
        return []
    return [common.resolve()]
