"""A relay of two runs with each real CLI: what is committed, recorded and shown."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import pytest
from clis import REAL_CLIS, RealCli
from fault_front import Request
from mock_model import USAGE, MockModel
from rallying import Ended, Rally, make_repository

from mittelo.core.records import TryRecord
from mittelo.core.signs import Tokens


@dataclass(frozen=True)
class Relay:
    cli: RealCli
    rally: Rally
    ended: Ended
    tries: list[TryRecord]
    requests: list[Request]


@pytest.fixture(scope="module", params=REAL_CLIS, ids=attrgetter("name"))
def relay(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    bin_dir: Path,
    running_model: MockModel,
) -> Iterator[Relay]:
    """One relay for all tests of this module; they only look at it."""
    kind: type[RealCli] = request.param
    folder = tmp_path_factory.mktemp(kind.name)
    cli = kind(home=folder / "home", url=running_model.url, bin_dir=bin_dir)
    cli.settle()
    rally = Rally(make_repository(folder / "repository"), cli.environment)
    rally.init()
    seen = running_model.seen
    ended = rally.start(
        "--new", "--iterations=2", f"--agent={cli.agent}", "ITERATION-PROBE make a file"
    )
    yield Relay(cli, rally, ended, rally.tries, running_model.requests(seen))
    assert not rally.agents


def test_it_ends_well_and_leaves_nothing_behind(relay: Relay) -> None:
    assert (relay.ended.code, relay.ended.errors) == (0, "")
    assert not relay.rally.agents
    assert relay.rally.git("status", "--porcelain") == []


def test_each_run_has_its_header_on_the_screen(relay: Relay) -> None:
    lines = [line.strip() for line in relay.ended.output.splitlines()]
    runner = f"{relay.cli.name}:{relay.cli.model}"
    assert [line for line in lines if line.startswith(f"[1/2] {runner}")]
    assert [line for line in lines if line.startswith(f"[2/2] {runner}")]
    assert [line for line in lines if line.startswith("Relay complete: 2 runs  │  2 passed")]


def test_each_run_is_a_commit_with_the_file_that_it_made(relay: Relay) -> None:
    for number, made in enumerate(relay.tries, 1):
        title = f"rally: run {number} attempt 1 ({relay.cli.name})"
        assert relay.rally.git("show", "--format=%s", "--name-only", made.commit_hash) == [
            title,
            "",
            ".rally/summary.jsonl",
            *made.files_changed,
        ]
    hashes = [made.commit_hash for made in relay.tries]
    assert relay.rally.git("log", "--max-count=2", "--reverse", "--format=%H") == hashes
    assert [made.commit_history for made in relay.tries] == [[one] for one in hashes]


def test_each_try_changed_exactly_one_file(relay: Relay) -> None:
    (first,), (second,) = (made.files_changed for made in relay.tries)
    assert {first, second} == {path.name for path in relay.rally.repository.glob("made-*")}
    assert first != second


def test_each_try_is_on_record(relay: Relay) -> None:
    assert [(made.id, made.run_id, made.attempt_number) for made in relay.tries] == [
        (1, 1, 1),
        (2, 2, 1),
    ]
    for made in relay.tries:
        assert (made.completed, made.outcome, made.fail_reason) == (True, "completed", "")
        assert (made.agent_type, made.model) == (relay.cli.name, relay.cli.model)
        assert made.summary == "one more file is made"
        assert (made.exit_code, made.tool_calls) == (0, 1)
        assert made.runtime_ms > 0


def test_the_model_that_was_named_is_asked(relay: Relay) -> None:
    name = relay.cli.model.split("/")[-1]
    asked = [request for request in relay.requests if request.method == "POST"]
    assert len(asked) == 4
    assert all(r.body.get("model") == name or f"/{name}:" in r.path for r in asked)


def test_tokens_are_those_of_all_requests(relay: Relay) -> None:
    spent = Tokens(*USAGE) + Tokens(*USAGE)
    assert [made.tokens for made in relay.tries] == [spent, spent]


def test_each_try_has_a_session_of_its_own(relay: Relay) -> None:
    first, second = relay.tries
    assert first.session_id != second.session_id
    for made in relay.tries:
        assert made.session_id
        assert made.session_id in Path(made.log_path).read_text()
        assert made.resumed_session == ""


def test_the_session_log_of_the_cli_is_found(relay: Relay) -> None:
    for made in relay.tries:
        assert Path(made.session_log).is_file()
        assert Path(made.session_log).is_relative_to(relay.cli.home)


def test_status_agrees_with_the_records(relay: Relay) -> None:
    status = json.loads(relay.rally.ask("status", "--json").output)
    assert (status["running"], status["active"]) == (None, None)
    assert status["relay"]["completed_iterations"] == 2
    assert status["relay"]["ended_at"]
    recorded = (relay.rally.repository / ".rally/state/tries.jsonl").read_text().splitlines()
    assert status["tries"] == [json.loads(line) for line in recorded]
    (spent,) = status["spending"]
    assert (spent["tries"], spent["completed"]) == (2, 2)
    assert (spent["tokens"]["input"], spent["tokens"]["output"]) == (4 * USAGE[0], 4 * USAGE[1])


def test_the_raw_tail_is_the_transcript(relay: Relay) -> None:
    tail = relay.rally.ask("tail", "--try=1", "--no-follow", "--raw")
    assert tail.output == Path(relay.tries[0].log_path).read_text()
    assert tail.code == 0


def test_the_tail_tells_what_was_said_and_done(relay: Relay) -> None:
    lines = relay.rally.ask("tail", "--try=1", "--no-follow").output.splitlines()
    told = [line for line in lines if not line.startswith("  stderr: ")]
    assert told.count(f"· session {relay.tries[0].session_id}") == 1
    assert "I will run a command." in told
    assert any(line.startswith("⚙ ") and "mktemp" in line for line in told)
    assert told[-2:] == ["one more file is made", "■ done"]
