"""Relays that are stopped or killed while a tool of the agent runs, and go on afterwards."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from clis import Claude, RealCli
from mock_model import MockModel, wait_until
from rallying import Rally, Running

from mittelo.core.records import TryRecord

CODEWORD = "ZEBRA-4417"
TASK = f"SLEEP-PROBE the codeword is {CODEWORD}"
STOP_SECONDS = 20.0


@contextmanager
def sleeping(rally: Rally, cli: RealCli) -> Iterator[Running]:
    """Start a relay and wait until a tool of its agent sleeps, with work half done."""
    rally.init()
    with rally.starting("--new", "--iterations=1", f"--agent={cli.agent}", TASK) as command:
        wait_until(lambda: "sleep" in rally.agent_names, 60)
        yield command


def stop(rally: Rally, cli: RealCli, number: signal.Signals) -> TryRecord:
    """Stop a relay with this signal, and return the record of the try that it cut off."""
    with sleeping(rally, cli) as command:
        session = wait_until(lambda: session_in_status(rally), STOP_SECONDS)
        command.send(number)
        ended = command.wait(STOP_SECONDS)
        assert (ended.code, rally.agents) == (130, [])
    (cut_off,) = rally.tries
    assert (cut_off.outcome, cut_off.completed) == ("cancelled", False)
    assert cut_off.session_id == session
    assert (cut_off.files_changed, cut_off.commit_hash) == (["half-done.txt"], "")
    assert rally.relays[0].ended_at == ""
    assert rally.git("status", "--porcelain") == ["?? half-done.txt"]
    return cut_off


def session_in_status(rally: Rally) -> str:
    """Return the session of the running try, as soon as it is written down."""
    active = json.loads(rally.ask("status", "--json").output)["active"]
    return str(active["session"])


def go_on(rally: Rally, model: MockModel, cut_off: TryRecord) -> None:
    """Resume the relay; what was cut off must be finished in the same conversation."""
    seen = model.seen
    ended = rally.start("--resume")
    assert ended.code == 0, ended
    assert heard(model, seen) == {2}
    before, after = rally.tries
    assert before == cut_off
    assert (after.run_id, after.attempt_number, after.outcome) == (1, 2, "completed")
    assert after.session_id == after.resumed_session == cut_off.session_id
    assert after.files_changed == ["gone-on.txt", "half-done.txt"]
    assert rally.relays[0].ended_at
    assert rally.git("status", "--porcelain") == []


def heard(model: MockModel, since: int) -> set[int]:
    """Return how often the codeword stands in those requests that hold it."""
    return {request.text.count(CODEWORD) for request in model.requests(since)} - {0}


def test_a_stopped_relay_goes_on_in_the_same_session(
    cli: RealCli, rally: Rally, model: MockModel
) -> None:
    seen = model.seen
    cut_off = stop(rally, cli, signal.SIGINT)
    assert cut_off.cancellation_source == "quit_now"
    assert heard(model, seen) == {1}
    go_on(rally, model, cut_off)


def test_a_killed_relay_takes_its_agent_along_and_goes_on(
    cli: RealCli, rally: Rally, model: MockModel
) -> None:
    with sleeping(rally, cli) as command:
        command.send(signal.SIGKILL)
        wait_until(lambda: not rally.agents, STOP_SECONDS)
    assert rally.tries == []
    seen = model.seen
    ended = rally.start("--resume")
    assert ended.code == 0, ended
    assert heard(model, seen) == {2}
    cut_off, after = rally.tries
    assert (cut_off.outcome, cut_off.completed) == ("interrupted", False)
    assert cut_off.session_id
    assert after.session_id == after.resumed_session == cut_off.session_id
    assert (after.run_id, after.attempt_number, after.outcome) == (1, 2, "completed")
    assert rally.git("status", "--porcelain") == []


@pytest.mark.parametrize("cli", [Claude], indirect=True, ids=["claude"])
def test_what_was_changed_before_a_relay_was_killed_is_on_record(
    cli: RealCli, rally: Rally
) -> None:
    with sleeping(rally, cli) as command:
        command.send(signal.SIGKILL)
        wait_until(lambda: not rally.agents, STOP_SECONDS)
    assert rally.start("--resume").code == 0
    assert [made.files_changed for made in rally.tries] == [
        ["half-done.txt"],
        ["gone-on.txt", "half-done.txt"],
    ]


@pytest.mark.parametrize("cli", [Claude], indirect=True, ids=["claude"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_other_signals_stop_a_relay_as_ctrl_c_does(
    cli: RealCli, rally: Rally, model: MockModel, number: signal.Signals
) -> None:
    cut_off = stop(rally, cli, number)
    assert cut_off.cancellation_source == "terminated"
    go_on(rally, model, cut_off)
