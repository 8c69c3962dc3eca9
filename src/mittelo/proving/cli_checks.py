"""What the doctor looks at for each agent CLI: where it is, its version, its flags, a login."""

import itertools
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from mittelo.answering.backends import Agent, all_backends, find_backend
from mittelo.answering.launching import child_environment
from mittelo.answering.preflight import preflight
from mittelo.config.load import Configuration
from mittelo.errors import MitteloError
from mittelo.harness.base import Harness, Job
from mittelo.harness.declared import Declared
from mittelo.harness.needs import Login, Program
from mittelo.harness.scripted import Script
from mittelo.proving.asking import Said, ask
from mittelo.proving.checks import Check
from mittelo.proving.lock import Lock, version_number

SECONDS = 4.0
MORE_SECONDS = 0.4
"""So much longer than for their versions the CLIs have in all."""

_QUICK = {"GEMINI_CLI_NO_RELAUNCH": "true", "NO_COLOR": "1"}
"""Spares a CLI from starting itself a second time."""


_BUSY = ("The machine is too busy to hear its version: look again later.",)


class Asking:
    """Asks programs, each the same thing once, all side by side, and all by one deadline."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._asked: dict[tuple[str, ...], Future[Said]] = {}
        self._deadline = time.monotonic() + SECONDS + MORE_SECONDS

    def begin(
        self, argv: tuple[str, ...], env: Mapping[str, str], after: Callable[[], Said] | None = None
    ) -> Callable[[], Said]:
        """Ask, once another answer is there, and return where the answer is to be had."""
        if argv not in self._asked:
            self._asked[argv] = self._pool.submit(self._ask, argv, env, after)
        return self._asked[argv].result

    def _ask(
        self, argv: tuple[str, ...], env: Mapping[str, str], after: Callable[[], Said] | None
    ) -> Said:
        if after:
            after()
        left = max(0.0, self._deadline - time.monotonic())
        return ask(argv, {**env, **_QUICK}, min(SECONDS, left))


def cli_names(configuration: Configuration) -> list[str]:
    """Return the backends whose program is somebody else's."""
    return [name for name in all_backends(configuration) if _agent(name, configuration)]


def begin_cli_check(
    name: str, configuration: Configuration, lock: Lock, asking: Asking, *, needed: bool
) -> Callable[[], Check]:
    """Begin to look at the CLI of a backend, and return where the result is to be had."""
    backend = _agent(name, configuration)
    if backend is None:
        raise MitteloError(f"{name} is no agent CLI.", "Name a backend that drives one.")
    harness, env = backend.harness, child_environment(backend)
    program, which = _program(harness, env)
    locked = lock.clis[name].version if name in lock.clis else ""
    if which is None:
        problems = _missing(name, program, lock) if needed else []
        return lambda: Check(
            name=name, ok=not problems, needed=needed, locked=locked, problems=problems
        )
    version = _words(harness, harness.version_words, which)
    help_ = _words(harness, _help_words(harness), which)
    hear_version = asking.begin(version, env) if version else None
    hear_help = asking.begin(help_, env, hear_version) if help_ else None

    def finish() -> Check:
        said = hear_version() if hear_version else None
        helped = hear_help() if hear_help else None
        ready = preflight(name, backend)
        missing, unheard = _flags(harness, helped)
        broken = _broken(name, program, said, lock)
        late = not needed and said is not None and said.is_late and _is_busy()
        problems = [*ready.problems, *([] if late else broken)]
        if missing:
            problems.append(_changed(name, program, missing, lock))
        number = version_number(said.out) or version_number(said.err) if said else ""
        drift = bool(locked and number and number != locked)
        drifted = [_drifted(name, program, number, locked)] if drift else []
        return Check(
            name=name,
            which=which,
            version_rc=said.code if said else None,
            version=number,
            missing_flags=missing,
            ok=not problems,
            needed=needed,
            locked=locked,
            drift=drift,
            login=not ready.warnings if _logs_in(harness, env) else None,
            problems=problems,
            warnings=[*ready.warnings, *(_BUSY if late else ()), *unheard, *drifted],
        )

    return finish


def _agent(name: str, configuration: Configuration) -> Agent | None:
    try:
        backend = find_backend(name, configuration, "true")
    except MitteloError:
        return None
    if not isinstance(backend, Agent) or isinstance(backend.harness, Script):
        return None
    return backend


def _program(harness: Harness, env: Mapping[str, str]) -> tuple[str, str | None]:
    """Return the program of a harness, and where it is; what would fetch it first is not it."""
    needed = (need.names for need in harness.needs(env) if isinstance(need, Program))
    name = next(needed, (harness.binary,))[0]
    own = harness.stand_in if len(harness.stand_in) == 1 else ()
    found = (shutil.which(word, path=env.get("PATH")) for word in (name, *own))
    return name, next((path for path in found if path), None)


def _logs_in(harness: Harness, env: Mapping[str, str]) -> bool:
    return any(isinstance(need, Login) for need in harness.needs(env))


def _words(harness: Harness, asked: tuple[str, ...], which: str) -> tuple[str, ...]:
    """Return what asks a CLI; agents of our own and declared ones are not asked."""
    if not asked or harness.binary == sys.executable or isinstance(harness, Declared):
        return ()
    return (which, *asked)


def _help_words(harness: Harness) -> tuple[str, ...]:
    """Return how it is asked for the flags of the subcommand that it is started with."""
    if harness.help_words != Harness.help_words:
        return harness.help_words
    argv = harness.command(Job(prompt="x")).argv[1:]
    return (*itertools.takewhile(lambda word: not word.startswith("-"), argv), *harness.help_words)


def _flags(harness: Harness, helped: Said | None) -> tuple[list[str], list[str]]:
    """Return the flags that its help does not name, and what is odd about its help."""
    if helped is None:
        return [], []
    text = f"{helped.out}\n{helped.err}"
    if helped.code is None or not text.strip():
        asked = " ".join((harness.binary, *_help_words(harness)))
        why = f"Whether it knows the flags that are needed was not seen ({helped.why})"
        return [], [f"{why}: look yourself with `{asked}`."]
    return [flag for flag in harness.flags() if not _names(text, flag)], []


def _names(text: str, flag: str) -> bool:
    return bool(re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", text))


def _is_busy() -> bool:
    """Tell whether so much goes on here that a program may well be late."""
    return os.getloadavg()[0] > (os.cpu_count() or 1)


def _missing(name: str, program: str, lock: Lock) -> list[str]:
    return [f"{program} is not on the PATH: {_install(name, lock)}."]


def _broken(name: str, program: str, said: Said | None, lock: Lock) -> list[str]:
    if said is None or said.code == 0:
        return []
    return [f"{program} does not tell its version ({said.why}): {_install(name, lock)}."]


def _changed(name: str, program: str, missing: list[str], lock: Lock) -> str:
    flags = ", ".join(missing)
    return f"{program} does not know {flags} any more: {_install(name, lock)}."


def _drifted(name: str, program: str, number: str, locked: str) -> str:
    return (
        f"{program} is {number}, and {locked} is what was seen to work:"
        f" try it with `mittelo lock --verify {name}`."
    )


def _install(name: str, lock: Lock) -> str:
    words = lock.clis[name].install_words if name in lock.clis else []
    return f"install it with `{' '.join(words)}`" if words else "install it as its makers say"
