"""Runners that sit out, before a relay and during one."""

import signal
import time

import pytest
from lanes import agents, hanging, served, started, when, with_models
from support import Place, wait_until


def test_who_is_benched_before_a_relay_serves_none_of_it(place: Place) -> None:
    agents(place, "ab", '[routes]\ndefault = ["a", "b"]\n')
    assert "a sits out" in place.rally("bench", "a").out
    assert started(place, "-i", "2").code == 0
    assert served(place) == "bb"
    assert "a is back" in place.rally("unbench", "a").out
    assert started(place, "--new", "-i", "1").code == 0
    assert served(place) == "bba"


def test_a_bench_counts_for_the_model_that_it_names(place: Place) -> None:
    with_models(place, '[routes]\ndefault = ["a:x:1", "a:y:1", "b:1"]\n')
    assert "a:x-1 sits out for 1h30m" in place.rally("bench", "a:x", "--for", "1h30m").out
    assert started(place, "-i", "3").code == 0
    assert [made.model for made in place.tries()] == ["y-1", "", "y-1"]


def test_a_benched_runner_is_not_reached_through_a_role_either(place: Place) -> None:
    agents(place, "abc", '[routes]\ndefault = ["a"]\npair = ["b", "c"]\n')
    place.rally("bench", "b")
    assert started(place, "-i", "4", "-a", "a pair:1").code == 0
    assert served(place) == "acac"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("bench", "gm"), "unknown agent alias"),
        (("bench", "a:2"), "count"),
        (("bench", "a", "--for", "soon"), "'soon' is no length"),
        (("bench", "a", "--for", "1h soon"), "no length"),
        (("bench",), "RUNNER"),
        (("unbench",), "--all"),
        (("unbench", "a", "--all"), "--all"),
        (("unbench", "gm"), "unknown agent alias"),
    ],
)
def test_a_bench_that_cannot_be_is_refused(place: Place, words: tuple[str, ...], said: str) -> None:
    agents(place, "ab")
    done = place.rally(*words)
    assert (done.code, said in done.err) == (2, True)


def test_who_is_benched_during_a_relay_serves_no_further_run(place: Place) -> None:
    agents(place, "ab", '[routes]\ndefault = ["a", "b"]\n')
    when(place, "hanging", [2])
    with hanging(place, "-i", "4", "x"):
        assert place.rally("bench", "a").code == 0
        (place.root / ".git/go").touch()
        wait_until(lambda: place.relays()[0].ended_at, "the end of the relay")
    assert served(place) == "aabb"


def test_who_is_called_back_during_a_relay_serves_again(place: Place) -> None:
    agents(place, "ab", '[routes]\ndefault = ["a:1", "b:1"]\n')
    place.rally("bench", "a")
    when(place, "hanging", [2])
    with hanging(place, "-i", "4", "x"):
        assert place.rally("unbench", "a").code == 0
        (place.root / ".git/go").touch()
        wait_until(lambda: place.relays()[0].ended_at, "the end of the relay")
    assert served(place) == "bbab"


def test_a_relay_waits_while_all_sit_out_and_goes_on_when_one_is_called_back(
    place: Place,
) -> None:
    agents(place, "ab", '[routes]\ndefault = ["a", "b"]\n')
    when(place, "hanging", [1])
    with hanging(place, "-i", "2", "x"):
        place.rally("bench", "a", "--for", "2h", "--why", "too dear")
        place.rally("bench", "b", "--for", "1h")
        (place.root / ".git/go").touch()
        wait_until(lambda: "all agents paused, waiting" in place.relay_log(), "the wait")
        assert "waiting 59m" in place.relay_log() or "waiting 1h" in place.relay_log()
        assert "too dear" in place.relay_log()
        wait_until(lambda: "paused" in (place.home / "out").read_text(), "a word on it")
        assert "in 59m" in (place.home / "out").read_text()
        assert served(place) == "a"
        assert place.rally("unbench", "b").code == 0
        called = time.monotonic()
        wait_until(lambda: place.relays()[0].ended_at, "the end of the relay")
        assert time.monotonic() - called < 20
    assert served(place) == "ab"
    assert place.relays()[0].ended_how == "complete"


def test_status_tells_that_a_relay_waits_and_who_sits_out(place: Place) -> None:
    agents(place, "ab", '[routes]\ndefault = ["a", "b"]\n')
    when(place, "hanging", [1])
    with hanging(place, "-i", "2", "x"):
        place.rally("bench", "a", "--for", "2h", "--why", "too dear")
        place.rally("bench", "b", "--for", "1h")
        (place.root / ".git/go").touch()
        wait_until(lambda: "all agents paused, waiting" in place.relay_log(), "the wait")
        said = place.rally("status").out
        place.rally("unbench", "--all")
        wait_until(lambda: place.relays()[0].ended_at, "the end of the relay")
    assert "too dear" in said


def test_a_bench_with_an_end_ends_by_itself(place: Place) -> None:
    agents(place, "a")
    place.rally("bench", "a", "--for", "2s")
    began = time.monotonic()
    done = started(place, "-i", "1", "-a", "a")
    assert done.code == 0, done.err
    assert time.monotonic() - began < 20
    assert served(place) == "a"


def test_the_earliest_return_ends_a_wait(place: Place) -> None:
    agents(place, "ab")
    place.rally("bench", "a", "--for", "1h")
    place.rally("bench", "b", "--for", "2s")
    assert started(place, "-i", "1", "-a", "a b").code == 0
    assert served(place) == "b"


def test_a_wait_for_the_bench_can_be_stopped_and_resumed(place: Place) -> None:
    agents(place, "a")
    place.rally("bench", "a", "--for", "1h")
    relay = place.begin("start", "-i", "1", "-a", "a", "x")
    wait_until(lambda: "all agents paused, waiting" in place.relay_log(), "the wait")
    relay.send_signal(signal.SIGINT)
    assert relay.wait(20) == 130
    assert not place.relays()[0].ended_at
    place.rally("unbench", "a")
    assert place.rally("start", "--resume").code == 0
    assert served(place) == "a"


def test_a_relay_waits_for_whom_only_the_user_can_call_back(place: Place) -> None:
    agents(place, "a")
    place.rally("bench", "a", "--why", "gone fishing")
    process = place.begin("start", "-i", "1", "-a", "a", "x")
    wait_until(lambda: "gone fishing" in place.relay_log(), "the wait")
    assert place.rally("unbench", "a").code == 0
    assert process.wait(30) == 0
    assert served(place) == "a"


def test_the_next_attempt_of_a_run_keeps_to_the_bench(place: Place) -> None:
    agents(place, "ab", '[routes]\ndefault = ["a", "b"]\n')
    config = (place.root / ".rally/config.toml").read_text()
    place.configure(config.replace("retry_budget = 1", "retry_budget = 3"))
    (place.root / ".git/agent").write_text(
        'echo "$1" >> .git/served\n'
        "if [ $1 = b ]; then date +%N > made; echo made it; exit; fi\n"
        "touch .git/hangs; while [ ! -e .git/go ]; do sleep 0.05; done; exit 1\n"
    )
    with hanging(place, "-i", "2", "x"):
        place.rally("bench", "a")
        (place.root / ".git/go").touch()
        wait_until(lambda: place.relays()[0].ended_at, "the end of the relay")
    tries = [(made.run_id, made.attempt_number, made.agent_type) for made in place.tries()]
    assert tries[:2] == [(1, 1, "a"), (1, 2, "b")]
    assert tries[2][:1] + tries[2][2:] == (2, "b")


def test_a_run_whose_runners_all_went_to_the_bench_goes_on_when_one_is_back(place: Place) -> None:
    agents(place, "a")
    config = (place.root / ".rally/config.toml").read_text()
    place.configure(config.replace("retry_budget = 1", "retry_budget = 3"))
    when(place, "failing", [1])
    relay = place.begin("start", "-i", "1", "-a", "a", "x")
    wait_until(lambda: "waiting" in place.relay_log(), "the wait before the next attempt")
    place.rally("bench", "a", "--for", "3s")
    assert relay.wait(20) == 0
    tries = [(made.run_id, made.attempt_number, made.completed) for made in place.tries()]
    assert tries == [(1, 1, False), (1, 2, True)]


@pytest.mark.parametrize("length", ["9999999d", "99999999999999999999999999d"])
def test_a_bench_of_ages_is_no_fault_of_ours(place: Place, length: str) -> None:
    agents(place, "ab")
    done = place.rally("bench", "a", "--for", length)
    assert done.code in {0, 2}, done.err
