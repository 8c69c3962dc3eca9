"""Lanes and texts for the usual roles: `rally init roles`."""

import itertools
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec.structs import replace

from mittelo.config.edit import set_value
from mittelo.config.load import Configuration, load_configuration
from mittelo.config.mixing import mix_slots
from mittelo.core.mixes import Quota
from mittelo.log import warn
from mittelo.rally.roles import Synced, sync_roles
from mittelo.rally.roster import DEFAULT
from mittelo.rally.setup import commit_ours
from mittelo.repo.workspace import Workspace

BEST = {
    "default": ("op", "cc", "cx", "ge", "ag"),
    "junior": ("op", "cc", "cx", "ge", "ag"),
    "senior": ("cc", "cx", "op", "ge", "ag"),
    "ui": ("ge", "ag", "cc", "op", "cx"),
    "verify": ("cx", "cc", "ge", "op", "ag"),
    "recovery": ("cc", "cx", "op", "ge", "ag"),
}
"""Whom each role prefers; a lane takes the first two that are installed."""


def set_up_roles(workspace: Workspace, file: Path) -> Iterator[str]:
    """Add the lanes and texts that are missing, telling what was done; nothing is replaced."""
    dirty = _dirty(workspace)
    synced = sync_roles(workspace, create=True)
    configuration = load_configuration(workspace.paths)
    configuration.warn_of_version()
    present = {role.strip().casefold() for role in configuration.settings.routes}
    missing = [role for role in BEST if role not in present]
    for role in missing:
        lane = lane_for(role, configuration)
        set_value(workspace.paths, file, ("routes", role), ", ".join(lane))
        yield f"{role}: {', then '.join(lane)}"
    if missing:
        synced.append(Synced(f"wrote the lanes into {file}", (file,)))
    else:
        yield f"no lane was missing, {file} is as it was"
    yield from (one.word for one in synced)
    _commit(workspace, synced, dirty, "rally: set up roles")


def update_roles(workspace: Workspace) -> list[str]:
    """Bring the managed role files up to date, in a commit of their own; tell what was done."""
    if not workspace.paths.agents.is_dir():
        return []
    dirty = _dirty(workspace)
    synced = sync_roles(workspace)
    _commit(workspace, synced, dirty, "rally: update role files")
    return [one.word for one in synced]


def _dirty(workspace: Workspace) -> set[Path]:
    git = workspace.repository
    return {workspace.root / path for path in git.changes()} if git else set()


def _commit(workspace: Workspace, synced: Iterable[Synced], dirty: set[Path], message: str) -> None:
    """Commit what we did to files that had no changes of the user's."""
    inside = [path for one in synced if not dirty & {*one.paths} for path in one.paths]
    ours = [path for path in inside if path.is_relative_to(workspace.root)]
    if ours:
        commit_ours(workspace, ours, ours, message)


def lane_for(role: str, configuration: Configuration) -> list[str]:
    """Return the agents of a new lane: two that are installed, where two are."""
    if role == DEFAULT and configuration.settings.defaults.mix.strip():
        return _mix_as_lane(configuration)
    best = BEST[role]
    here = [word for word in best if shutil.which(configuration.harnesses[word].binary)]
    if not here:
        warn("no agent CLI that rally knows is installed; the lanes name what to install.")
        return [*best[:2]]
    if len(here) == 1:
        warn(f"only {here[0]} is installed: the lanes have no fallback.")
    return here[:2]


def _mix_as_lane(configuration: Configuration) -> list[str]:
    """Return the default mix of the user as entries of a lane, which takes its place."""
    slots = mix_slots(configuration.settings.defaults.mix, configuration.catalogue)
    runs = [(slot, len([*same])) for slot, same in itertools.groupby(slots)]
    return [str(replace(slot, quota=Quota(count, count))) for slot, count in runs]
