"""The keyboard of a relay, in a real terminal."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from support import RALLY, Place, wait_until
from terminal import Terminal, relay_in

from mittelo.core.keys import LEGENDS, Doing, legend

LONG = '{say="working"}, {write="half.txt", text="half"}, {write="ready"}, {sleep=300}'
FINISH = '{recall="codeword [A-Z]+"}, {write="whole.txt", text="whole"}'
STUBBORN = '{ignore=["SIGINT"]}, {say="working"}, {write="ready"}, {sleep=300}'
WORDS = ("-i", "1", "-a", "script", "codeword ZEBRA")
S, P, X, C = b"\x13", b"\x10", b"\x18", b"\x03"
SKIP = (S, "press Ctrl+S again to skip")
PAUSE = (P, "press Ctrl+P again to pause")
STOP = (X, "press Ctrl+X again to graceful-stop")
QUIT = (C, "press Ctrl+C again to quit now")
Presses = tuple[bytes, str]


@contextmanager
def working(
    place: Place, *turns: str, words: tuple[str, ...] = WORDS, columns: int = 80
) -> Iterator[Terminal]:
    """Start a relay in a terminal and wait until its agent works; at the end it has it back."""
    place.script(*(turns or [LONG]))
    terminal = relay_in(place, *words, columns=columns)
    try:
        wait_until(lambda: at_work(place) and terminal.is_raw, "the agent's work")
        terminal.sees(legend(columns, Doing()))
        yield terminal
        if terminal.process.poll() is not None:
            assert terminal.attributes == terminal.found
    finally:
        terminal.close()


def at_work(place: Place) -> bool:
    """Tell whether the agent is in mid work, with its session written down."""
    state = place.root / ".rally/state/run-state.json"
    return (place.root / "ready").exists() and b"session_id" in state.read_bytes()


def press_twice(terminal: Terminal, presses: Presses) -> None:
    """Press a key, see what is said about it, and press it again."""
    key, hint = presses
    seen = terminal.shown.count(hint)
    terminal.type(key)
    terminal.sees(hint, seen + 1)
    terminal.type(key)


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize("presses", [SKIP, PAUSE, STOP, QUIT])
def test_one_press_shows_what_another_would_do_and_does_nothing(
    place: Place, presses: Presses, columns: int
) -> None:
    key, hint = presses
    with working(place, columns=columns) as terminal:
        terminal.type(b"q\x1a\x1c\x04\r" + key)
        terminal.sees(hint)
        told = terminal.shown.count(legend(columns, Doing()))
        terminal.sees(legend(columns, Doing()), told + 1)
        assert terminal.process.poll() is None
        assert not place.tries()


@pytest.mark.parametrize(
    ("presses", "acting", "code", "source"),
    [(STOP, "■ stopping…", 0, "graceful_stop"), (QUIT, "■ quitting…", 130, "quit_now")],
)
def test_two_presses_end_the_relay_which_can_go_on_later(
    place: Place, presses: Presses, acting: str, code: int, source: str
) -> None:
    with working(place, LONG, FINISH) as terminal:
        press_twice(terminal, presses)
        assert terminal.process.wait(20) == code
        terminal.sees(acting)
        terminal.sees("Relay stopped")
    made = place.tries()[0]
    assert (made.outcome, made.cancellation_source) == ("cancelled", source)
    assert not place.relays()[0].ended_at
    assert place.rally("start", "--resume").code == 0
    assert place.tries()[1].summary == "codeword ZEBRA"


def test_two_presses_of_ctrl_c_end_an_agent_that_does_not_stop_at_once(place: Place) -> None:
    with working(place, STUBBORN) as terminal:
        press_twice(terminal, STOP)
        terminal.sees("■ stopping…")
        began = time.monotonic()
        press_twice(terminal, QUIT)
        assert terminal.process.wait(20) == 130
        assert time.monotonic() - began < 4
    assert place.tries()[0].outcome == "cancelled"


def test_a_skipped_run_is_over_and_the_next_one_begins(place: Place) -> None:
    with working(place, LONG, FINISH) as terminal:
        press_twice(terminal, SKIP)
        terminal.sees("■ skipping…")
        wait_until(lambda: len(place.tries()) > 1, "the next run")
        assert terminal.process.wait(20) == 0
    first, second = place.tries()
    assert (first.outcome, first.cancellation_source) == ("cancelled", "skip")
    assert (second.run_id, second.attempt_number) == (first.run_id + 1, 1)


def test_a_paused_run_goes_on_in_its_session_and_has_lost_no_attempt(place: Place) -> None:
    place.configure("[reliability]\nretry_budget = 1\n")
    with working(place, LONG, FINISH) as terminal:
        press_twice(terminal, PAUSE)
        terminal.sees("■ pausing…")
        terminal.sees("Paused — press Enter to resume")
        assert "paused for" in place.rally("status").out
        terminal.type(S + S + P + P)
        terminal.type(b"\r")
        assert terminal.process.wait(20) == 0
    first, second = place.tries()
    assert (first.outcome, first.cancellation_source) == ("cancelled", "pause")
    assert (second.run_id, second.session_id) == (first.run_id, first.session_id)
    assert (second.summary, second.completed) == ("codeword ZEBRA", True)
    assert "paused by the user" in place.relay_log()


def test_a_pause_can_be_ended_by_a_stop(place: Place) -> None:
    with working(place, LONG, FINISH) as terminal:
        press_twice(terminal, PAUSE)
        terminal.sees("Paused — press Enter to resume")
        press_twice(terminal, STOP)
        assert terminal.process.wait(20) == 0
    assert place.rally("start", "--resume").code == 0
    first, second = place.tries()
    assert (second.run_id, second.session_id) == (first.run_id, first.session_id)
    assert second.summary == "codeword ZEBRA"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back(place: Place, number: signal.Signals) -> None:
    with working(place) as terminal:
        terminal.process.send_signal(number)
        assert terminal.process.wait(20) == 130


def test_a_relay_that_ends_gives_the_terminal_back(place: Place) -> None:
    place.script('{write="x.txt"}, {say="x"}')
    terminal = relay_in(place, "-i", "1", "-a", "script", "x")
    try:
        assert terminal.process.wait(20) == 0
        assert terminal.attributes == terminal.found
    finally:
        terminal.close()


def test_a_crash_of_ours_gives_the_terminal_back(place: Place) -> None:
    with working(place, LONG) as terminal:
        tries = place.root / ".rally/state/tries.jsonl"
        tries.unlink(missing_ok=True)
        tries.mkdir()
        press_twice(terminal, QUIT)
        assert terminal.process.wait(20) in {1, 3}


def test_keys_pressed_after_the_relay_are_the_shells(place: Place) -> None:
    place.script(LONG)
    words = f"{RALLY} start -i 1 -a script x; echo it is over; read answer; echo got $answer"
    terminal = Terminal(place, "sh", "-c", words)
    try:
        wait_until(lambda: at_work(place) and terminal.is_raw, "the agent's work")
        press_twice(terminal, STOP)
        terminal.sees("it is over")
        terminal.type(b"all of this\r")
        terminal.sees("got all of this")
        assert terminal.process.wait(20) == 0
    finally:
        terminal.close()


def test_a_relay_in_the_background_leaves_the_terminal_alone(place: Place) -> None:
    place.script('{write="ready"}, {wait_for=".git/go"}, {write="x.txt"}, {say="x"}')
    words = f"set -m; {RALLY} start -i 1 -a script x & read answer; echo got $answer; wait"
    terminal = Terminal(place, "sh", "-c", words)
    try:
        wait_until(lambda: at_work(place), "the agent's work")
        assert terminal.attributes == terminal.found
        terminal.type(b"some words\r")
        terminal.sees("got some words")
        (place.root / ".git/go").touch()
        assert terminal.process.wait(20) == 0
        assert terminal.attributes == terminal.found
        assert "last activity" not in terminal.shown
    finally:
        terminal.close()
    assert place.tries()[0].completed


def test_a_relay_that_was_suspended_takes_the_keyboard_again(place: Place) -> None:
    with working(place) as terminal:
        relay = terminal.process.pid
        os.kill(relay, signal.SIGSTOP)
        terminal.set_attributes(terminal.found)  # as a shell does
        os.kill(relay, signal.SIGCONT)
        wait_until(lambda: terminal.is_raw, "the keyboard's return")
        press_twice(terminal, QUIT)
        assert terminal.process.wait(20) == 130


def test_without_a_terminal_there_is_no_keyboard(place: Place) -> None:
    place.script('{write="x.txt"}, {say="x"}')
    done = place.rally("start", "-i", "1", "-a", "script", "x", given=C + C + X + X)
    assert done.code == 0, done.err
    assert "Ctrl" not in done.out


def test_a_closed_stdin_is_no_keyboard(place: Place) -> None:
    place.script('{write="x.txt"}, {say="x"}')
    words = f"{RALLY} start -i 1 -a script x <&-"
    subprocess.run(["sh", "-c", words], cwd=place.root, env=place.environment(), check=True)
    assert place.tries()[0].completed


def test_keys_work_while_the_relay_waits(place: Place) -> None:
    place.configure('[harness.bad]\ncommand = ["false"]\n[reliability]\nretry_budget = 1\n')
    terminal = relay_in(place, "-i", "1", "-a", "bad", "x")
    try:
        terminal.sees("↻ in ")
        terminal.sees(LEGENDS[0])
        press_twice(terminal, PAUSE)
        terminal.sees("Paused — press Enter to resume")
        press_twice(terminal, QUIT)
        assert terminal.process.wait(10) == 130
        assert terminal.attributes == terminal.found
    finally:
        terminal.close()


def test_a_terminal_that_goes_away_is_no_reason_to_spin(place: Place) -> None:
    place.script('{write="ready"}, {wait_for=".git/go"}, {write="x.txt"}, {say="x"}')
    terminal = Terminal(place, "nohup", RALLY, "start", "-i", "1", "-a", "script", "x")
    wait_until(lambda: at_work(place), "the agent's work")
    terminal.hang_up()
    relay = psutil.Process(terminal.process.pid)
    before = relay.cpu_times().user
    time.sleep(1)
    assert relay.cpu_times().user - before < 0.5
    (place.root / ".git/go").touch()
    assert terminal.process.wait(20) == 0
