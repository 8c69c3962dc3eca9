"""How the program of a backend is started: its words, its environment, where its home is."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import assert_never

from msgspec.structs import replace

from mittelo.answering.backends import Agent, Backend, Echo, Folder, Shell, python_shebang
from mittelo.config.load import environment
from mittelo.harness.base import Command, Job, Mode
from mittelo.harness.registry import BUILT_IN

HOME_VARIABLE = "MITTELO_SUBPROCESS_HOME"
SECRETS = ("MITTELO_TOKEN",)
"""What no model needs to see."""

_HOMES = {
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
    "XDG_CACHE_HOME": ".cache",
    "XDG_RUNTIME_DIR": ".cache/run",
}
HEAD_BYTES = 1024


def command_of(
    backend: Backend, prompt: str, cwd: str, scratch: str, env: dict[str, str]
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
                mode=Mode.ANSWER,
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
    """Return the environment that a backend's program gets; `home` moves it, before all else."""
    env = {name: value for name, value in environment().items() if name not in SECRETS}
    home = home or env.get(HOME_VARIABLE, "")
    env = _moved(env, Path(home).expanduser().absolute(), backend) if home else env
    return env | dict(_filed_keys(backend, env))


def make_home(env: dict[str, str]) -> None:
    """Create the home of its own that a program has, for its owner only."""
    if env.get(HOME_VARIABLE):
        for name in ("HOME", *_HOMES):
            Path(env[name]).mkdir(mode=0o700, parents=True, exist_ok=True)


def script_words(script: Path) -> list[str]:
    """Return how the program of a folder is started: Python's are run by this interpreter."""
    with script.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if script.suffix == ".py" or python_shebang(head):
        return [sys.executable, str(script)]
    starts = head.startswith(b"#!") or b"\0" in head
    return [str(script)] if os.access(script, os.X_OK) and starts else ["bash", str(script)]


def _filed_keys(backend: Backend, env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the keys that lie in a file below the home, where no variable holds them."""
    files = backend.harness.key_files if isinstance(backend, Agent) else {}
    for name, below in files.items():
        if not env.get(name):
            with suppress(OSError):
                yield name, (Path(env.get("HOME", "~")).expanduser() / below).read_text().strip()


def _with_stand_in(backend: Agent, argv: list[str], env: dict[str, str]) -> list[str]:
    """Put the words that stand in for a program where it is not installed."""
    path, other = env.get("PATH"), backend.harness.stand_in
    if other and not shutil.which(argv[0], path=path) and shutil.which(other[0], path=path):
        return [*other, *argv[1:]]
    return argv


def _moved(env: dict[str, str], home: Path, backend: Backend) -> dict[str, str]:
    """Return the environment with another home, and without what leads out of it again."""
    own = [backend.harness] if isinstance(backend, Agent) else []
    leading = {name for harness in (*BUILT_IN, *own) for name in harness.folders}
    kept = {
        name: value
        for name, value in env.items()
        if name not in leading or Path(value).is_relative_to(home)
    }
    moved = {name: str(home / below) for name, below in _HOMES.items()}
    return kept | moved | {"HOME": str(home), HOME_VARIABLE: str(home)}
