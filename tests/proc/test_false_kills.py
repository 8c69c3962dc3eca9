"""Silent agents by the hundred: who works is never taken for frozen, who is dead is found.

Time is compressed: a threshold of two seconds instead of minutes, all rates as they are.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from streaming import server
from support import wait_until

from mittelo.core import stalls
from mittelo.core.stalls import Condition, Patience
from mittelo.proc.vitals import Vitals

AGENT = Path(__file__).parents[1] / "lib/silent_agent.py"
PATIENCE = Patience(2.0, connected=3.0)
ROUND_SECONDS = 0.5
LATEST_SECONDS = 60.0
GAP_SECONDS = 3.0
"""Compressed as well: a round that took longer, on a busy or paused machine, counts for nothing."""
WORKING_SECONDS = 2.5 * PATIENCE.silence
LIGHT = ["write", "download", "read", "download6", "child-alone"]
WORKING = ["cpu", *LIGHT, "child", *LIGHT, "many", *LIGHT]
DEAD = ["asleep", "held", "held6", "child-asleep", "self", "tick"]
BATCHES = 8
WORKING_A_BATCH, DEAD_A_BATCH = 25, 7


class Agent:
    """One silent process, and what is seen of it."""

    def __init__(self, kind: str, words: list[str]) -> None:
        self.kind = kind
        argv = [sys.executable, "-I", "-S", str(AGENT), kind, *words]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        self.found = False

    def begin(self) -> None:
        """Begin to look at it."""
        self._vitals = Vitals(self.process.pid)
        self._at = stalls.begin(PATIENCE, time.monotonic())

    def look(self) -> None:
        """Look at it once more, unless it was found frozen."""
        if not self.found:
            now = time.monotonic()
            self._at = stalls.watch(stalls.look(self._at, now), self._vitals.sample(), now)
            self.found = stalls.condition(self._at, now) is Condition.FROZEN

    def __repr__(self) -> str:
        """Say what is known of it, for a test that fails."""
        return f"{self.kind}: {stalls.account(self._at, time.monotonic())}"


@contextmanager
def started(kinds: list[str], words: list[str]) -> Iterator[list[Agent]]:
    """Start an agent of each kind, and end them all with their children."""
    agents = [Agent(kind, words) for kind in kinds]
    try:
        yield agents
    finally:
        for agent in agents:
            for process in psutil.Process(agent.process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            agent.process.kill()
            agent.process.wait()


@pytest.mark.parametrize("batch", range(BATCHES))
def test_who_works_in_silence_lives_and_who_is_dead_is_found(
    batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stalls, "GAP_SECONDS", GAP_SECONDS)
    working = [WORKING[(batch + i) % len(WORKING)] for i in range(WORKING_A_BATCH)]
    dead = [DEAD[(batch + i) % len(DEAD)] for i in range(DEAD_A_BATCH)]
    with ExitStack() as stack:
        ports = stack.enter_context(server())
        agents = stack.enter_context(started(working + dead, [str(tmp_path), *map(str, ports)]))
        for agent in agents:
            wait_until((tmp_path / f"ready-{agent.process.pid}").exists, "its start")
            agent.begin()
        began = time.monotonic()
        while (now := time.monotonic()) - began < LATEST_SECONDS:
            for agent in agents:
                agent.look()
            late = [a for a in agents if a.kind in DEAD and not a.found]
            if not late and now - began > WORKING_SECONDS:
                break
            time.sleep(max(0.0, ROUND_SECONDS - (time.monotonic() - now)))
        assert late == []
        assert [agent for agent in agents if agent.kind in WORKING and agent.found] == []
