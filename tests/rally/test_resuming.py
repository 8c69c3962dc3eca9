"""Stopping relays and going on with them."""

import os
import signal
import subprocess

import msgspec
import psutil
import pytest
from support import RALLY, Place, marked, wait_until

from mittelo.proc.keeper import KEEPER_MARKER

LONG = '{say="working"}, {write="half.txt", text="half"}, {write="ready"}, {sleep=300}'
FINISH = '{recall="codeword [A-Z]+"}, {write="whole.txt", text="whole"}'


def stop(place: Place, number: signal.Signals) -> int:
    """Start a relay, stop it in mid try, and return its exit code."""
    place.script(LONG, FINISH)
    relay = place.begin("start", "-i", "1", "-a", "script", "codeword ZEBRA")
    wait_until(lambda: at_work(place), "the agent's work")
    relay.send_signal(number)
    return relay.wait(20)


def at_work(place: Place) -> bool:
    """Tell whether the agent is in mid work, with its session written down."""
    state = place.root / ".rally/state/run-state.json"
    return (place.root / "ready").exists() and b"session_id" in state.read_bytes()


def left(place: Place) -> list[int]:
    """Return what still carries the mark of a try of this workspace."""
    return [process.pid for process in marked(key_of(place))]


def keepers(place: Place) -> list[psutil.Process]:
    """Return the keepers of the tries of this workspace."""
    return marked(key_of(place), KEEPER_MARKER)


def key_of(place: Place) -> str:
    """Return what the marks of this workspace begin with."""
    return next((place.home / "data/rally/tries").iterdir()).name


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_relay_leaves_no_process_and_goes_on_in_its_session(
    place: Place, number: signal.Signals
) -> None:
    assert stop(place, number) == 130
    assert left(place) == []
    first = place.tries()[0]
    assert first.outcome == "cancelled"
    assert first.session_id
    assert first.commit_hash == ""
    assert (place.root / "half.txt").exists()
    assert "Relay stopped" in (place.home / "out").read_text()
    assert not place.relays()[0].ended_at
    done = place.rally("start", "--resume")
    assert done.code == 0, done.err
    second = place.tries()[1]
    assert (second.run_id, second.attempt_number) == (first.run_id, 2)
    assert second.session_id == first.session_id
    assert second.summary == "codeword ZEBRA"
    assert second.files_changed == ["half.txt", "ready", "whole.txt"]
    assert place.relays()[0].completed_iterations == 1


def test_a_killed_relay_takes_its_agent_along_and_is_recovered(place: Place) -> None:
    assert stop(place, signal.SIGKILL) == -signal.SIGKILL
    state = msgspec.json.decode((place.root / ".rally/state/run-state.json").read_bytes())
    assert state["session_id"]
    wait_until(lambda: not left(place), "the end of the agent")
    done = place.rally("start", "--resume")
    assert done.code == 0, done.err
    first, second = place.tries()
    assert (first.outcome, first.session_id) == ("interrupted", state["session_id"])
    assert (second.session_id, second.summary) == (first.session_id, "codeword ZEBRA")


def test_what_the_user_changed_after_a_stop_is_not_committed(place: Place) -> None:
    stop(place, signal.SIGINT)
    (place.root / "mine.txt").write_text("the user's")
    assert place.rally("start", "--resume").code == 0
    committed = place.git("show", "--name-only", "--format=", place.tries()[1].commit_hash)
    assert "half.txt" in committed
    assert "mine.txt" not in committed
    assert "mine.txt" in place.git("status", "--porcelain")


@pytest.mark.parametrize(("answer", "relays"), [("resume\n", 1), ("\n", 1), ("r", 1), ("new\n", 2)])
def test_an_unfinished_relay_is_asked_about_on_a_pipe(
    place: Place, answer: str, relays: int
) -> None:
    stop(place, signal.SIGINT)
    done = place.rally("start", "-i", "1", "-a", "script", "codeword ZEBRA", given=answer)
    assert done.code == 0, done.err
    assert "Unfinished relay #1 at iteration 0/1 (mix: script) [resume/new]:" in done.err
    held = place.relays()
    assert len(held) == relays
    assert all(relay.ended_at for relay in held)


def test_an_answer_that_is_none_changes_nothing(place: Place) -> None:
    stop(place, signal.SIGINT)
    done = place.rally("start", "-i", "1", "-a", "script", "x", given="maybe\n")
    assert done.code == 2
    assert "'maybe' is no answer" in done.err
    assert [relay.ended_at for relay in place.relays()] == [""]


def test_new_closes_every_unfinished_relay(place: Place) -> None:
    stop(place, signal.SIGINT)
    place.script('{write="x.txt"}, {say="x"}')
    (place.root / ".rally/state/script.json").unlink()
    assert place.rally("start", "--new", "-i", "1", "-a", "script", "other").code == 0
    old, new = place.relays()
    assert old.ended_how == "replaced"
    assert new.prompt == "other"
    assert place.tries()[1].attempt_number == 1


def test_resume_keeps_the_prompt_and_takes_a_new_mix_and_target(place: Place) -> None:
    stop(place, signal.SIGINT)
    place.configure('[harness.mine]\ncommand = ["sh", "-c", "date +%N > m-$$.txt; echo made it"]\n')
    done = place.rally("start", "--resume", "--agent", "mine", "-i", "2", "another prompt")
    assert done.code == 0, done.err
    assert "goes on with its own prompt" in done.err
    relay = place.relays()[0]
    assert (relay.agent_mix, relay.target_iterations) == ("__override__:mine", 2)
    assert "codeword ZEBRA" in (place.root / ".rally/state/current_task.md").read_text()
    assert [t.agent_type for t in place.tries()] == ["script", "mine", "mine"]
    assert place.tries()[1].resumed_session == ""


def test_resume_without_an_unfinished_relay_starts_one(place: Place) -> None:
    place.script('{write="x.txt"}, {say="x"}')
    assert place.rally("start", "--resume", "-i", "1", "-a", "script", "x").code == 0


def test_new_and_resume_exclude_each_other(place: Place) -> None:
    assert place.rally("start", "--new", "--resume", "x").code == 2


def test_a_second_relay_says_who_holds_the_workspace(place: Place) -> None:
    place.script(LONG)
    relay = place.begin("start", "-i", "1", "-a", "script", "x")
    wait_until((place.root / "ready").exists, "the agent's work")
    try:
        done = place.rally("start", "--new", "-i", "1", "-a", "script", "y")
        assert done.code == 1
        assert f"(process {relay.pid} on" in done.err
        assert f"running (process {relay.pid})" in place.rally("status").out
        assert len(place.relays()) == 1
    finally:
        relay.send_signal(signal.SIGINT)
        relay.wait(20)


def test_two_interrupts_end_a_stubborn_agent_at_once(place: Place) -> None:
    place.script('{ignore=["SIGINT"]}, {write="ready"}, {sleep=300}')
    relay = place.begin("start", "-i", "1", "-a", "script", "x")
    wait_until(lambda: at_work(place), "the agent's work")
    relay.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        relay.wait(0.5)
    relay.send_signal(signal.SIGINT)
    assert relay.wait(20) == 130
    assert place.tries()[0].outcome == "cancelled"


def test_an_interrupt_while_waiting_ends_the_wait(place: Place) -> None:
    place.configure('[harness.bad]\ncommand = ["false"]\n[reliability]\nretry_budget = 1\n')
    relay = place.begin("start", "-i", "1", "-a", "bad", "x")
    wait_until(lambda: "waiting" in place.relay_log(), "a wait")
    relay.send_signal(signal.SIGINT)
    assert relay.wait(20) == 130
    assert not place.relays()[0].ended_at


def test_a_terminal_that_goes_away_does_not_hide_the_stop(place: Place) -> None:
    place.script(LONG)
    leader, follower = os.openpty()
    relay = subprocess.Popen(
        [RALLY, "start", "-i", "1", "-a", "script", "x"],
        cwd=place.root,
        env=place.environment() | {"TERM": "xterm-256color"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    wait_until(lambda: at_work(place), "the agent's work")
    os.close(leader)
    relay.send_signal(signal.SIGHUP)
    assert relay.wait(20) == 130
    assert place.tries()[0].outcome == "cancelled"


def test_what_the_user_changed_after_a_kill_is_not_committed(place: Place) -> None:
    stop(place, signal.SIGKILL)
    wait_until(lambda: not keepers(place), "the end of the keeper, who marks the log's time")
    log = next((place.home / "data/rally/tries").glob("*/try-1.log"))
    an_hour_ago = log.stat().st_mtime - 3600
    os.utime(log, (an_hour_ago, an_hour_ago))
    (place.root / "mine.txt").write_text("the user's")
    assert place.rally("start", "--resume").code == 0
    assert "mine.txt" in place.git("status", "--porcelain")


def test_a_resumed_relay_waits_for_the_keeper_of_the_killed_one(place: Place) -> None:
    place.script(LONG, FINISH)
    relay = place.begin("start", "-i", "1", "-a", "script", "codeword ZEBRA")
    wait_until(lambda: at_work(place), "the agent's work")
    (keeper,) = keepers(place)
    keeper.suspend()
    try:
        relay.kill()
        relay.wait(20)
        resumed = place.begin("start", "--resume")
        with pytest.raises(subprocess.TimeoutExpired):
            resumed.wait(2)
    finally:
        keeper.resume()
    assert resumed.wait(20) == 0
    assert [made.outcome for made in place.tries()] == ["interrupted", "completed"]


def test_a_relay_that_was_killed_while_it_committed_is_not_paid_for_again(place: Place) -> None:
    hook = place.root / ".git/hooks/post-commit"
    hook.write_text("#!/bin/sh\ntouch .git/committing; sleep 60\n")
    hook.chmod(0o755)
    place.configure("run_hooks_on_autocommit = true\n")
    place.script('{write="made.txt", text="x"}, {say="made"}', '{say="it is all done"}')
    relay = place.begin("start", "-i", "1", "-a", "script", "x")
    wait_until((place.root / ".git/committing").exists, "the commit")
    relay.kill()
    relay.wait(20)
    hook.unlink()
    done = place.rally("start", "--resume")
    assert done.code == 0, done.err
    first, second = place.tries()
    assert (first.outcome, first.commit_hash != "") == ("interrupted", True)
    assert (second.outcome, second.run_id) == ("completed", first.run_id)


def test_resume_with_nothing_to_resume_and_no_task_is_refused(place: Place) -> None:
    done = place.rally("start", "--resume")
    assert done.code == 2
    assert "There is no unfinished relay here" in done.err


def test_a_reader_that_goes_away_does_not_stop_a_relay(place: Place) -> None:
    place.script('{write="one.txt"}, {say="1"}', '{write="two.txt"}, {say="2"}')
    words = f"{RALLY} start -i 2 -a script x | head -n 1"
    subprocess.run(
        ["sh", "-c", words], cwd=place.root, env=place.environment(), check=True, timeout=60
    )
    assert [made.outcome for made in place.tries()] == ["completed", "completed"]


def test_an_interrupt_is_heard_in_the_background_of_a_script_too(place: Place) -> None:
    place.script(LONG)
    words = f"{RALLY} start -i 1 -a script x & echo $! > .git/relay; wait"
    shell = subprocess.Popen(["sh", "-c", words], cwd=place.root, env=place.environment())
    wait_until(lambda: at_work(place), "the agent's work")
    os.kill(int((place.root / ".git/relay").read_text()), signal.SIGINT)
    shell.wait(20)
    assert place.tries()[0].outcome == "cancelled"


def test_nohup_is_obeyed(place: Place) -> None:
    place.script('{write="ready"}, {wait_for=".git/go"}, {say="x"}')
    relay = subprocess.Popen(
        ["nohup", RALLY, "start", "-i", "1", "-a", "script", "x"],
        cwd=place.root,
        env=place.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: at_work(place), "the agent's work")
    relay.send_signal(signal.SIGHUP)
    (place.root / ".git/go").touch()
    assert relay.wait(20) == 0
    assert place.tries()[0].completed
