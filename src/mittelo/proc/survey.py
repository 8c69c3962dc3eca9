"""Find and end processes of a try whose keeper is gone, by the mark in their environment."""

import contextlib
import os

import psutil

from mittelo.proc.keeper import MARKER

ROUNDS = 20


def marked(mark: str) -> list[psutil.Process]:
    """Return the living processes that carry the mark of a try."""
    return [p for p in psutil.process_iter() if p.pid != os.getpid() and _carries(p, mark)]


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


def _carries(process: psutil.Process, mark: str) -> bool:
    try:
        alive = process.status() != psutil.STATUS_ZOMBIE
        return alive and process.environ().get(MARKER) == mark
    except (psutil.Error, OSError):
        return False
