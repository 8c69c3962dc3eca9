"""Relays that work a queue with the real CLIs, whose model runs `laps` in their shells."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from clis import REAL_CLIS, RealCli, settle_together
from mock_model import MockModel
from rallying import Rally

LAPS = Path(sys.executable).with_name("laps")


@dataclass(frozen=True)
class Queue:
    """A repository whose laps are worked."""

    rally: Rally

    def laps(self, *words: str) -> str:
        done = subprocess.run(
            [LAPS, *words],
            cwd=self.rally.repository,
            env=self.rally.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            text=True,
            timeout=30,
        )
        return done.stdout

    def add(self, title: str, description: str, *words: str) -> str:
        given = ("--title", title, "--description", description)
        return self.laps("add", "tail", *given, *words).strip()

    def work(self, *words: str, code: int = 0) -> str:
        """Run a relay to its end; return what it showed."""
        ended = self.rally.start("--new", *words, seconds=150)
        assert ended.code == code, ended
        return ended.output + ended.errors


@pytest.fixture
def queue(repository: Path, tmp_path: Path, bin_dir: Path, model: MockModel) -> Queue:
    home = tmp_path / "home"
    clis: list[RealCli] = [kind(home=home, url=model.url, bin_dir=bin_dir) for kind in REAL_CLIS]
    queue = Queue(Rally(repository, settle_together(clis)))
    queue.laps("init")
    return queue


@pytest.mark.parametrize("kind", REAL_CLIS, ids=[kind.name for kind in REAL_CLIS])
def test_laps_are_worked_until_the_queue_is_empty(queue: Queue, kind: type[RealCli]) -> None:
    ids = [queue.add(f"Task {n}", f"LAP-PROBE make file {n}") for n in (1, 2)]
    queue.rally.init()
    queue.laps("on")
    shown = queue.work(f"--agent={kind.alias}:{kind.model}")
    assert "Installed rally hooks in" in shown
    assert queue.laps("list") == ""
    tries = queue.rally.tries
    assert [(t.lap_id, t.outcome, t.laps_completed) for t in tries] == [
        (lap, "completed", [lap]) for lap in ids
    ]
    assert [digest.summary for digest in queue.rally.digests] == ["the lap is done"] * 2
    assert [digest.laps_completed for digest in queue.rally.digests] == [[lap] for lap in ids]
    assert all(made.commit_history for made in tries)
    assert len([*queue.rally.repository.glob("done-*")]) == 2
    events = [json.loads(line) for line in queue.laps("log", "--json").splitlines()]
    done = [e for e in events[0]["events"] if e["event"] == "completed"]
    assert {event["session"].partition("-")[0] for event in done} == {"rally"}
    logs = queue.rally.ask("hooks", "logs").output.splitlines()
    assert [json.loads(line)["hook"] for line in logs] == ["laps-done", "laps-wrapup"] * 2


def test_each_role_has_a_cli_of_its_own(queue: Queue) -> None:
    lanes = {kind.name: f"{kind.alias}:{kind.model}" for kind in REAL_CLIS}
    routes = "".join(f'{name} = ["{runner}:1"]\n' for name, runner in lanes.items())
    queue.rally.init(f'[routes]\ndefault = ["{next(iter(lanes.values()))}"]\n{routes}')
    order = [*reversed(lanes)]
    for name in order:
        queue.add(f"For {name}", "LAP-PROBE make a file", "--assignee", name)
    assert json.loads(queue.rally.ask("routes", "next", "--json").output)["lane"] == order[0]
    queue.work()
    tries = queue.rally.tries
    assert [(made.agent_type, made.role, made.outcome) for made in tries] == [
        (name, name, "completed") for name in order
    ]


def test_a_handoff_makes_laps_and_what_it_left_is_recovered(queue: Queue) -> None:
    claude, codex, gemini, _ = (f"{kind.alias}:{kind.model}" for kind in REAL_CLIS)
    queue.rally.init(f'[routes]\ndefault = ["{claude}:1", "{codex}:1"]\nrecovery = ["{gemini}"]\n')
    queue.add("Too big", "HANDOFF-PROBE do it all")
    queue.work("--iterations=3")
    first, *pieces = queue.rally.tries
    assert (first.outcome, first.dirty_handoff) == ("handoff_requested", False)
    assert [made.lap_id for made in pieces] == first.created_laps
    assert [made.outcome for made in pieces] == ["completed"] * 2
    queue.laps("edit", first.lap_id, "--description", "MESS-PROBE leave it half done")
    queue.work("--iterations=2")
    left, mended = queue.rally.tries[-2:]
    assert (left.outcome, left.dirty_handoff, left.commit_hash) == ("handoff_requested", True, "")
    assert (mended.agent_type, mended.role, mended.lap_id) == ("gemini", "recovery", left.lap_id)
    assert (mended.outcome, mended.classification) == ("completed", "continue")
    assert queue.rally.git("log", "--format=", "--name-only", "--", "half.txt") == ["half.txt"]
    assert queue.laps("list") == ""
