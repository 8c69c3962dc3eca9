"""Verdicts on agents that we ended because they got nowhere, or did not go when they were done."""

from mittelo.core.records import Outcome
from mittelo.core.signs import Ended, Erred, Reading
from mittelo.core.tries import Finish, Stop
from mittelo.core.verdicts import Facts, Verdict, judge

SEEN = "no progress for 901 s, connections: 0, no work for 900 s"


def verdict(finish: Finish, reading: Reading, *, changed: bool = True) -> Verdict:
    facts = Facts(
        finish=finish,
        reading=reading,
        answered=bool(reading.final),
        needs_end=True,
        changed=changed,
        require_changes=True,
    )
    return judge(facts)


def test_a_frozen_agent_has_failed_whatever_it_exits_with_and_may_be_tried_again() -> None:
    for code in (0, 1, -2, -9, None):
        finish = Finish(code, Stop.STALLED, frozen=SEEN)
        found = verdict(finish, Reading(ended=Ended(ok=True, text="done")))
        assert (found.outcome, found.reason) == (Outcome.FAILED, f"frozen: {SEEN}")
        assert found.retryable
        assert not found.cancelled_by


def test_an_agent_that_lingered_is_judged_by_what_it_said() -> None:
    for code in (0, 1, -2, -9, None):
        finish = Finish(code, Stop.LINGERED)
        done = Reading(ended=Ended(ok=True, text="done"))
        assert verdict(finish, done).outcome is Outcome.COMPLETED
        assert verdict(finish, done, changed=False).reason == "no changes made"
        failed = Reading(ended=Ended(ok=False, message="no such model"))
        failed.errors = [Erred("no such model")]
        assert "no such model" in verdict(finish, failed).reason
        assert "SIG" not in verdict(finish, failed).reason
