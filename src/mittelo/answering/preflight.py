"""Whether a backend can answer on this machine: ok, perhaps (warn), or not (fail), and why."""

import glob
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import assert_never

from msgspec import Struct

from mittelo.answering.asking import ask
from mittelo.answering.backends import Agent, Backend, Echo, Folder, Shell, python_words
from mittelo.answering.launching import child_environment, script_words
from mittelo.harness.mlx import Mlx
from mittelo.harness.needs import Login, Need, Program, Trace
from mittelo.harness.tmux import Tmux

TRACE_BYTES = 1 << 20
IMPORT_SECONDS = 4.0
TMUX_SECONDS = 4.0
SESSION_VARIABLE = "MITTELO_TMUX_SESSION"


class Standing(StrEnum):
    """How ready a backend is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Gap(Struct, frozen=True):
    """Something that is missing, in a sentence that says what to do. `fatal`: it cannot answer."""

    words: str
    fatal: bool = True


class Report(Struct, frozen=True, kw_only=True):
    """What `backend-check` says; `used` is which backend of that name it is."""

    backend: str
    status: Standing
    problems: list[str]
    warnings: list[str]
    used: str


def preflight(name: str, backend: Backend, home: str = "") -> Report:
    """Look whether a backend has what it needs, in a home of its own if one is named."""
    env = child_environment(backend, home)
    return report(name, backend.used, _gaps(backend, env))


def report(name: str, used: str, gaps: Iterable[Gap]) -> Report:
    """Return what these gaps come to."""
    found = [*gaps]
    problems = [gap.words for gap in found if gap.fatal]
    warnings = [gap.words for gap in found if not gap.fatal]
    status = Standing.FAIL if problems else Standing.WARN if warnings else Standing.OK
    return Report(backend=name, status=status, problems=problems, warnings=warnings, used=used)


def _gaps(backend: Backend, env: Mapping[str, str]) -> Iterator[Gap]:
    match backend:
        case Echo() | Shell():
            return
        case Folder():
            yield from _script_gaps(backend.script, env)
        case Agent(_, harness, model):
            missing = [gap for need in harness.needs(env) for gap in _gap(need, env)]
            yield from missing
            if isinstance(harness, Mlx) and not missing:
                yield from _mlx_gaps(harness, model, env)
            if isinstance(harness, Tmux) and not missing:
                yield from _tmux_gaps(env)
        case _:
            assert_never(backend)


def _gap(need: Need, env: Mapping[str, str]) -> Iterator[Gap]:
    """Yield what is missing of one need; a new kind of need has a case here."""
    match need:
        case Program(names):
            if not any(shutil.which(name, path=env.get("PATH")) for name in names):
                others = "".join(f" (or {name})" for name in names[1:] if os.sep not in name)
                yield Gap(f"{names[0]} is not on the PATH: install it{others}.")
        case Login(variables, traces, todo):
            if not any(env.get(name) for name in variables) and not any(map(_is_there, traces)):
                yield Gap(f"Nobody seems to be logged in. {todo}", fatal=False)
        case _:
            assert_never(need)


def _mlx_gaps(harness: Mlx, model: str, env: Mapping[str, str]) -> Iterator[Gap]:
    """Yield what its Python lacks (mlx-lm installs without mlx on Linux), and what of a model."""
    found = (
        shutil.which(name, path=env.get("PATH")) for name in (harness.binary, *harness.stand_in)
    )
    script = next(path for path in found if path)
    if python := python_words(Path(script)):
        said = ask([*python, "-c", "import mlx.core"], env, IMPORT_SECONDS, cwd="/")
        if said.code:
            yield Gap(f"{script} cannot import mlx ({said.why}): install 'mlx[cpu]' beside mlx-lm.")
    if not model:
        yield Gap(
            "No model is named, and mlx-lm would fetch one of 2 GB:"
            " set MITTELO_MLX_MODEL to the folder of one.",
            fatal=False,
        )
    elif Path(model).is_absolute() and not Path(model, "config.json").is_file():
        yield Gap(f"{model} is no model, it has no config.json: name another in MITTELO_MLX_MODEL.")


def _tmux_gaps(env: Mapping[str, str]) -> Iterator[Gap]:
    session = env.get(SESSION_VARIABLE) or "mittelo_default"
    target = session.replace(".", "_").replace(":", "_")
    if ask(["tmux", "has-session", "-t", f"={target}"], env, TMUX_SECONDS).code != 0:
        yield Gap(
            f"There is no tmux session {session}, and the shell of a new one would carry prompts"
            f" out: start what shall answer in one, and name it in {SESSION_VARIABLE}.",
            fatal=False,
        )


def _script_gaps(script: Path, env: Mapping[str, str]) -> Iterator[Gap]:
    try:
        program = script_words(script)[0]
    except OSError as error:
        yield Gap(f"{script} cannot be read ({error.strerror}): let its owner mend that.")
        return
    if not shutil.which(program, path=env.get("PATH")):
        yield Gap(f"{script} is run by {program}, which is not on the PATH: install it.")
    elif not script.stat().st_size:
        yield Gap(f"{script} is empty: write a program that answers on stdout.")


def _is_there(trace: Trace) -> bool:
    files = glob.glob(os.path.expanduser(trace.pattern))  # noqa: PTH111, PTH207 - a pattern
    return any(_holds(Path(file), trace.holds) for file in files)


def _holds(file: Path, text: str) -> bool:
    try:
        with file.open("rb") as content:
            found = content.read(TRACE_BYTES)
    except OSError:
        return False
    return bool(found) and text.encode() in found
