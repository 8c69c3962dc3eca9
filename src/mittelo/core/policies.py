"""What a run may do, and which tools its CLI gives the agent for that."""

from enum import StrEnum


class Policy(StrEnum):
    """What a run may do: use no tools, read the workspace, write in it alone, or anything."""

    NONE = "none"
    READ = "read"
    WRITE = "write"
    FULL = "full"


class Tools(StrEnum):
    """What a CLI lets its agent use, by flags of its own.

    `EDIT`: what changes files of the workspace and nothing else; no shell, unless the CLI itself
    keeps that inside. `ALL`: everything, and no questions asked.
    """

    NONE = "none"
    READ = "read"
    EDIT = "edit"
    ALL = "all"


DEFAULT_ANSWER = Policy.NONE
DEFAULT_WORK = Policy.WRITE


def tools_of(policy: Policy, *, works: bool, sandboxed: bool) -> Tools:
    """Return the tools that a policy comes to.

    `write` gives a shell to whoever works in a repository, where git and laps need one, and in a
    sandbox, which keeps all that is started there in the workspace.
    """
    match policy:
        case Policy.NONE:
            return Tools.NONE
        case Policy.READ:
            return Tools.READ
        case Policy.WRITE:
            return Tools.ALL if works or sandboxed else Tools.EDIT
        case Policy.FULL:
            return Tools.ALL


class Network(StrEnum):
    """What a sandboxed run reaches: all, its model's hosts and those that are named, or nothing."""

    OPEN = "open"
    MODEL = "model"
    NONE = "none"
