"""The time of a run, and the handoff that it leaves room for."""

import pytest
from support import RALLY, Place, wait_until

from mittelo.core.records import Outcome
from mittelo.core.relays import EndRun, Relay, Started, StartTry, TryEnded, step
from mittelo.core.routes import Entry, Lane, Runner
from mittelo.core.tries import Interrupt, Limits, Stop, Ticked, begin
from mittelo.core.tries import step as step_try
from mittelo.core.verdicts import Verdict, without_handoff

A = Runner("a")


def test_what_runs_out_first_is_what_ended_a_try() -> None:
    state = begin(Limits(try_seconds=10, timeout=Stop.RUN_TIMEOUT), 0.0)
    state, effects = step_try(state, Ticked(), 11.0)
    assert (state.stop, effects) == (Stop.RUN_TIMEOUT, [Interrupt()])


def test_a_run_without_time_hands_off_in_its_session_then_is_over() -> None:
    relay = Relay(2, 5, Lane((Entry(A),)))
    relay, _ = step(relay, Started())
    out = TryEnded(Outcome.RUN_TIMEOUT, session="s1", reason="run timeout", run_is_over=True)
    relay, effects = step(relay, out)
    assert effects == [StartTry(1, 2, A, "s1", handoff_only=True)]
    _, effects = step(relay, TryEnded(Outcome.HANDOFF_REQUESTED))
    assert effects == [EndRun(1, Outcome.HANDOFF_REQUESTED), StartTry(2, 1, A)]
    _, effects = step(relay, TryEnded(Outcome.HANDOFF_TIMEOUT, reason="handoff not completed"))
    assert effects[0] == EndRun(1, Outcome.HANDOFF_TIMEOUT)


@pytest.mark.parametrize(
    ("resumes", "session", "outcome", "reason"),
    [
        (True, "s1", Outcome.RUN_TIMEOUT, "run timeout"),
        (True, "", Outcome.HANDOFF_TIMEOUT, "run timeout; no session captured for handoff"),
        (False, "", Outcome.HANDOFF_TIMEOUT, "run timeout; harness cannot resume for handoff"),
    ],
)
def test_who_cannot_be_resumed_cannot_hand_off(
    resumes: bool, session: str, outcome: Outcome, reason: str
) -> None:
    out = Verdict(Outcome.RUN_TIMEOUT, "run timeout", run_is_over=True)
    verdict = without_handoff(out, resumes=resumes, session=session)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


@pytest.fixture
def hasty(place: Place) -> Place:
    """A place whose runs have 300 seconds."""
    place.configure(
        "[reliability]\nrun_timeout_secs = 300\nretry_budget = 2\n"
        '[harness.mine]\ncommand = ["sh", "-c", "sleep 60"]\n'
    )
    return place


def long_ago(place: Place, agent: str) -> None:
    """Put a failed try of 298 seconds on record, of the relay that goes on."""
    lines = (place.root / ".rally/state/tries.jsonl").read_text().splitlines()
    assert len(lines) == 1
    made = lines[0].replace('"runtime_ms":', '"runtime_ms":298000,"was":', 1)
    assert agent in made
    (place.root / ".rally/state/tries.jsonl").write_text(made + "\n")
    for copy in (place.root / ".git/mittelo").glob("tries*"):
        copy.unlink()


def test_a_run_that_cannot_hand_off_ends_with_its_time(hasty: Place) -> None:
    hasty.configure(
        (hasty.root / ".rally/config.toml").read_text().replace("sleep 60", "exit 1", 1)
    )
    process = hasty.begin("start", "-i", "1", "-a", "mine", "x")
    wait_until(hasty.tries, "the first try")
    process.terminate()
    process.wait(20)
    long_ago(hasty, "mine")
    hasty.configure(
        (hasty.root / ".rally/config.toml").read_text().replace("exit 1", "sleep 60", 1)
    )
    process = hasty.begin("start", "--resume")
    wait_until(lambda: len(hasty.tries()) > 1, "the end of its time")
    process.terminate()
    process.wait(20)
    made = hasty.tries()[1]
    assert (made.run_id, made.outcome) == (1, Outcome.HANDOFF_TIMEOUT)
    assert made.fail_reason == "run timeout; harness cannot resume for handoff"


def test_a_run_without_time_hands_off_through_its_session(place: Place) -> None:
    """The scripted agent is cut off in its first turn, and hands off in its second."""
    place.configure("[reliability]\nrun_timeout_secs = 300\n")
    hand_off = f"{RALLY} progress --handoff --summary stuck --followup next"
    place.script(
        '{error="broken", exit=1}',
        "{sleep=60}",
        f'{{run=["sh", "-c", "{hand_off}"]}}, {{say="handed off"}}',
    )
    process = place.begin("start", "-i", "1", "-a", "script", "x")
    wait_until(place.tries, "the first try")
    process.terminate()
    process.wait(20)
    long_ago(place, "script")
    done = place.rally("start", "--resume")
    assert done.code == 0, (done.out, done.err)
    _, cut, handoff = place.tries()
    assert (cut.outcome, cut.fail_reason) == (Outcome.RUN_TIMEOUT, "run timeout")
    assert (handoff.outcome, handoff.handoff_only) == (Outcome.HANDOFF_REQUESTED, True)
    assert handoff.resumed_session == cut.session_id
    assert place.summary()[-1]["handoff"]["followups"] == ["next"]
