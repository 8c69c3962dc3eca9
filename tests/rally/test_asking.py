"""Orders to a running relay from another terminal: `rally stop`, `pause`, `resume`, `skip`."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from support import Place, wait_until

from mittelo.core.standings import Happened, StandingRecord
from mittelo.repo.workspace import instant

LONG = '{say="working"}, {write="half.txt", text="half"}, {write="ready"}, {sleep=300}'
FINISH = '{recall="codeword [A-Z]+"}, {write="whole.txt", text="whole"}'


@contextmanager
def working(place: Place, *turns: str, runs: int = 1) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a relay and wait until its agent is in mid work."""
    place.script(*(turns or [LONG]))
    relay = place.begin("start", "-i", f"{runs}", "-a", "script", "codeword ZEBRA")
    state = place.root / ".rally/state/run-state.json"
    try:
        wait_until((place.root / "ready").exists, "the agent's work")
        wait_until(lambda: b"session_id" in state.read_bytes(), "its session")
        yield relay
    finally:
        relay.kill()
        relay.wait(20)


def status(place: Place) -> dict[str, object]:
    found: dict[str, object] = json.loads(place.rally("status", "--json").out)
    return found


def letters(place: Place) -> list[Path]:
    return [*(place.root / ".git/mittelo/orders").glob("*")]


@pytest.mark.parametrize("words", [["stop"], ["stop", "--now"], ["pause"], ["resume"], ["skip"]])
def test_an_order_without_a_relay_says_so(place: Place, words: list[str]) -> None:
    done = place.rally(*words)
    assert done.code == 1
    assert "No relay is running here" in done.err
    assert not letters(place)


@pytest.mark.parametrize(
    ("words", "code", "source"),
    [(["stop"], 0, "graceful_stop"), (["stop", "--now"], 130, "quit_now")],
)
def test_a_relay_is_stopped_and_goes_on_later_in_its_session(
    place: Place, words: list[str], code: int, source: str
) -> None:
    with working(place, LONG, FINISH) as relay:
        done = place.rally(*words)
        assert done.out == "The relay has stopped; go on with: rally start --resume\n"
        assert relay.wait(20) == code
    assert place.rally("start", "--resume").code == 0
    first, second = place.tries()
    assert (first.outcome, first.cancellation_source) == ("cancelled", source)
    assert (second.session_id, second.summary) == (first.session_id, "codeword ZEBRA")


def test_a_stop_said_again_with_now_ends_a_stubborn_agent_at_once(place: Place) -> None:
    with working(
        place, '{ignore=["SIGINT"]}, {say="on it"}, {write="ready"}, {sleep=300}'
    ) as relay:
        place.rally("stop", "--now")
        assert relay.wait(20) == 130
    assert not place.relays()[0].ended_at


def test_a_relay_is_paused_and_resumed(place: Place) -> None:
    place.configure("[reliability]\nretry_budget = 1\n")
    with working(place, LONG, FINISH) as relay:
        assert status(place)["paused"] is False
        done = place.rally("pause")
        assert done.out == "The relay has paused.\nResume it with: rally resume\n"
        assert status(place)["paused"] is True
        assert "go on: rally resume" in place.rally("status").out
        assert place.rally("skip").code == 1
        assert relay.poll() is None
        assert place.rally("resume").out == "The relay goes on.\n"
        assert relay.wait(20) == 0
    assert status(place)["paused"] is False
    first, second = place.tries()
    assert (first.cancellation_source, second.completed) == ("pause", True)
    assert (second.run_id, second.session_id) == (first.run_id, first.session_id)
    assert "Paused — resume with: rally resume" in (place.home / "out").read_text()


def test_a_paused_relay_is_stopped_and_goes_on_later_in_its_session(place: Place) -> None:
    with working(place, LONG, FINISH) as relay:
        place.rally("pause")
        assert "has stopped" in place.rally("stop").out
        assert relay.wait(20) == 0
    assert status(place)["paused"] is False
    assert place.rally("start", "--resume").code == 0
    first, second = place.tries()
    assert (second.session_id, second.summary) == (first.session_id, "codeword ZEBRA")


def test_a_paused_relay_that_was_killed_is_not_paused_any_more(place: Place) -> None:
    with working(place, LONG, FINISH) as relay:
        place.rally("pause")
        relay.send_signal(signal.SIGKILL)
        relay.wait(20)
        assert status(place)["paused"] is False
    assert place.rally("start", "--resume").code == 0


def test_a_run_is_skipped(place: Place) -> None:
    with working(place, LONG, '{write="x.txt"}, {say="x"}') as relay:
        assert place.rally("skip").out == "The relay skips run 1.\n"
        assert relay.wait(30) == 0
    first, second = place.tries()
    assert (first.cancellation_source, second.run_id) == ("skip", 2)


def test_a_skipped_wait_calls_everybody_back(place: Place) -> None:
    place.script('{write="x.txt"}, {say="x"}')
    standing = StandingRecord(
        agent_type="script",
        event_type=Happened.BENCHED,
        timestamp=instant(time.time()),
        reset_at=instant(time.time() + 3600),
    )
    records = place.root / ".rally/state/agent_status.jsonl"
    records.write_bytes(msgspec.json.encode(standing) + b"\n")
    relay = place.begin("start", "--resume", "-i", "1", "-a", "script", "x")
    try:
        wait_until(lambda: "waiting" in place.relay_log(), "a wait")
        assert place.rally("skip").out == "The relay skips the wait.\n"
        assert relay.wait(20) == 0
    finally:
        relay.kill()
        relay.wait(20)


def test_what_a_dead_relay_was_told_is_not_obeyed_by_the_next(place: Place) -> None:
    with working(place, LONG, '{write="x.txt"}, {say="x"}') as relay:
        relay.send_signal(signal.SIGSTOP)
        done = place.rally("stop")
        assert done.code == 0
        assert "will stop when it sees the order" in done.out
        assert len(letters(place)) == 1
        relay.send_signal(signal.SIGKILL)
        relay.wait(20)
    assert place.rally("start", "--resume").code == 0
    assert not letters(place)
    assert place.tries()[-1].completed


def test_an_order_from_a_folder_below_or_in_a_worktree_goes_to_the_relay_there(
    place: Place,
) -> None:
    place.git("worktree", "add", "--quiet", "../other")
    (place.root / "below").mkdir()
    with working(place) as relay:
        assert place.rally("stop", cwd=place.root.parent / "other").code == 1
        assert relay.poll() is None
        assert place.rally("stop", cwd=place.root / "below").code == 0
        assert relay.wait(20) == 0
