"""What one run of a backend comes to before it starts: its command, environment and walls."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mittelo.answering.backends import Agent, Backend, Echo, Folder
from mittelo.answering.launching import child_environment, command_of, harness_of
from mittelo.config.load import environment
from mittelo.core.policies import Policy
from mittelo.harness.base import Command
from mittelo.sandbox.bubblewrap import require_bubblewrap
from mittelo.sandbox.enclosing import Ground, furnish, walls_of
from mittelo.sandbox.explaining import explanation
from mittelo.sandbox.permits import Permit
from mittelo.sandbox.surroundings import HOME_VARIABLE, INSIDE
from mittelo.sandbox.walls import Walls

WORKDIR_VARIABLE = "MITTELO_SUBPROCESS_WORKDIR"


class Place(Struct, frozen=True, kw_only=True):
    """Where a run takes place; `scratch` is a folder of its own, `home` "" the usual one."""

    cwd: str
    home: str
    scratch: Path

    @property
    def own(self) -> Path:
        """Return the folder that the CLI may use."""
        return self.scratch / "own"

    @property
    def temporary(self) -> Path:
        """Return its folder for what does not last."""
        return self.scratch / "tmp"

    @property
    def lending(self) -> Path:
        """Return its folder for copies of the user's files."""
        return self.scratch / "lent"

    @property
    def prompt(self) -> Path:
        """Return the file that holds the prompt."""
        return self.scratch / "prompt"


class Prepared(Struct, frozen=True, kw_only=True):
    """All that is needed to start a run; without walls it is not sandboxed."""

    permit: Permit
    command: Command
    env: dict[str, str]
    cwd: str
    ground: Ground | None = None
    walls: Walls | None = None


def prepare(
    backend: Backend, prompt: str, permit: Permit, place: Place, given: Mapping[str, str]
) -> Prepared:
    """Prepare a run; raises where it cannot be kept to what it may do."""
    harness = harness_of(backend)
    permit, cwd = _trusted(backend, permit, place.cwd)
    tools = permit.tools(harness)
    home = place.home or environment().get(HOME_VARIABLE, "")
    if permit.sandboxed:
        home = home or str(place.scratch / "home")
    env = child_environment(backend, home) | dict(given)
    command = command_of(backend, prompt, cwd, str(place.own), env, tools)
    env |= command.env
    if not permit.sandboxed:
        return Prepared(permit=permit, command=command, env=env, cwd=cwd)
    env |= INSIDE
    ground = Ground(
        workspace=Path(cwd).resolve(),
        home=Path(env["HOME"]),
        real_home=Path.home(),
        temporary=place.temporary,
        lending=place.lending,
        beside=[place.own],
        readable=[place.prompt, *([backend.script.parent] if isinstance(backend, Folder) else ())],
    )
    walls = walls_of(permit, harness, ground, command.argv, env)
    return Prepared(permit=permit, command=command, env=env, cwd=cwd, ground=ground, walls=walls)


def require_kept(backend: Backend, permit: Permit, cwd: Path) -> None:
    """Raise where a backend cannot be kept to what its runs may do."""
    if not isinstance(backend, Echo):
        permit.tools(harness_of(backend))
        permit.require_network(harness_of(backend), environment())
        if permit.sandboxed:
            require_bubblewrap(cwd)


def explain(backend: Backend, permit: Permit, cwd: str) -> str:
    """Return what a run of this backend may do, and the command that it comes to."""
    if isinstance(backend, Echo):
        return "echo starts no program: it answers with its prompt"
    place = Place(cwd=cwd, home="", scratch=Path(tempfile.gettempdir()) / "mittelo-RUN")
    prepared = prepare(backend, "PROMPT", permit, place, {})
    return explanation(
        prepared.permit,
        harness_of(backend),
        prepared.cwd,
        prepared.command,
        prepared.env,
        prepared.walls,
    )


def make_folders(prepared: Prepared, place: Place) -> None:
    """Create what the run finds of its own."""
    for folder in (place.own, place.temporary, Path(prepared.cwd)):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if prepared.ground:
        furnish(prepared.permit.table, prepared.ground)


def _trusted(backend: Backend, permit: Permit, cwd: str) -> tuple[Permit, str]:
    """Return what a backend may do, and where, that a variable of its own trusts with all.

    In a sandbox that is all of what can be done there.
    """
    env = environment()
    trust = backend.harness.trust_variable if isinstance(backend, Agent) else ""
    if permit.asked or env.get(trust) != "1":
        return permit, cwd
    folder = env.get(WORKDIR_VARIABLE) or f"{cwd}/.mittelo/work/{backend.names[0]}"
    policy = Policy.WRITE if permit.sandboxed else Policy.FULL
    return replace(permit, policy=policy), str(Path(folder).absolute())
