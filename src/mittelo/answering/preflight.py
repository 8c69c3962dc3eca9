"""Whether a backend can answer on this machine: ok, perhaps (warn), or not (fail), and why."""

import glob
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import assert_never

from msgspec import Struct

from mittelo.answering.backends import Agent, Backend, Echo, Folder, Shell
from mittelo.answering.launching import child_environment, script_words
from mittelo.harness.needs import Login, Need, Program, Trace

TRACE_BYTES = 1 << 20


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
        case Agent(_, harness, _):
            for need in harness.needs(env):
                yield from _gap(need, env)
        case _:
            assert_never(backend)


def _gap(need: Need, env: Mapping[str, str]) -> Iterator[Gap]:
    """Yield what is missing of one need; a new kind of need has a case here."""
    match need:
        case Program(names):
            if not any(shutil.which(name, path=env.get("PATH")) for name in names):
                others = "".join(f" (or {name})" for name in names[1:])
                yield Gap(f"{names[0]} is not on the PATH: install it{others}.")
        case Login(variables, traces, todo):
            if not any(env.get(name) for name in variables) and not any(map(_is_there, traces)):
                yield Gap(f"Nobody seems to be logged in. {todo}", fatal=False)
        case _:
            assert_never(need)


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
