from typing import Any

import pytest

from mittelo.core.records import Outcome
from mittelo.core.signs import Ended, Erred, Reading, Said, Sign
from mittelo.core.tries import Finish, Stop
from mittelo.core.verdicts import Facts, Verdict, judge

OK = Ended(ok=True)


def verdict(*signs: Sign, **facts: Any) -> Verdict:
    reading = Reading()
    for sign in signs:
        reading.hear(sign)
    given: dict[str, Any] = {
        "finish": Finish(0),
        "answered": bool(reading.final),
        "needs_end": True,
        "changed": True,
        "require_changes": True,
    }
    return judge(Facts(reading=reading, **(given | facts)))


def test_work_that_was_done_and_told_of_is_completed() -> None:
    assert verdict(Said("done"), OK) == Verdict(Outcome.COMPLETED)


def test_no_change_is_a_failure_unless_the_task_asks_for_none() -> None:
    assert verdict(Said("looked"), OK, changed=False).reason == "no changes made"
    assert verdict(Said("looked"), OK, changed=False, require_changes=False) == Verdict(
        Outcome.COMPLETED
    )


def test_an_end_event_that_reports_an_error_fails_even_with_exit_code_zero() -> None:
    found = verdict(Said("x"), Ended(ok=False, message="quota is used up"))
    assert (found.outcome, found.reason) == (Outcome.FAILED, "agent error: quota is used up")


def test_exit_code_zero_without_an_end_event_is_a_failure_where_one_is_due() -> None:
    assert "without an end event" in verdict(Said("x")).reason
    assert verdict(Said("x"), needs_end=False).outcome is Outcome.COMPLETED


def test_a_passing_error_does_not_fail_a_run_that_succeeds() -> None:
    found = verdict(Erred("Reconnecting... 1/5", passing=True), Said("x"), OK)
    assert found.outcome is Outcome.COMPLETED


def test_an_exit_code_fails_with_what_the_cli_said() -> None:
    found = verdict(Erred("invalid key"), finish=Finish(145), exit_meaning="HTTP 401")
    assert found.reason == "auth/proxy error: exit 145 (HTTP 401): invalid key"


def test_an_exit_code_without_events_is_explained_by_stderr() -> None:
    found = verdict(finish=Finish(1), errors="No conversation found\n")
    assert found.reason == "harness error: exit 1: No conversation found"


def test_a_signal_that_we_did_not_send_is_named() -> None:
    assert verdict(finish=Finish(-9)).reason == "harness error: ended by SIGKILL"


@pytest.mark.parametrize("stop", [Stop.QUIT_NOW, Stop.TERMINATED])
@pytest.mark.parametrize("code", [0, 1, -9])
def test_what_we_stopped_is_cancelled_whatever_the_exit_code(stop: Stop, code: int) -> None:
    found = verdict(Said("x"), OK, finish=Finish(code, stop))
    assert (found.outcome, found.cancelled_by) == (Outcome.CANCELLED, stop)


def test_a_try_that_took_too_long_is_a_timeout() -> None:
    assert verdict(finish=Finish(1, Stop.TRY_TIMEOUT)).outcome is Outcome.RUN_TIMEOUT


def test_what_cannot_start_is_not_worth_another_attempt() -> None:
    found = verdict(finish=Finish(None, None, "Exec format error"))
    assert (found.reason, found.retryable) == ("could not start: Exec format error", False)


def test_an_empty_answer_without_work_is_a_failure() -> None:
    assert verdict(OK, changed=False, require_changes=False).reason == "agent error: empty answer"
    assert verdict(OK).outcome is Outcome.COMPLETED


def test_a_recorded_handoff_counts_without_changes() -> None:
    found = verdict(Said("blocked"), OK, changed=False, handed_off=True)
    assert found.outcome is Outcome.HANDOFF_REQUESTED
