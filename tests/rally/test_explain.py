"""Why a try ended as it did, through the installed command."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support import Place, wait_until

WORKS = '{say="a"}, {write="a", text="x"}'
LIMIT = "You have hit your usage limit, try again in 3 hours"
LIMITED = f'[harness.out]\ncommand = ["sh", "-c", "echo {LIMIT} >&2; exit 9"]\n'
TWO_FOLDERS = ("in /", "  ")


@contextmanager
def waiting(place: Place, agents: str) -> Iterator[None]:
    """Run a relay whose agents all sit out, while the body goes on."""
    relay = place.begin("start", "-i", "1", "-a", agents, "x")
    try:
        wait_until(place.tries, "a try on record")
        yield
    finally:
        relay.send_signal(signal.SIGTERM)
        relay.wait(20)


def explained(place: Place, *words: str) -> dict[str, Any]:
    done = place.rally("explain", "--json", *words)
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def test_a_limit_is_explained_by_what_it_was_seen_by_and_what_follows(place: Place) -> None:
    place.configure(LIMITED)
    with waiting(place, "out"):
        out = place.rally("explain").out
        found = explained(place, "1")
    assert out.startswith("Try 1: failed: usage limit\n")
    for said in (
        "verdict   failed, category usage_limit (usage limit)",
        "evidence  from the CLI's stderr",
        f"          line: {LIMIT}",
        "          resets 20",
        "          concerns all runners of the quota out",
        "ended     exit code 9, it ended by itself",
        "decided   waits 10",
        "now       out sits out until 20",
        "          run 1 is open: this was attempt 1 of 5",
        "          relay 1 is running, 0 of 1 runs done",
        "look: rally tail --try 1, and the files",
        "  transcript   try-1.log",
        "  stderr       try-1.stderr.log",
        "  relay log    relay-1.log",
    ):
        assert said in out
    made = found["made"]
    assert (made["evidence"]["source"], made["evidence"]["signal"]) == ("stderr", LIMIT)
    assert (found["label"], found["quota_scope"]) == ("usage limit", "out")
    assert found["resets_at"].endswith("Z")
    assert [one["runner"] for one in found["follows"]["out"]] == ["out"]
    assert found["follows"]["relay"] == "running"
    assert {trail["what"] for trail in found["look"]} >= {"transcript", "stderr", "relay log"}


def test_it_reads_well_in_80_columns(place: Place) -> None:
    long = "word " * 100
    place.configure(
        f'[reliability]\nretry_budget = 1\n[harness.bad]\ncommand = ["sh", "-c", '
        f'"echo invalid api key {long} >&2; exit 3"]\n'
    )
    place.rally("start", "-i", "1", "-a", "bad", "x")
    lines = place.rally("explain").out.splitlines()
    assert any(line.startswith("evidence") for line in lines)
    assert all(len(line) <= 80 for line in lines if not line.startswith(TWO_FOLDERS))
    assert all(line == line.rstrip() for line in lines)


def test_a_success_is_explained_too(place: Place) -> None:
    place.script(WORKS)
    place.rally("start", "-i", "1", "-a", "script", "x")
    out = place.rally("explain").out
    assert out.startswith("Try 1: completed\nscript, run 1 attempt 1 of relay 1\n")
    assert "evidence" not in out
    assert "ended     exit code 0, it ended by itself" in out
    assert "run 1 is completed" in out
    assert "relay 1 is complete, 1 of 1 runs done" in out


def test_who_went_on_with_a_run_is_told(place: Place) -> None:
    place.configure("[reliability]\nretry_budget = 2\n")
    place.script('{say="I looked"}', WORKS)
    place.rally("start", "-i", "1", "-a", "script", "x")
    out = place.rally("explain", "1").out
    assert "Try 1: failed: no changes made" in out
    assert "from the repository" in out
    assert "decided   waits 1 s" in out
    assert "run 1 is completed: this was attempt 1 of 2, went on with try 2" in out
    assert explained(place)["made"]["id"] == 2


def test_a_budget_is_named_as_what_ended_it(place: Place) -> None:
    place.configure("[budget]\ntry_usd = 1\nrelay_usd = 1\n")
    place.script('{write="a", text="x"}, {usage={input=1, output=1, cost=2.0}}, {wait_for="no"}')
    assert place.rally("start", "-i", "1", "-a", "script", "x").code == 1
    out = place.rally("explain").out
    assert out.startswith("Try 1: failed: budget used up\n")
    assert "signal 2, ended by rally, as a budget was used up" in out
    assert "          try budget of $1.00 is used up" in out
    assert "decided   end of run" in out
    assert "relay 1 is unfinished, 0 of 1 runs done, go on: rally start --resume" in out


def test_what_the_user_ended_is_not_blamed_on_the_agent(place: Place) -> None:
    place.script('{say="a"}, {wait_for="no"}')
    relay = place.begin("start", "-i", "1", "-a", "script", "x")
    state = place.root / ".rally/state/run-state.json"
    wait_until(state.exists, "the try")
    unfinished = place.rally("explain")
    assert (unfinished.code, "still runs" in unfinished.err) == (1, True)
    wait_until(lambda: "session_id" in state.read_text(), "its session")
    assert place.rally("stop").code == 0
    relay.wait(20)
    out = place.rally("explain").out
    assert "Try 1: cancelled\n" in out
    assert "ended by the user, with a graceful stop" in out
    assert "run 1 is open" in out


def test_an_unknown_try_is_an_error_with_the_valid_range(place: Place) -> None:
    nothing = place.rally("explain")
    assert (nothing.code, "No tries are recorded" in nothing.err) == (1, True)
    place.script(WORKS, '{write="b", text="x"}, {say="b"}')
    place.rally("start", "-i", "2", "-a", "script", "x")
    done = place.rally("explain", "7")
    assert done.code == 2
    assert "There is no try 7; valid range: 1-2." in done.err
    assert place.rally("explain", "many").code == 2


def test_files_that_are_gone_are_marked(place: Place) -> None:
    place.script(WORKS)
    place.rally("start", "-i", "1", "-a", "script", "x")
    for log in (place.home / "data/rally/tries").glob("*/try-1.*"):
        log.unlink()
    out = place.rally("explain").out
    assert "  transcript   try-1.log (gone)" in out
    assert "prompt" not in out


def test_records_of_an_older_rally_are_explained_as_far_as_they_go(place: Place) -> None:
    record = {
        "id": 4,
        "run_id": 2,
        "relay_id": 1,
        "agent_type": "old",
        "completed": False,
        "outcome": "failed",
        "category": "something_new",
        "summary": "",
        "remaining_work": "",
        "files_changed": [],
        "commit_hash": "",
        "started_at": "",
        "ended_at": "",
        "attempt_number": 1,
    }
    (place.root / ".rally/state/tries.jsonl").write_text(json.dumps(record) + "\n")
    done = place.rally("explain", "4")
    assert done.code == 0, done.err
    assert "Try 4: failed: something_new" in done.out
    assert "began at a time that is not known" in done.out
    assert "relay 1 is unknown" in done.out
