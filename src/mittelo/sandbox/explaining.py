"""Say what a run may do, who keeps it to that, and what exactly is started: for `--explain`."""

import shlex
from collections.abc import Iterator, Mapping

from mittelo.core.policies import Policy, Tools
from mittelo.harness.base import Command, Harness
from mittelo.sandbox.bubblewrap import enclosed
from mittelo.sandbox.permits import Permit
from mittelo.sandbox.surroundings import HOME_VARIABLE
from mittelo.sandbox.walls import Walls

_MAY = {
    Policy.NONE: "use no tools",
    Policy.READ: "read the workspace",
    Policy.WRITE: "read and write in the workspace",
    Policy.FULL: "do anything that you may do",
}
_TOOLS = {
    Tools.NONE: "none",
    Tools.READ: "what reads files; no shell",
    Tools.EDIT: "what reads and edits files; a shell only where the CLI itself confines it",
    Tools.ALL: "all of them, and no questions asked",
}


def explanation(
    permit: Permit,
    harness: Harness | None,
    cwd: str,
    command: Command,
    env: Mapping[str, str],
    walls: Walls | None,
) -> str:
    """Return, line by line, what one run may do and the command that it comes to.

    Of variables only the names are told.
    """
    told = [
        ("policy", f"{permit.policy}: it may {_MAY[permit.policy]}"),
        ("tools", _TOOLS[permit.tools(harness)] if harness else "whatever the program itself does"),
        ("kept by", _keeper(permit, harness)),
        ("workspace", f"{cwd}{'' if permit.writes or not walls else ' (read-only)'}"),
        ("home", env.get("HOME", "")),
        ("variables", " ".join(sorted(env)) if HOME_VARIABLE in env else "all of yours"),
        *(_sandbox(walls) if walls else [("sandbox", "none")]),
        ("command", shlex.join(enclosed(walls, command.argv) if walls else command.argv)),
        ("prompt", "on stdin" if command.stdin else "in the command"),
    ]
    return "\n".join(f"{label:<10} {text}" for label, text in told)


def _keeper(permit: Permit, harness: Harness | None) -> str:
    if permit.policy is Policy.FULL:
        return "nobody: there is nothing to keep it to"
    if permit.sandboxed and permit.policy is not Policy.NONE:
        return "bubblewrap, whatever it does"
    tools = permit.tools(harness)
    if harness and not harness.works:
        return f"{harness.name}, which can only answer"
    if harness and tools is not Tools.ALL and tools in harness.keeps:
        source = f"measured with {harness.measured}" if harness.measured else "by its documentation"
        return f"{harness.name}'s own flags ({source})"
    if permit.sandboxed:
        return "bubblewrap, which lets it change nothing; whether it uses tools is up to it"
    return "nobody but itself: it is told to, and a sandbox (--sandbox) would make sure"


def _sandbox(walls: Walls) -> Iterator[tuple[str, str]]:
    yield "sandbox", "bubblewrap: the system read-only, no other processes, a /tmp of its own"
    yield "reads", " ".join(walls.readable)
    yield "writes", " ".join(walls.folders)
    if walls.guarded:
        yield "but not", " ".join(walls.guarded)
    if walls.lent:
        yield "borrows", " ".join(walls.lent)
    hosts = " ".join(map(str, walls.endpoints))
    yield "network", f"only {hosts}" if hosts else "none" if walls.cut_off else "open"
