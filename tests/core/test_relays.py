from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mittelo.core.mixes import Quota
from mittelo.core.records import Outcome, TryRecord
from mittelo.core.relays import (
    Effect,
    End,
    Ending,
    EndRun,
    Event,
    Relay,
    Started,
    StartTry,
    StopAsked,
    TryEnded,
    Wait,
    WaitOver,
    resume,
    step,
)
from mittelo.core.routes import Entry, Lane, Runner

A, B = Runner("a"), Runner("b")
DONE = TryEnded(Outcome.COMPLETED)
NO_CHANGE = TryEnded(Outcome.FAILED, session="s1", reason="no changes made")
CANCELLED = TryEnded(Outcome.CANCELLED, session="s1", reason="cancelled (quit_now)")
BROKEN = TryEnded(Outcome.FAILED, retryable=False, reason="could not start")


def relay(target: int = 2, budget: int = 2, *runners: Runner) -> Relay:
    entries = tuple(Entry(runner, Quota(1, 1)) for runner in runners or (A,))
    return Relay(target, budget, Lane(entries))


def play(state: Relay, *history: Event) -> list[Effect]:
    effects: list[Effect] = []
    for event in history:
        state, more = step(state, event)
        effects += more
    return effects


def test_runs_follow_each_other_until_the_target_is_reached() -> None:
    assert play(relay(2, 5, A, B), Started(), DONE, DONE) == [
        StartTry(1, 1, A),
        EndRun(1, Outcome.COMPLETED),
        StartTry(2, 1, B),
        EndRun(2, Outcome.COMPLETED),
        End(Ending.COMPLETE),
    ]


def test_a_target_of_nothing_is_complete_at_once() -> None:
    assert play(relay(0), Started()) == [End(Ending.COMPLETE)]


def test_a_failed_try_is_tried_again_in_its_session_after_a_while() -> None:
    assert play(relay(), Started(), NO_CHANGE, WaitOver(), DONE)[:4] == [
        StartTry(1, 1, A),
        Wait(1.0, "retry 2/2: no changes made"),
        StartTry(1, 2, A, "s1"),
        EndRun(1, Outcome.COMPLETED),
    ]


def test_a_session_that_could_not_be_resumed_is_given_up() -> None:
    silent = TryEnded(Outcome.FAILED, spoke=False, reason="no such session")
    effects = play(relay(1, 3), Started(), NO_CHANGE, WaitOver(), silent, WaitOver())
    assert effects[-1] == StartTry(1, 3, A)


def test_a_run_whose_budget_is_spent_moves_on_to_the_next_runner() -> None:
    effects = play(relay(2, 1, A, B), Started(), NO_CHANGE)
    assert effects[1:] == [EndRun(1, Outcome.FAILED), StartTry(2, 1, B)]


def test_an_agent_that_cannot_start_is_left_at_once_and_may_come_back() -> None:
    assert play(relay(1, 5, A, B), Started(), BROKEN, BROKEN, WaitOver())[1:] == [
        EndRun(1, Outcome.FAILED),
        StartTry(2, 1, B),
        EndRun(2, Outcome.FAILED),
        Wait(5.0, "every agent failed, last: could not start"),
        StartTry(3, 1, A),
    ]


def test_what_no_agent_can_mend_ends_the_relay() -> None:
    stuck = TryEnded(Outcome.FAILED, stuck=True, reason="the index is locked")
    assert play(relay(2, 5, A, B), Started(), stuck)[1:] == [
        EndRun(1, Outcome.FAILED),
        End(Ending.FAILED, "the index is locked"),
    ]


def test_a_lane_that_failed_as_a_whole_gets_other_chances_and_then_the_relay_ends() -> None:
    effects = play(relay(1, 1), Started(), NO_CHANGE, WaitOver(), NO_CHANGE, WaitOver(), NO_CHANGE)
    waits = [effect.seconds for effect in effects if isinstance(effect, Wait)]
    assert waits == [5.0, 30.0]
    assert effects[-1] == End(Ending.FAILED, "all agents unavailable (no changes made)")


def test_a_success_wipes_out_earlier_failures_of_the_lane() -> None:
    failed = (NO_CHANGE, WaitOver())
    effects = play(relay(9, 1), Started(), *failed, *failed, DONE, *failed, *failed)
    assert not any(isinstance(effect, End) for effect in effects)


def test_a_cancelled_try_stops_the_relay() -> None:
    assert play(relay(), Started(), CANCELLED)[1:] == [
        EndRun(1, Outcome.CANCELLED),
        End(Ending.STOPPED, "cancelled (quit_now)"),
    ]


def test_a_stop_between_tries_ends_the_relay_as_stopped() -> None:
    assert play(relay(), Started(), NO_CHANGE, StopAsked())[-1] == End(Ending.STOPPED, "stopped")


def made(run: int, attempt: int, outcome: Outcome, agent: str = "a", **more: Any) -> TryRecord:
    return TryRecord(
        id=1,
        run_id=run,
        relay_id=1,
        agent_type=agent,
        completed=outcome.succeeded,
        outcome=outcome,
        summary="",
        remaining_work="",
        files_changed=[],
        commit_hash="",
        started_at="",
        ended_at="",
        attempt_number=attempt,
        **more,
    )


def test_a_resumed_relay_goes_on_with_the_run_that_was_cut_off() -> None:
    past = [made(1, 1, Outcome.COMPLETED), made(2, 1, Outcome.CANCELLED, session_id="s2")]
    assert play(resume(relay(3), past), Started(), DONE)[:2] == [
        StartTry(2, 2, A, "s2"),
        EndRun(2, Outcome.COMPLETED),
    ]


def test_a_resumed_relay_counts_on_from_the_last_run_of_all() -> None:
    past = [made(1, 1, Outcome.FAILED), made(2, 1, Outcome.COMPLETED)]
    resumed = resume(relay(3, 1), past)
    assert resumed.done == 1
    assert play(resumed, Started()) == [StartTry(3, 1, A)]


def test_a_resumed_relay_goes_on_in_the_mix_where_it_stood() -> None:
    past = [made(1, 1, Outcome.COMPLETED, "a"), made(2, 1, Outcome.COMPLETED, "b")]
    assert play(resume(relay(9, 1, A, B), past), Started()) == [StartTry(3, 1, A)]


def test_a_resumed_run_goes_back_to_its_own_runner_wherever_the_mix_stood() -> None:
    past = [made(1, 1, Outcome.COMPLETED, "b"), made(2, 1, Outcome.CANCELLED, "b", session_id="s")]
    assert play(resume(relay(9, 5, A, B), past), Started()) == [StartTry(2, 2, B, "s")]


def test_another_runner_does_not_get_the_session_of_the_one_before() -> None:
    past = [made(1, 1, Outcome.CANCELLED, "gone", session_id="s9")]
    assert play(resume(relay(1), past), Started()) == [StartTry(1, 2, A)]


OUTCOMES = st.sampled_from([DONE, NO_CHANGE, BROKEN, CANCELLED])


@given(st.lists(OUTCOMES, max_size=60), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
def test_any_history_of_tries_ends_or_asks_for_one_next_thing(
    results: list[TryEnded], target: int, budget: int, runners: int
) -> None:
    lane = [Runner(name) for name in "abc"[:runners]]
    state, effects = step(relay(target, budget, *lane), Started())
    attempts: set[tuple[int, int]] = set()
    for result in results:
        if isinstance(effects[-1], Wait):
            state, effects = step(state, WaitOver())
        if isinstance(effects[-1], End):
            break
        start = effects[-1]
        assert isinstance(start, StartTry)
        assert (start.run, start.attempt) not in attempts
        assert start.attempt <= budget
        attempts.add((start.run, start.attempt))
        state, effects = step(state, result)
    assert state.done <= target
    assert isinstance(effects[-1], StartTry | Wait | End)


@given(st.lists(st.sampled_from([DONE, NO_CHANGE]), max_size=40), st.integers(1, 3))
def test_resuming_from_the_records_is_going_on(results: list[TryEnded], budget: int) -> None:
    fresh = relay(50, budget, A, B)
    state, effects = step(fresh, Started())
    past: list[TryRecord] = []
    for result in results:
        if isinstance(effects[-1], Wait):
            state, effects = step(state, WaitOver())
        if not isinstance(effects[-1], StartTry):
            return
        start = effects[-1]
        more = {"session_id": result.session, "fail_reason": result.reason}
        past.append(made(start.run, start.attempt, result.outcome, start.runner.harness, **more))
        state, effects = step(state, result)
    again, first = step(resume(fresh, past), Started())
    if isinstance(effects[-1], Wait):
        state, effects = step(state, WaitOver())
    if isinstance(effects[-1], StartTry) and isinstance(first[-1], StartTry):
        assert first[-1] == effects[-1]
        assert again.done == state.done
