"""Notices to a program of the user's, through the installed command."""

import json
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support import Done, Place, wait_until

WORKS = '{say="a"}, {write="a", text="x"}, {usage={input=10, output=1, cost=0.5}}'
LIMITED = (
    '[harness.out]\ncommand = ["sh", "-c", '
    '"echo Usage limit reached, try again in 3 hours >&2; exit 1"]\n'
)


def notified(place: Place, settings: str = "", command: str = "") -> Path:
    """Configure a notify command that appends what it reads to a file outside the repository."""
    told = place.home / "told.jsonl"
    words = json.dumps(["sh", "-c", command or f"cat >> {shlex.quote(str(told))}"])
    place.configure(f"[notify]\ncommand = {words}\n{settings}")
    return told


def notices(told: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []


def works(place: Place) -> Done:
    place.script(WORKS)
    return place.rally("start", "-i", "1", "-a", "script", "x")


def test_a_finished_relay_is_told_of_with_what_it_used(place: Place) -> None:
    told = notified(place)
    assert works(place).code == 0
    [notice] = notices(told)
    assert notice.pop("time").endswith("Z")
    assert notice == {
        "v": 1,
        "event": "done",
        "why": "",
        "workspace": str(place.root),
        "relay_id": 1,
        "runs_done": 1,
        "runs_target": 1,
        "runner": "script",
        "until": "",
        "spend": {"tokens": 11, "cost_usd": 0.5},
    }
    assert "notify done: exit 0" in place.relay_log()


def test_a_relay_that_a_budget_stopped_is_told_of_as_such(place: Place) -> None:
    told = notified(place, "[budget]\nrelay_usd = 0.5\n")
    place.script(WORKS)
    assert place.rally("start", "-i", "2", "-a", "script", "x").code == 1
    [notice] = notices(told)
    assert (notice["event"], notice["runs_done"], notice["runs_target"]) == ("budget", 1, 2)
    assert notice["why"].startswith("the relay budget of $0.50 is used up")


@contextmanager
def waiting(place: Place, agent: str, told: Path) -> Iterator[dict[str, Any]]:
    """Run a relay whose agent sits out, and stop it at the end; gives the notice of the wait."""
    relay = place.begin("start", "-i", "1", "-a", agent, "x")
    try:
        wait_until(lambda: notices(told), "a notice of the wait")
        yield notices(told)[0]
        assert place.rally("stop").code == 0
        assert relay.wait(20) == 0
    finally:
        relay.send_signal(signal.SIGTERM)
        relay.wait(20)


def test_a_long_wait_is_told_of_once_and_so_is_the_stop_that_ends_it(place: Place) -> None:
    told = notified(place, LIMITED)
    with waiting(place, "out", told) as notice:
        assert (notice["event"], notice["why"]) == ("waiting", "usage limit")
        assert notice["until"] > notice["time"]
        assert notice["runner"] == "out"
    _, stopped = notices(told)
    assert (stopped["event"], stopped["why"], stopped["until"]) == ("stopped", "graceful_stop", "")


def test_a_wait_that_only_the_user_can_end_has_no_end(place: Place) -> None:
    told = notified(place)
    assert place.rally("bench", "script").code == 0
    with waiting(place, "script", told) as notice:
        assert (notice["event"], notice["until"]) == ("waiting", "")


def test_a_relay_that_is_stuck_is_told_of_and_a_short_wait_is_not(place: Place) -> None:
    broken = '[reliability]\nretry_budget = 2\n[harness.gone]\ncommand = ["sh", "-c", "exit 1"]\n'
    auth = broken.replace('"exit 1"', '"echo invalid api key >&2; exit 1"')
    told = notified(place, auth)
    assert place.rally("start", "-i", "1", "-a", "gone", "x").code == 1
    [notice] = notices(told)
    assert notice["event"] == "failed"
    assert "all agents unavailable" in notice["why"]


def test_a_relay_that_breaks_off_is_told_of(place: Place) -> None:
    told = notified(place)
    spoil = "rm .rally/state/tries.jsonl; mkdir -p .rally/state/tries.jsonl; echo x > made"
    place.script(f'{{run=["sh", "-c", "{spoil}"]}}')
    done = place.rally("start", "-i", "1", "-a", "script", "x")
    assert done.code not in {0, 130}
    [notice] = notices(told)
    assert (notice["event"], "tries.jsonl" in notice["why"]) == ("failed", True)


def test_only_the_events_that_are_asked_for_are_told(place: Place) -> None:
    told = notified(place, 'events = ["failed", "budget"]\n')
    assert works(place).code == 0
    assert notices(told) == []
    assert "notify" not in place.relay_log()


def test_a_command_that_hangs_is_ended_and_harms_nothing(place: Place) -> None:
    notified(place, command="echo $$ >&2; sleep 397 & sleep 397")
    began = time.monotonic()
    done = works(place)
    assert done.code == 0, done.err
    assert time.monotonic() - began < 40
    assert "notify done: ended after 10 s" in place.relay_log()


def test_a_command_that_fails_is_noted_in_the_log_alone(place: Place) -> None:
    notified(place, command="echo no such channel >&2; exit 7")
    done = works(place)
    assert done.code == 0
    assert "notify done: exit 7: no such channel" in place.relay_log()
    assert "no such channel" not in done.out + done.err


def test_a_command_that_is_not_there_is_noted_in_the_log(place: Place) -> None:
    place.configure('[notify]\ncommand = ["no-such-notifier", "with", "words"]\n')
    assert works(place).code == 0
    assert "notify done: could not start: No such file or directory" in place.relay_log()


def test_megabytes_of_its_output_are_not_kept(place: Place) -> None:
    notified(place, command="head -c 20000000 /dev/zero | tr '\\0' x")
    assert works(place).code == 0
    log = place.relay_log()
    assert "notify done: exit 0: xxx" in log
    assert len(log) < 5000


def test_secrets_reach_neither_logs_nor_records(place: Place) -> None:
    place.env["HOOK_TOKEN"] = "tok-0123456789abcdef"
    place.configure(
        '[notify]\ncommand = ["sh", "-c", "echo \\"sent $HOOK_TOKEN to $1\\"", "sh", '
        '"https://hooks.example/T0/B1/very-secret"]\n'
    )
    assert works(place).code == 0
    assert "notify done: exit 0: sent *** to ***" in place.relay_log()
    kept = [path for path in place.home.rglob("*") if path.is_file()]
    kept += [path for path in (place.root / ".rally/state").rglob("*") if path.is_file()]
    text = b"".join(path.read_bytes() for path in kept)
    assert b"tok-0123456789abcdef" not in text
    assert b"very-secret" not in text


def test_it_is_given_its_words_as_they_are_and_no_shell(place: Place) -> None:
    told = place.home / "words"
    stub = place.home / "stub"
    stub.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {told}\npwd >> {told}\n')
    stub.chmod(0o755)
    place.configure(f'[notify]\ncommand = ["{stub}", "$HOME; echo *", "a b"]\n')
    assert works(place).code == 0
    assert told.read_text().splitlines() == ["$HOME; echo *", "a b", str(place.root)]
