"""How the program of a backend is started: its words, its environment, where its home is."""

import os
import shutil
import sys
from pathlib import Path
from typing import assert_never

from msgspec.structs import replace

from mittelo.answering.backends import Agent, Backend, Echo, Folder, Shell, python_shebang
from mittelo.config.load import environment
from mittelo.core.policies import Tools
from mittelo.harness.base import Command, Harness, Job
from mittelo.sandbox.surroundings import HOME_VARIABLE, isolated, whole

HEAD_BYTES = 1024


def command_of(
    backend: Backend, prompt: str, cwd: str, scratch: str, env: dict[str, str], tools: Tools
) -> Command:
    """Return what is started to answer a prompt."""
    match backend:
        case Shell(argv):
            return Command(argv=argv, stdin=prompt)
        case Folder():
            return Command(argv=script_words(backend.script), stdin=prompt)
        case Agent(_, harness, model):
            job = Job(
                prompt=prompt,
                workspace=cwd,
                tools=tools,
                model=model,
                title="mittelo task",
                scratch=scratch,
                env=env,
            )
            command = harness.command(job)
            return replace(command, argv=_with_stand_in(backend, command.argv, env))
        case Echo():
            raise ValueError("echo starts no program")
        case _:
            assert_never(backend)


def child_environment(backend: Backend, home: str = "") -> dict[str, str]:
    """Return the environment that a backend's program gets.

    In a home of its own it is given nothing but what all programs need, what its CLI reads, and
    what is allowed by name. `home` is that home, before the variable that names one.
    """
    env, harness = environment(), harness_of(backend)
    home = home or env.get(HOME_VARIABLE, "")
    if not home:
        return whole(env, harness)
    allowed = () if isinstance(backend, Echo) else backend.allowed
    return isolated(env, Path(home).expanduser().absolute(), harness, allowed)


def harness_of(backend: Backend) -> Harness | None:
    """Return the harness of a backend that is an agent."""
    return backend.harness if isinstance(backend, Agent) else None


def script_words(script: Path) -> list[str]:
    """Return how the program of a folder is started: Python's are run by this interpreter."""
    with script.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if script.suffix == ".py" or python_shebang(head):
        return [sys.executable, str(script)]
    starts = head.startswith(b"#!") or b"\0" in head
    return [str(script)] if os.access(script, os.X_OK) and starts else ["bash", str(script)]


def _with_stand_in(backend: Agent, argv: list[str], env: dict[str, str]) -> list[str]:
    """Put the words that stand in for a program where it is not installed."""
    path, other = env.get("PATH"), backend.harness.stand_in
    if other and not shutil.which(argv[0], path=path) and shutil.which(other[0], path=path):
        return [*other, *argv[1:]]
    return argv
