"""Whether a backend can be tried here: preflight, its version, and what only matters to a trial."""

from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from mittelo.answering.backends import Agent, Backend
from mittelo.answering.preflight import SESSION_VARIABLE, Report, Standing, preflight
from mittelo.answering.preparing import require_kept
from mittelo.answering.run import bounds_of
from mittelo.config.load import Configuration, environment
from mittelo.errors import MitteloError
from mittelo.harness.scripted import DEFAULT_SCRIPT, Script
from mittelo.harness.tmux import Tmux
from mittelo.proving.drift import drift_here


def readiness(
    name: str, backend: Backend, home: str, cwd: Path, configuration: Configuration
) -> Report:
    """Return what preflight says, and what is missing for a trial beyond that."""
    report = look(name, backend, home)
    if report.status is Standing.FAIL:
        return report
    problems = [*_policy(backend, cwd, configuration)]
    if isinstance(backend, Agent):
        problems += [*_script(backend, cwd), *_session(backend, report)]
    if not problems:
        return report
    warnings = [warning for warning in report.warnings if warning not in problems]
    return replace(report, status=Standing.FAIL, problems=problems, warnings=warnings)


def look(name: str, backend: Backend, home: str = "", seconds: float = 0.0) -> Report:
    """Return what preflight says, and in its warnings a version that is not that of the lock.

    That keeps nothing from being ready: a newer one mostly works. `seconds`: how long the program
    may be asked, where its package does not tell.
    """
    report = preflight(name, backend, home)
    drift = "" if report.status is Standing.FAIL else drift_here(backend, home, seconds)
    return replace(report, warnings=[*report.warnings, drift]) if drift else report


def unknown(name: str, problem: str) -> Report:
    """Return what there is to say of a name that means no backend."""
    return Report(backend=name, status=Standing.FAIL, problems=[problem], warnings=[], used="")


def _policy(backend: Backend, cwd: Path, configuration: Configuration) -> Iterator[str]:
    """Yield why a run could not be kept to what the configuration lets it do."""
    try:
        require_kept(backend, bounds_of(configuration).permit, cwd)
    except MitteloError as error:
        yield f"{error.what} {error.todo}"


def _script(backend: Agent, cwd: Path) -> Iterator[str]:
    script = cwd / (backend.model or DEFAULT_SCRIPT)
    if isinstance(backend.harness, Script) and not script.is_file():
        yield f"It follows a script, and {script.name} is not in {script.parent}: write one."


def _session(backend: Agent, report: Report) -> Iterator[str]:
    """Yield what is missing of a session; one of a shell would obey the prompt."""
    if not isinstance(backend.harness, Tmux):
        return
    if not environment().get(SESSION_VARIABLE):
        yield f"It asks who sits in a tmux session: name one in {SESSION_VARIABLE}."
    else:
        yield from report.warnings
