"""Look at this machine: whether it has what mittelo needs, and which agent CLIs are there."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct

from mittelo.answering.backends import Agent, find_backend
from mittelo.config.load import Configuration
from mittelo.errors import MitteloError
from mittelo.proving.checks import Check
from mittelo.proving.circumstances import model_variables
from mittelo.proving.cli_checks import Asking, begin_cli_check, cli_names
from mittelo.proving.core_checks import core_checks
from mittelo.proving.lock import Lock
from mittelo.version import version

AT_ONCE = 64


class Diagnosis(Struct, frozen=True, kw_only=True):
    """All that the doctor found; `ok` where nothing is wrong that was asked for or is there."""

    ok: bool
    mittelo: str
    checks: list[Check]
    env_model_vars: dict[str, str | None]


def examine(
    configuration: Configuration,
    lock: Lock,
    *,
    clis: Sequence[str] | None = None,
    needed: Sequence[str] = (),
) -> Diagnosis:
    """Look at everything side by side; `clis` None looks at every one that we can drive."""
    names = cli_names(configuration) if clis is None else [*clis]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asking = Asking(pool)
        begun = [
            begin_cli_check(name, configuration, lock, asking, needed=name in needed)
            for name in dict.fromkeys([*needed, *names])
        ]
        looking = [pool.submit(look) for look in core_checks()]
        checks = [future.result() for future in looking] + [finish() for finish in begun]
    return Diagnosis(
        ok=all(check.ok for check in checks),
        mittelo=version(),
        checks=checks,
        env_model_vars=model_variables(configuration),
    )


def examine_pair(configuration: Configuration, lock: Lock, names: Sequence[str]) -> Diagnosis:
    """Look at what two backends need, and at no other agent CLI."""
    asked = {backend.names[0] for name in names for backend in _agents(name, configuration)}
    chosen = [name for name in cli_names(configuration) if name in asked]
    return examine(configuration, lock, clis=chosen)


def _agents(name: str, configuration: Configuration) -> list[Agent]:
    try:
        backend = find_backend(name, configuration, "true")
    except MitteloError:
        return []
    return [backend] if isinstance(backend, Agent) else []
