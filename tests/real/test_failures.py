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
    ("cli", "refused", "code", "category", "said"),
    [
        pytest.param(Claude, NO_LOGIN, 1, "auth_or_proxy", "Invalid API key", id="claude"),
        pytest.param(Codex, NO_MODEL, 1, "invalid_model", "does not exist.", id="codex"),
        pytest.param(Gemini, NO_PERMISSION, 147, "auth_or_proxy", "may not.", id="gemini"),
        pytest.param(OpenCode, NO_KEY, 1, "auth_or_proxy", "Incorrect API key", id="opencode"),
    ],
    indirect=["cli"],
)
def test_a_refusal_that_nothing_will_change_ends_a_relay_without_another_agent_at_once(
    cli: RealCli,
    rally: Rally,
    model: MockModel,
    refused: Status,
    code: int,
    category: str,
    said: str,
) -> None:
    model.fault(refused)
    rally.init()
    ended = rally.start("--new", "--iterations=1", f"--agent={cli.agent}", TASK)
    (made,) = rally.tries
    assert (made.outcome, made.completed, made.exit_code) == ("failed", False, code)
    assert made.category == category
    assert f"exit {code}" in made.fail_reason
    assert said in made.fail_reason
    assert made.evidence
    assert made.evidence.source == "event"
    assert made.session_id
    assert (made.files_changed, made.commit_hash) == ([], "")
    assert ended.code == 1
    assert "all agents unavailable" in ended.errors
    assert rally.relays[0].ended_why.startswith("all agents unavailable")
    assert rally.git("status", "--porcelain") == []


@pytest.mark.parametrize("cli", [Claude], indirect=True, ids=["claude"])
def test_who_has_no_credit_left_is_waited_for(cli: RealCli, rally: Rally, model: MockModel) -> None:
    model.fault(NO_CREDIT)
    rally.init(ONE_ATTEMPT)
    with rally.starting("--new", "--iterations=1", f"--agent={cli.agent}", TASK) as command:
        wait_until(lambda: rally.tries)
        command.send(signal.SIGINT)
        ended = command.wait(8)
    (made,) = rally.tries
    assert made.category == "usage_limit"
    assert "Credit balance is too low" in made.fail_reason
    assert ended.code == 130
    assert rally.relays[0].ended_at == ""


@pytest.mark.parametrize("cli", [Codex], indirect=True, ids=["codex"])
def test_another_agent_takes_the_same_run_over(
    cli: RealCli, rally: Rally, model: MockModel
) -> None:
    model.fault(NO_MODEL, times=1)
    rally.init('[harness.other]\ncommand = ["sh", "-c", "date > made; echo made it"]\n')
    ended = rally.start("--new", "--iterations=1", f"--agent={cli.agent} other", TASK)
    assert ended.code == 0, ended
    assert [(made.run_id, made.attempt_number, made.agent_type) for made in rally.tries] == [
        (1, 1, "codex"),
        (1, 2, "other"),
    ]
