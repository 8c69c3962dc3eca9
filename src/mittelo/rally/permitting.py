"""What the runs of a relay may do, the environment that they get, and the walls around them."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mittelo.config.load import Configuration, environment
from mittelo.config.paths import DataPaths
from mittelo.config.schema import SandboxTable
from mittelo.core.policies import DEFAULT_WORK, Network, Policy
from mittelo.core.records import RelayRecord
from mittelo.errors import MitteloError, UsageError
from mittelo.files import write_whole
from mittelo.harness.base import Harness
from mittelo.programs import path_without
from mittelo.repo.git import Confinement, Repository
from mittelo.repo.workspace import Workspace
from mittelo.sandbox.bubblewrap import arguments, bubblewrap, require_bubblewrap
from mittelo.sandbox.enclosing import Ground, furnish, walls_of
from mittelo.sandbox.permits import Permit, permit_of
from mittelo.sandbox.surroundings import INSIDE, isolated, make_home, whole

TEMPORARY = "tmp"
"""The folder in a try's scratch that a sandboxed agent has for its /tmp."""

_IDENTITY = {
    "user.name": ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"),
    "user.email": ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"),
}
"""What git would find in the user's home, which a sandboxed agent does not see."""


class _Kept(Struct):
    relay: int
    policy: str
    sandboxed: bool


def wished(table: SandboxTable, policy: str, *, sandbox: bool | None) -> Permit:
    """Return what a new relay may do, by the command line and the configuration."""
    return permit_of(table, DEFAULT_WORK, works=True, policy=policy, sandbox=sandbox)


def permit_for(relay: RelayRecord, table: SandboxTable) -> Permit:
    """Return what a relay may do, as its record says.

    Programs of the workspace are on the PATH of its agents, and in a sandbox not on ours.
    """
    return Permit(
        path=os.environ.get("PATH", "") if relay.sandboxed else "",
        policy=_policy(relay.policy),
        asked=bool(relay.policy),
        works=True,
        sandboxed=relay.sandboxed,
        table=table,
    )


def _policy(word: str) -> Policy:
    try:
        return Policy(word) if word else DEFAULT_WORK
    except ValueError as error:
        raise MitteloError(
            f"The record of the relay names a policy {word!r}, which there is not.",
            "Name one with --policy, or start anew with --new.",
        ) from error


def tighten(relay: RelayRecord, data: DataPaths) -> None:
    """Hold a relay that goes on to what its workspace's last one was started with.

    Its record lies in the workspace, where an agent could have changed it; this does not.
    """
    with suppress(FileNotFoundError):
        kept = msgspec.json.decode(data.permit.read_bytes(), type=_Kept)
        relay.sandboxed = relay.sandboxed or kept.sandboxed
        policies = [_policy(word) for word in (relay.policy, kept.policy) if word]
        if kept.relay == relay.id:
            relay.policy = kept.policy
        elif policies:
            relay.policy = min(policies, key=[*Policy].index)


def remember(relay: RelayRecord, data: DataPaths) -> None:
    """Keep what a relay was started with out of the reach of its agents."""
    kept = _Kept(relay.id, relay.policy, relay.sandboxed)
    write_whole(data.permit, msgspec.json.encode(kept), mode=0o600)


def distrust(folder: Path) -> None:
    """Take what lies in a folder from our own PATH: its programs could be an agent's."""
    os.environ["PATH"] = path_without(os.environ.get("PATH", os.defpath), [folder])


def require_permit(
    permit: Permit,
    names: Iterable[str],
    configuration: Configuration,
    workspace: Workspace,
    *,
    queue: bool,
) -> None:
    """Raise where a relay cannot be kept to what it may do."""
    if queue and not permit.writes:
        raise UsageError(
            f"Who works a queue needs a shell, which the policy {permit.policy} does not give.",
            "Use --policy write, or --no-laps.",
        )
    for name in sorted(names):
        permit.tools(configuration.harnesses[name])
        permit.require_network(configuration.harnesses[name], environment())
    if permit.sandboxed:
        require_bubblewrap(workspace.root)


def require_apart(permit: Permit, workspace: Workspace, data: DataPaths) -> None:
    """Raise where sandboxed agents could write what we keep of them."""
    if permit.sandboxed and data.base.resolve().is_relative_to(workspace.root.resolve()):
        raise UsageError(
            f"The data directory {data.base} lies where sandboxed agents write.",
            "Set data_dir to a folder outside of the repository, or unset it.",
        )


def environment_for(
    permit: Permit, harness: Harness | None, data: DataPaths, git: Repository | None
) -> dict[str, str]:
    """Return the environment of a relay's agents; sandboxed ones share a home of their own."""
    if not permit.sandboxed:
        return whole(environment(), harness)
    env = isolated(environment(), data.home, harness, permit.table.variables)
    identity = {
        name: value
        for key, names in _IDENTITY.items()
        if git and (value := git.setting(key))
        for name in names
        if not env.get(name)
    }
    return env | identity | INSIDE | ({"PATH": permit.path} if permit.path else {})


def ground_of(workspace: Path, data: DataPaths, scratch: Path, beside: Iterable[Path]) -> Ground:
    """Return where a sandboxed try takes place; `beside` is what else it may write."""
    return Ground(
        workspace=workspace,
        home=data.home,
        real_home=Path.home(),
        temporary=scratch / TEMPORARY,
        lending=scratch / "lent",
        beside=[scratch, *beside],
    )


def confine(workspace: Workspace, permit: Permit, data: DataPaths) -> None:
    """Let git run in this workspace as sandboxed agents do, but without a network.

    They can leave settings and filters there by which git would start programs of theirs.
    """
    git = workspace.repository
    if git is None:
        return
    git.confinement = None
    if not permit.sandboxed:
        return
    table = replace(permit.table, network=Network.NONE, home_files=[], logins=[])
    permit = replace(permit, policy=Policy.WRITE, table=table)
    env = environment_for(permit, None, data, git)
    scratch = data.relays / "git"
    make_home(env)
    (scratch / TEMPORARY).mkdir(mode=0o700, parents=True, exist_ok=True)
    place = ground_of(workspace.root, data, scratch, ())
    furnish(permit.table, place)
    walls = walls_of(permit, None, place, ["git"], env)
    git.confinement = Confinement([bubblewrap(walls.folders), *arguments(walls)], env)


def tools_path(data: DataPaths, env: Mapping[str, str]) -> str:
    """Return a PATH on which agents find our commands first."""
    return f"{data.tools}{os.pathsep}{env.get('PATH', os.defpath)}"
