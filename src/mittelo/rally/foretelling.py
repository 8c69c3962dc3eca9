"""What a relay would start, and what that may do: `rally start --explain`. Nothing is changed."""

from msgspec.structs import replace

from mittelo.config.load import Configuration, load_configuration
from mittelo.config.paths import data_paths
from mittelo.core.records import RelayRecord
from mittelo.harness.base import Job
from mittelo.rally.desk import find_desk
from mittelo.rally.lanes import harnesses_of, relay_lanes
from mittelo.rally.permitting import (
    environment_for,
    ground_of,
    permit_for,
    require_permit,
    tools_path,
)
from mittelo.rally.start import Wish, new_relay
from mittelo.repo.workspace import Workspace
from mittelo.sandbox.enclosing import walls_of
from mittelo.sandbox.explaining import explanation


def explained(workspace: Workspace, wish: Wish) -> str:
    """Return what the tries of a new relay may do, and the command of each of its runners."""
    workspace.require_init()
    configuration = load_configuration(workspace.paths)
    configuration.require_sound(lanes=False)
    relay = new_relay(workspace, replace(wish, iterations=wish.iterations or 1), configuration)
    lane, others = relay_lanes(relay, configuration, lambda _: True)
    names, permit = harnesses_of(lane, others), permit_for(relay, configuration.settings.sandbox)
    require_permit(permit, names, configuration, workspace, queue=relay.queue)
    lanes = [lane, *(track.lane for track in others.values())]
    runners = [*dict.fromkeys(key for each in lanes for key in each.everyone)]
    said = [_runner(workspace, configuration, relay, *key) for key in runners]
    return "\n\n".join(said)


def _runner(
    workspace: Workspace, configuration: Configuration, relay: RelayRecord, name: str, model: str
) -> str:
    harness = configuration.harnesses[name]
    permit = permit_for(relay, configuration.settings.sandbox)
    data = data_paths(workspace.root, configuration.settings.data_dir)
    env = environment_for(permit, harness, data, workspace.repository)
    scratch = data.scratch(0)
    job = Job(
        prompt="PROMPT",
        workspace=str(workspace.root),
        model=model,
        effort=relay.effort,
        scratch=str(scratch),
        env=env,
        tools=permit.tools(harness),
    )
    command = harness.command(job)
    env |= command.env | {"PATH": tools_path(data, env)}
    walls = None
    if permit.sandboxed:
        desk = find_desk(workspace.root, "") if relay.queue else None
        place = ground_of(workspace.root, data, scratch, [desk.place.folder] if desk else [])
        walls = walls_of(permit, harness, place, command.argv, env)
    told = explanation(permit, harness, str(workspace.root), command, env, walls)
    return f"{name}{f' with {model}' if model else ''}\n{told}"
