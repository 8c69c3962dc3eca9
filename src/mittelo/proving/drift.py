"""Whether an agent CLI has another version than the lock says was seen to work."""

import shutil
from collections.abc import Mapping

from mittelo.answering.asking import Said, ask
from mittelo.answering.backends import Agent, Backend
from mittelo.answering.launching import child_environment
from mittelo.harness.base import Harness
from mittelo.harness.needs import Program
from mittelo.proving.lock import Lock, load_lock, version_number
from mittelo.proving.packages import packaged_version


def program_of(harness: Harness, env: Mapping[str, str]) -> tuple[str, str | None]:
    """Return the program of a harness, and where it is; what would fetch it first is not it."""
    needed = (need.names for need in harness.needs(env) if isinstance(need, Program))
    name = next(needed, (harness.binary,))[0]
    own = harness.stand_in if len(harness.stand_in) == 1 else ()
    found = (shutil.which(word, path=env.get("PATH")) for word in (name, *own))
    return name, next((path for path in found if path), None)


def number_in(said: Said) -> str:
    """Return the version that a program tells of itself."""
    return version_number(said.out) or version_number(said.err)


def drift_of(name: str, program: str, number: str, lock: Lock) -> str:
    """Return what there is to say of a version that is not the one in the lock."""
    locked = lock.clis[name].version if name in lock.clis else ""
    if not number or not locked or number == locked:
        return ""
    return (
        f"{program} is {number}, and {locked} is what was seen to work:"
        f" try it with `mittelo lock --verify {name}`."
    )


def drift_here(backend: Backend, home: str, seconds: float = 0.0) -> str:
    """Return the same of a backend as it is installed, by its package.

    Where no package tells, the program is asked, if it may take time.
    """
    if not isinstance(backend, Agent):
        return ""
    harness, env, lock = backend.harness, child_environment(backend, home), load_lock()
    program, which = program_of(harness, env)
    if which is None or backend.names[0] not in lock.clis:
        return ""
    number = packaged_version(which)
    if not number and seconds and harness.version_words:
        number = number_in(ask([which, *harness.version_words], env, seconds))
    return drift_of(backend.names[0], program, number, lock)
