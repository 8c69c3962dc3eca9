"""Whether a backend can be tried here: preflight, and what only matters to a trial."""

from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from mittelo.answering.backends import Agent, Backend
from mittelo.answering.preflight import Report, Standing, preflight
from mittelo.config.load import environment
from mittelo.harness.scripted import DEFAULT_SCRIPT, Script
from mittelo.harness.tmux import Tmux
from mittelo.proving.asking import ask

TMUX_SECONDS = 4.0
SESSION = "MITTELO_TMUX_SESSION"


def readiness(name: str, backend: Backend, home: str, cwd: Path) -> Report:
    """Return what preflight says, and what is missing for a trial beyond that."""
    report = preflight(name, backend, home)
    if report.status is Standing.FAIL or not isinstance(backend, Agent):
        return report
    problems = [*_script(backend, cwd), *_session(backend)]
    return replace(report, status=Standing.FAIL, problems=problems) if problems else report


def unknown(name: str, problem: str) -> Report:
    """Return what there is to say of a name that means no backend."""
    return Report(backend=name, status=Standing.FAIL, problems=[problem], warnings=[], used="")


def _script(backend: Agent, cwd: Path) -> Iterator[str]:
    script = cwd / (backend.model or DEFAULT_SCRIPT)
    if isinstance(backend.harness, Script) and not script.is_file():
        yield f"It follows a script, and {script.name} is not in {script.parent}: write one."


def _session(backend: Agent) -> Iterator[str]:
    """Yield what is missing of a session; one of a shell would obey the prompt."""
    if not isinstance(backend.harness, Tmux):
        return
    env = environment()
    session = env.get(SESSION, "")
    if not session:
        yield f"It asks who sits in a tmux session: name one in {SESSION}."
    elif ask(["tmux", "has-session", "-t", f"={session}"], env, TMUX_SECONDS).code != 0:
        yield f"There is no tmux session {session}: start what shall answer in one."
