"""Find and end processes of a try whose keeper is gone, by the mark in their environment."""

import contextlib
import os
import time

import psutil

from mittelo.proc.keeper import KEEPER_MARKER, MARKER

ROUNDS = 20
KEEPER_SECONDS = 20.0
POLL_SECONDS = 0.05


def marked(mark: str, variable: str = MARKER) -> list[psutil.Process]:
    """Return the living processes that carry the mark of a try."""
    others = (p for p in psutil.process_iter() if p.pid != os.getpid())
    return [p for p in others if _carries(p, variable, mark)]


def wait_for_keeper(mark: str) -> None:
    """Wait until the keeper of a try is gone whose relay was killed.

    It could still start an agent, and it ends what the agent's tools left without the mark.
    """
    deadline = time.monotonic() + KEEPER_SECONDS
    while marked(mark, KEEPER_MARKER) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def end_marked(mark: str) -> list[str]:
    """End every process that carries the mark, and return their names."""
    ended: dict[int, str] = {}
    for _ in range(ROUNDS):
        found = marked(mark)
        if not found:
            break
        for process in found:
            with contextlib.suppress(psutil.Error):
                ended[process.pid] = process.name()
                process.kill()
        psutil.wait_procs(found, timeout=0.5)
    return list(ended.values())


def _carries(process: psutil.Process, variable: str, mark: str) -> bool:
    try:
        alive = process.status() != psutil.STATUS_ZOMBIE
        return alive and process.environ().get(variable) == mark
    except (psutil.Error, OSError):
        return False
