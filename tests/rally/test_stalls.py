"""Agents that get nowhere any more, through the installed command, with short thresholds."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support import Place, marked, wait_until
from terminal import relay_in

from mittelo.core.records import TryRecord

SECONDS = 3
SETTINGS = f"[reliability]\nretry_budget = 1\nstall_threshold_secs = {SECONDS}\n"
RETRIES = """\
#!/bin/sh
echo '{"type":"thread.started","thread_id":"t"}'
while :; do
  echo '{"type":"error","message":"Reconnecting... waiting for network (Connection failed)"}'
  sleep 0.1
done
"""
BUILD = "i=0; while [ $i -lt 6000 ]; do i=$((i+1)); : $(expr $i); done; date > built; echo built"
FIELDS = {"ts", "log_silent_s", "connections", "io_bytes", "syscall_bytes", "cpu_s"}


def declared(place: Place, name: str, command: str) -> None:
    words = json.dumps(["sh", "-c", command])
    place.configure(f"{SETTINGS}[harness.{name}]\ncommand = {words}\n")


@contextmanager
def running(place: Place, agent: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a relay of one run while the body goes on."""
    relay = place.begin("start", "-i", "1", "-a", agent, "x")
    try:
        yield relay
    finally:
        relay.send_signal(signal.SIGTERM)
        relay.wait(20)


def first_try(place: Place, agent: str) -> TryRecord:
    """Return the record of a relay's first try, whatever the relay does then."""
    with running(place, agent):
        wait_until(place.tries, "a try on record")
    return place.tries()[0]


def netstat(place: Place) -> list[dict[str, object]]:
    found = (place.home / "data/rally/tries").glob("*/try-1.netstat.jsonl")
    return [json.loads(line) for path in found for line in path.read_text().splitlines()]


def test_a_dead_agent_is_ended_and_recorded(place: Place) -> None:
    declared(place, "dead", "echo begun; exec sleep 307")
    began = time.monotonic()
    made = first_try(place, "dead")
    assert time.monotonic() - began < SECONDS + 15
    assert (made.outcome, made.completed) == ("failed", False)
    assert made.fail_reason.startswith("frozen: no progress for ")
    assert "freeze detected for dead in try 1: no progress for" in place.relay_log()
    lines = netstat(place)
    assert len(lines) > 3
    assert all(set(line) >= FIELDS for line in lines)
    key = next((place.home / "data/rally/tries").iterdir()).name
    assert marked(key) == []


def test_a_silent_build_is_left_alone(place: Place) -> None:
    declared(place, "builder", BUILD)
    done = place.rally("start", "-i", "1", "-a", "builder", "x")
    assert done.code == 0, done.err
    made = place.tries()[0]
    assert made.completed
    assert made.files_changed == ["built"]
    assert "freeze detected" not in place.relay_log()


def test_an_agent_that_has_finished_and_stays_has_completed(place: Place) -> None:
    place.configure(SETTINGS)
    end = r'{print="{\"type\": \"end\", \"text\": \"All done.\"}\n"}'
    place.script(f'{{write="one.txt", text="1"}}, {{say="All done."}}, {end}, {{sleep=307}}')
    done = place.rally("start", "-i", "1", "-a", "script", "x")
    assert done.code == 0, done.err
    made = place.tries()[0]
    assert (made.completed, made.summary) == (True, "All done.")
    assert "freeze detected" not in place.relay_log()


@pytest.mark.parametrize("ended", [0, 1])
def test_an_agent_that_exits_well_when_it_is_interrupted_has_failed_all_the_same(
    place: Place, ended: int
) -> None:
    declared(place, "polite", f"echo x > made; trap 'exit {ended}' INT; sleep 307 & wait")
    made = first_try(place, "polite")
    assert (made.outcome, made.completed) == ("failed", False)
    assert made.fail_reason.startswith("frozen")


def test_a_cli_that_tells_for_ever_of_its_retries_is_frozen(place: Place) -> None:
    place.configure(SETTINGS)
    folder = place.home / "bin"
    folder.mkdir()
    (folder / "codex").write_text(RETRIES)
    (folder / "codex").chmod(0o755)
    place.env = {"PATH": f"{folder}:{place.environment()['PATH']}"}
    made = first_try(place, "codex")
    assert made.outcome == "failed"
    assert made.fail_reason.startswith("frozen")
    assert "fruitless messages" in place.relay_log()


def test_a_terminal_shows_that_an_agent_slows_down_and_that_it_is_frozen(place: Place) -> None:
    declared(place, "stubborn", "trap '' INT; sleep 307")
    terminal = relay_in(place, "-i", "1", "-a", "stubborn", "x", columns=120)
    try:
        terminal.sees("⚠ slowing")
        terminal.sees("❄ frozen")
        wait_until(place.tries, "a try on record")
    finally:
        terminal.process.send_signal(signal.SIGTERM)
        terminal.process.wait(20)
        terminal.close()
    assert terminal.shown.index("⚠ slowing") < terminal.shown.index("❄ frozen")
