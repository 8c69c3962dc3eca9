"""Under which circumstances something was proven: what a report says of the machine and us."""

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from mittelo.answering.asking import ask
from mittelo.answering.backends import environment_name
from mittelo.config.load import Configuration, environment
from mittelo.harness.base import Harness
from mittelo.proving import reports
from mittelo.version import version

GIT_SECONDS = 2.0


class Circumstances(Struct, frozen=True, kw_only=True):
    """What `run.json` begins with. `git_commit` is that of the folder we are in, if any."""

    tool: str
    began: str
    arguments: dict[str, object]
    cwd: str
    git_commit: str | None
    mittelo: str
    python: str
    python_executable: str
    platform: str
    env_model_vars: dict[str, str | None]


def circumstances(
    tool: str, arguments: Mapping[str, object], configuration: Configuration
) -> Circumstances:
    """Look around."""
    return Circumstances(
        tool=tool,
        began=reports.now(),
        arguments={name: _plain(value) for name, value in arguments.items()},
        cwd=os.getcwd(),  # noqa: PTH109 - as text
        git_commit=_commit(),
        mittelo=version(),
        python=platform.python_version(),
        python_executable=sys.executable,
        platform=platform.platform(),
        env_model_vars=model_variables(configuration),
    )


def model_variables(configuration: Configuration) -> dict[str, str | None]:
    """Return the variables that name models, and what they say; None where they are not set."""
    env = environment()
    harnesses: dict[str, Harness] = {h.name: h for h in configuration.harnesses.values()}
    names = {environment_name(h) for h in harnesses.values() if h.binary != sys.executable}
    set_ = {name for name in env if name.startswith("MITTELO_") and name.endswith("_MODEL")}
    return {name: env.get(name) for name in sorted(names | set_)}


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def _commit() -> str | None:
    said = ask(["git", "rev-parse", "HEAD"], environment(), GIT_SECONDS)
    return said.out.strip() if said.code == 0 else None
