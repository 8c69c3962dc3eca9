"""Real CLIs whose model refuses them: what rally records, and how its relay goes on."""

import json
import signal
from dataclasses import replace

import pytest
from clis import Claude, Codex, Gemini, OpenCode, RealCli
from faults import Status
from mock_model import MockModel, wait_until
from rallying import Rally

ONE_ATTEMPT = "[reliability]\nretry_budget = 1\n"
TASK = "ITERATION-PROBE make a file"


def refusal(http: int, message: str, **error: object) -> Status:
    return Status(http, json.dumps({"type": "error", "error": {"message": message, **error}}))


NO_CREDIT = refusal(400, "Your credit balance is too low.", type="invalid_request_error")
NO_LOGIN = refusal(401, "invalid x-api-key", type="authentication_error")
NO_MODEL = refusal(404, "The model `gpt-5.5` does not exist.", code="model_not_found")
NO_PERMISSION = refusal(403, "The caller may not.", code=403, status="PERMISSION_DENIED")
NO_KEY = refusal(401, "Incorrect API key provided: dummy-key.", code="invalid_api_key")


@pytest.fixture
def rally(rally: Rally, cli: RealCli) -> Rally:
    """A CLI that is told to retry little: where it can be told, it gives up at once."""
    hasty = replace(cli, quick_retries=True)
    hasty.settle()
    return replace(rally, environment=hasty.environment)


@pytest.mark.parametrize(
    ("cli", "refused", "code", "said"),
    [
        pytest.param(Claude, NO_CREDIT, 1, "Credit balance is too low", id="claude-no-credit"),
        pytest.param(Claude, NO_LOGIN, 1, "Invalid API key", id="claude-no-login"),
        pytest.param(Codex, NO_MODEL, 1, "The model `gpt-5.5` does not exist.", id="codex"),
        pytest.param(Gemini, NO_PERMISSION, 147, "The caller may not.", id="gemini"),
        pytest.param(OpenCode, NO_KEY, 1, "Incorrect API key provided", id="opencode"),
    ],
    indirect=["cli"],
)
def test_what_the_cli_says_of_its_failure_is_on_record(
    cli: RealCli, rally: Rally, model: MockModel, refused: Status, code: int, said: str
) -> None:
    model.fault(refused)
    rally.init(ONE_ATTEMPT)
    with rally.starting("--new", "--iterations=1", f"--agent={cli.agent}", TASK) as command:
        wait_until(lambda: rally.tries)
        command.send(signal.SIGINT)
        ended = command.wait(8)
    (made,) = rally.tries
    assert (made.outcome, made.completed, made.exit_code) == ("failed", False, code)
    assert made.fail_reason.startswith(f"harness error: exit {code}")
    assert said in made.fail_reason
    assert made.session_id
    assert (made.files_changed, made.commit_hash) == ([], "")
    assert ended.code == 130
    assert made.fail_reason in ended.output
    assert rally.relays[0].ended_at == ""
    assert rally.git("status", "--porcelain") == []


@pytest.mark.parametrize("cli", [Codex], indirect=True, ids=["codex"])
def test_a_failed_run_stays_failed_when_the_relay_is_stopped_afterwards(
    cli: RealCli, rally: Rally, model: MockModel
) -> None:
    model.fault(NO_MODEL)
    rally.init(ONE_ATTEMPT)
    with rally.starting("--new", "--iterations=1", f"--agent={cli.agent}", TASK) as command:
        wait_until(lambda: rally.tries)
        command.send(signal.SIGINT)
        assert "0 passed  │  1 failed" in command.wait(8).output


@pytest.mark.parametrize("cli", [Codex], indirect=True, ids=["codex"])
def test_a_relay_gives_up_when_no_agent_comes_back(
    cli: RealCli, rally: Rally, model: MockModel
) -> None:
    model.fault(NO_MODEL)
    rally.init(ONE_ATTEMPT)
    ended = rally.start("--new", "--iterations=1", f"--agent={cli.agent}", TASK)
    assert ended.code == 1
    assert "Relay failed" in ended.output
    assert "all agents unavailable" in ended.errors
    assert [made.run_id for made in rally.tries] == [1, 2, 3]
    (relay,) = rally.relays
    assert relay.ended_at
    assert relay.ended_why.startswith("all agents unavailable")


@pytest.mark.parametrize("cli", [Codex], indirect=True, ids=["codex"])
def test_a_failed_relay_goes_on_when_the_model_is_well_again(
    cli: RealCli, rally: Rally, model: MockModel
) -> None:
    model.fault(NO_MODEL, times=1)
    rally.init(ONE_ATTEMPT)
    ended = rally.start("--new", "--iterations=1", f"--agent={cli.agent}", TASK)
    assert ended.code == 0, ended
    assert [(made.run_id, made.completed) for made in rally.tries] == [(1, False), (2, True)]
