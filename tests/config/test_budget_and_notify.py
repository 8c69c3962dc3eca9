import pytest
from tests.config.configs import configured

from mittelo.config.findings import Gravity
from mittelo.config.limits import budgets
from mittelo.core.budgets import Amount, Scope


def test_without_a_budget_there_is_no_limit() -> None:
    assert {*budgets(configured().settings.budget).values()} == {Amount()}


def test_budgets_are_read_from_files_and_from_the_environment() -> None:
    text = "[budget]\ntry_usd = 1\nrun_tokens = 500\nday_usd = 2.5\n"
    configuration = configured(text, env={"RALLY_BUDGET_RELAY_USD": "7.25"})
    assert not configuration.findings
    assert budgets(configuration.settings.budget) == {
        Scope.TRY: Amount(usd=1.0),
        Scope.RUN: Amount(tokens=500),
        Scope.RELAY: Amount(usd=7.25),
        Scope.DAY: Amount(usd=2.5),
    }


@pytest.mark.parametrize("value", ["-1", "-0.01", "nan", "inf"])
def test_a_budget_that_is_none_is_an_error_and_limits_nothing(value: str) -> None:
    [finding] = configured(f"[budget]\nday_usd = {value}").findings
    assert (finding.gravity, finding.key) == (Gravity.ERROR, ("budget", "day_usd"))
    assert "0 for no limit" in finding.todo
    assert finding.where == "repo.toml:2"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("run_tokens = -5", "run_tokens = -5"),
        ("run_tokens = 1.5", "a whole number"),
        ('try_usd = "1"', "a number"),
        ("relay_dollars = 1", "unknown key"),
    ],
)
def test_what_is_wrong_with_a_budget_is_told(text: str, word: str) -> None:
    [finding] = configured(f"[budget]\n{text}").findings
    assert word in finding.what


def test_a_notify_command_and_its_events_are_read() -> None:
    text = '[notify]\ncommand = ["notify-me", "--now"]\nevents = ["done", "budget"]\n'
    configuration = configured(text)
    assert not configuration.findings
    assert configuration.settings.notify.command == ["notify-me", "--now"]


@pytest.mark.parametrize(
    ("text", "key", "word"),
    [
        ('command = [""]', "command", "names no program"),
        ('events = ["done", "waitng"]', "events", "Did you mean waiting?"),
        ('events = ["x"]', "events", "Known are: done, stopped, failed"),
        ('command = "notify-me"', "command", "a list"),
    ],
)
def test_what_is_wrong_with_notify_is_told(text: str, key: str, word: str) -> None:
    [finding] = configured(f"[notify]\n{text}").findings
    assert (finding.gravity, finding.key) == (Gravity.ERROR, ("notify", key))
    assert word in str(finding)
