"""What the doctor looks at for each agent CLI: where it is, its version, its flags, a login."""

import itertools
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from mittelo.answering.asking import Said, ask
from mittelo.answering.backends import Agent, all_backends, find_backend
from mittelo.answering.launching import child_environment
from mittelo.answering.preflight import Report, preflight
from mittelo.config.load import Configuration
from mittelo.errors import MitteloError
from mittelo.harness.base import Harness, Job
from mittelo.harness.declared import Declared
from mittelo.harness.needs import Login
from mittelo.harness.scripted import Script
from mittelo.proving.checks import Check
from mittelo.proving.drift import drift_of, number_in, program_of
from mittelo.proving.lock import Lock
from mittelo.proving.packages import packaged_version

SECONDS = 4.0
MORE_SECONDS = 0.2
"""So much longer than for one answer the CLIs have in all."""

QUICK_SECONDS = 1.0
"""Who takes longer to say how it is used is not started again: its package tells its version."""

_SPARING = {"GEMINI_CLI_NO_RELAUNCH": "true", "NO_COLOR": "1"}
"""Spares a CLI from starting itself a second time."""


_BUSY = ("The machine is too busy to hear it: look again later.",)


class Asking:
    """Asks programs, each the same thing once, all side by side, and all by one deadline."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._asked: dict[tuple[str, ...], Future[Said]] = {}
        self._deadline = time.monotonic() + SECONDS + MORE_SECONDS

    def begin(
        self, argv: tuple[str, ...], env: Mapping[str, str], first: Callable[[], Said] | None = None
    ) -> Callable[[], Said]:
        """Ask, and return where the answer is to be had.

        With a `first` answer it is asked after that; if that one took long, it stands for this one.
        """
        if argv not in self._asked:
            self._asked[argv] = self._pool.submit(self._ask, argv, env, first)
        return self._asked[argv].result

    def look(self, name: str, backend: Agent) -> Callable[[], Report]:
        """Look what a backend has, and return where that is to be had."""
        return self._pool.submit(preflight, name, backend).result

    def _ask(
        self, argv: tuple[str, ...], env: Mapping[str, str], first: Callable[[], Said] | None
    ) -> Said:
        if first and (said := first()).seconds >= QUICK_SECONDS:
            return said
        left = max(0.0, self._deadline - time.monotonic())
        return ask(argv, {**env, **_SPARING}, min(SECONDS, left))


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
    program, which = program_of(harness, env)
    locked = lock.clis[name].version if name in lock.clis else ""
    if which is None:
        problems = _missing(name, program, lock) if needed else []
        return lambda: Check(
            name=name, ok=not problems, needed=needed, locked=locked, problems=problems
        )
    packaged = packaged_version(which)
    version = _words(harness, harness.version_words, which)
    help_ = _words(harness, _help_words(harness), which)
    hear_help = asking.begin(help_, env) if help_ else None
    first = hear_help if packaged else None
    hear_version = asking.begin(version, env, first) if version else None
    hear_ready = asking.look(name, backend)

    def finish() -> Check:
        helped = hear_help() if hear_help else None
        said = hear_version() if hear_version else None
        ready = hear_ready()
        missing, unheard = _flags(harness, helped)
        broken = _broken(name, program, said, lock)
        late = not needed and said is not None and said.is_late and _is_busy()
        problems = [*ready.problems, *([] if late else broken)]
        if missing:
            problems.append(_changed(name, program, missing, lock))
        told = number_in(said) if said and said is not helped else ""
        drift = drift_of(name, program, told or packaged, lock)
        return Check(
            name=name,
            which=which,
            version_rc=said.code if said else None,
            version=told or packaged,
            missing_flags=missing,
            ok=not problems,
            needed=needed,
            locked=locked,
            drift=bool(drift),
            login=not ready.warnings if _logs_in(harness, env) else None,
            problems=problems,
            warnings=[
                *ready.warnings,
                *(_BUSY if late else ()),
                *unheard,
                *([drift] if drift else []),
            ],
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
        return [], [_unseen(harness, helped)]
    missing = [flag for flag in harness.flags() if not _names(text, flag)]
    if missing and helped.code != 0:
        return [], [_unseen(harness, helped)]
    return missing, []


def _unseen(harness: Harness, helped: Said) -> str:
    asked = " ".join((harness.binary, *_help_words(harness)))
    why = f"Whether it knows the flags that are needed was not seen ({helped.why})"
    return f"{why}: look yourself with `{asked}`."


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


def _install(name: str, lock: Lock) -> str:
    words = lock.clis[name].install_words if name in lock.clis else []
    return f"install it with `{' '.join(words)}`" if words else "install it as its makers say"
