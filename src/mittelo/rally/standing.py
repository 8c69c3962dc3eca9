"""Send a runner to the bench, or call it back; every relay here keeps to it."""

import time

from mittelo.core.routes import Key
from mittelo.core.standings import Happened, StandingRecord, benches_at
from mittelo.log import warn
from mittelo.repo.workspace import Workspace, instant, now


def bench(workspace: Workspace, keys: list[Key], until: float | None, why: str) -> None:
    """Let runners sit out until an epoch second, or until they are called back."""
    _append(workspace, keys, Happened.BENCHED, why, instant(until))


def call_back(workspace: Workspace, keys: list[Key]) -> None:
    """Let runners serve again."""
    _append(workspace, keys, Happened.ACTIVE, "called back by the user", "")


def benched(workspace: Workspace, at: float) -> list[Key]:
    """Return who sits out at an epoch second."""
    return [*benches_at(workspace.standings.read(), at)]


def call_everybody_back(workspace: Workspace) -> None:
    """Forget who sat out: a relay that is begun anew begins with everybody."""
    for harness, model in benched(workspace, time.time()):
        warn(f"{':'.join(filter(None, (harness, model)))} sat out and is called back.")
    workspace.paths.standings.unlink(missing_ok=True)


def _append(workspace: Workspace, keys: list[Key], what: Happened, why: str, reset: str) -> None:
    with workspace.changing():
        for harness, model in keys:
            workspace.standings.append(
                StandingRecord(
                    agent_type=harness,
                    model=model,
                    event_type=what,
                    timestamp=now(),
                    reason=why,
                    reset_at=reset,
                )
            )
