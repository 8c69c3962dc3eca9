"""How each real CLI fails, and what a relay makes of it: category, who goes on, and how soon.

Each case has a home, a repository and a model's address of its own; a fast second agent waits in
the lane. Rows are printed: `pytest -rP` shows them.
"""

import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from clis import Claude, Codex, Gemini, OpenCode, RealCli
from fault_front import FaultFront
from faults import Fault, Rule, Status
from mock_model import MockModel
from rallying import Rally, make_repository
from ways_to_fail import LIMIT, TABLE, Case, Subscribed

from mittelo.core.records import TryRecord
from mittelo.core.standings import StandingRecord

SETTINGS = """
[harness.other]
command = ["sh", "-c", "date > made; echo made it"]
"""
IMPATIENT = {
    "RALLY_RELIABILITY_STALL_THRESHOLD_SECS": "10",
    "RALLY_RELIABILITY_CONNECTED_STALL_SECS": "10",
}
TASK = "ITERATION-PROBE make a file"


@dataclass(frozen=True)
class Played:
    """What a relay of the CLI and the fast agent left."""

    case: Case
    cli: RealCli
    began: float
    code: int
    tries: list[TryRecord]
    standings: list[StandingRecord]

    def __str__(self) -> str:
        """Return it in one line."""
        first = self.tries[0]
        what = f"{first.category or 'completed':20} {self.then} {self.bench:.0f}".removesuffix(" 0")
        times = f"{first.runtime_ms / 1000:5.1f} s, in all {self.seconds:3.0f} s"
        return f"{self.cli.name:8} {self.case.way:19} {what:36} {times}"

    @property
    def failed(self) -> list[TryRecord]:
        """The tries in which the CLI failed."""
        return [made for made in self.tries if made.outcome == "failed"]

    @property
    def then(self) -> str:
        """What became of the run, by the records."""
        last = self.tries[-1]
        if not last.completed or (last.agent_type == "other") != bool(self.failed):
            return "lost"
        if not self.failed:
            return "served"
        if last.run_id > 1:
            return "failed"
        return "".join(standing.event_type for standing in self.standings) or "given up"

    @property
    def bench(self) -> float:
        """How long the CLI sits out; a limit that tells when it ends began when it was asked."""
        if self.then != "benched":
            return 0.0
        (standing,) = self.standings
        began = self.began if self.case.bench == LIMIT else instant_of(standing.timestamp)
        return instant_of(standing.reset_at) - began

    @property
    def seconds(self) -> float:
        """How long the CLI had the run."""
        first, last = self.tries[0], self.tries[-1]
        if last.agent_type != "other":
            return last.runtime_ms / 1000
        return instant_of(last.started_at) - instant_of(first.started_at)

    def surprises(self) -> Iterator[str]:
        """Tell what is not as it should be."""
        case = self.case
        if (self.code, self.then, len(self.failed)) != (0, case.then, case.failures):
            yield f"exit {self.code}: {self.then} after {len(self.failed)} failures"
        told = (self.cli.name, case.category, case.source)
        for made in self.failed:
            found = (made.agent_type, made.category, made.evidence and made.evidence.source)
            if found != told:
                yield f"{found}"
            if case.said not in made.fail_reason or made.files_changed:
                yield f"{made.fail_reason} {made.files_changed}"
        if abs(self.bench - case.bench) > (120 if case.bench == LIMIT else 12):
            yield f"sits out {self.bench} s"
        if self.seconds > case.seconds:
            yield f"took {self.seconds} s"


def instant_of(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp()


def dated(fault: Fault, until: float) -> Fault:
    """Let a provider tell when its limit ends."""
    if not isinstance(fault, Status):
        return fault

    def filled(text: str) -> str:
        for word, value in {'"@EPOCH@"': until, "@EPOCH@": until, "@SECONDS@": LIMIT}.items():
            text = text.replace(word, f"{value:.0f}")
        return text

    headers = {name: filled(value) for name, value in fault.headers.items()}
    return Status(fault.code, filled(fault.body), headers)


@contextmanager
def address(case: Case, upstream: str, until: float) -> Iterator[str]:
    """Yield where the CLI finds its model."""
    if case.fault is None:
        with socket.socket() as mute:
            mute.bind(("127.0.0.1", 0))
            yield f"http://127.0.0.1:{mute.getsockname()[1]}"
        return
    times = 1 if case.then == "served" else None
    with FaultFront(upstream) as front:
        front.add(Rule(dated(case.fault, until), path="", after=0, times=times))
        yield front.url


@dataclass(frozen=True)
class Playground:
    """Where relays run: beside a repository that is ready for them and a model that answers."""

    folder: Path
    template: Path
    bin_dir: Path
    upstream: str

    def play(self, kind: type[RealCli], case: Case) -> Played:
        """Run a relay of the CLI and the fast agent."""
        place = self.folder / f"{kind.__name__} {case.way}"
        shutil.copytree(self.template, place / "repository")
        began, hasty = time.time(), not case.is_ended_by_us
        with address(case, self.upstream, began + LIMIT) as url:
            cli = kind(place / "home", url, self.bin_dir, quick_retries=hasty)
            cli.settle()
            budget = {"RALLY_RELIABILITY_RETRY_BUDGET": f"{max(1, case.failures)}"}
            settings = budget if hasty else budget | IMPATIENT
            rally = Rally(place / "repository", cli.environment | settings)
            mix = f"--agent={cli.agent} other"
            ended = rally.start("--new", "--iterations=1", mix, TASK, seconds=500)
        assert rally.tries, ended
        return Played(case, cli, began, ended.code, rally.tries, rally.standings)


@pytest.fixture
def playground(tmp_path: Path, bin_dir: Path, running_model: MockModel) -> Playground:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    template = Rally(make_repository(tmp_path / "template"), environment)
    template.init(SETTINGS)
    return Playground(tmp_path, template.repository, bin_dir, running_model.url)


# Two halves that take the same time side by side; most of it, the CLIs wait.
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("kinds", "at_once"),
    [
        pytest.param([OpenCode], 7, id="opencode"),
        pytest.param([Gemini, Claude, Subscribed, Codex], 4, id="the-others"),
    ],
)
def test_each_way_to_fail_is_told_apart_and_acted_on(
    kinds: Sequence[type[RealCli]], at_once: int, playground: Playground
) -> None:
    cases = [(kind, case) for kind in kinds for case in TABLE[kind]]
    with ThreadPoolExecutor(at_once) as pool:
        played = [*pool.map(playground.play, *zip(*cases, strict=True))]
    sys.stdout.write("\n".join([*map(str, played), ""]))
    surprises = [f"{one}: {surprise}" for one in played for surprise in one.surprises()]
    assert "\n".join(surprises) == ""
