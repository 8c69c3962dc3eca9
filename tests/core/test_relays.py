from collections.abc import Iterator
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mittelo.core.mixes import Quota
from mittelo.core.records import Outcome, TryRecord
from mittelo.core.relays import (
    LOOK_AGAIN,
    BenchesRead,
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
    step,
)
from mittelo.core.resuming import resume
from mittelo.core.routes import ONE, Entry, Key, Lane, Reference, Runner
from mittelo.core.standings import Bench, Benches

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


def test_a_session_in_which_nothing_was_said_or_done_is_not_gone_on_with() -> None:
    mute = TryEnded(Outcome.FAILED, session="s1", spoke=False, reason="connection refused")
    assert play(relay(1, 2), Started(), mute, WaitOver())[-1] == StartTry(1, 2, A)


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


LIMITED = Bench("usage limit", 100.0)
CALLED_OUT = Bench("by hand")


def benched(*runners: Runner, bench: Bench = LIMITED, now: float = 10.0) -> BenchesRead:
    return BenchesRead({runner.key: bench for runner in runners}, now)


def test_a_runner_that_sits_out_is_not_chosen() -> None:
    assert play(relay(2, 2, A, B), benched(A), Started(), DONE) == [
        StartTry(1, 1, B),
        EndRun(1, Outcome.COMPLETED),
        StartTry(2, 1, B),
    ]


def test_a_runner_with_a_model_sits_out_by_itself() -> None:
    opus = Runner("a", "opus")
    assert play(relay(2, 2, A, opus), benched(A), Started()) == [StartTry(1, 1, opus)]
    assert play(relay(2, 2, A, opus), benched(opus), Started()) == [StartTry(1, 1, A)]


def test_reading_the_benches_asks_for_nothing() -> None:
    assert play(relay(), benched(A)) == []


def test_a_run_whose_runner_must_sit_out_moves_on_to_the_next_without_its_session() -> None:
    history = (Started(), NO_CHANGE, benched(A), WaitOver())
    assert play(relay(1, 3, A, B), *history, DONE)[2:] == [
        StartTry(1, 2, B),
        EndRun(1, Outcome.COMPLETED),
        End(Ending.COMPLETE),
    ]


def test_a_run_that_moved_on_keeps_the_session_of_its_new_runner() -> None:
    other = TryEnded(Outcome.FAILED, session="s2", reason="no changes made")
    history = (Started(), NO_CHANGE, benched(A), WaitOver(), other, WaitOver())
    assert play(relay(1, 3, A, B), *history)[-1] == StartTry(1, 3, B, "s2")


def test_a_run_that_waited_for_its_only_runner_goes_on_in_its_session() -> None:
    history = (Started(), NO_CHANGE, benched(A), WaitOver(), benched(), WaitOver())
    assert play(relay(1, 3, A), *history)[2:] == [
        Wait(90.0, "usage limit", 100.0),
        StartTry(1, 2, A, "s1"),
    ]


def test_a_relay_waits_for_the_first_to_come_back_and_goes_on_with_it() -> None:
    both = BenchesRead({A.key: LIMITED, B.key: Bench("overloaded", 40.0)}, 10.0)
    history = (both, Started(), benched(A, now=41.0), WaitOver())
    assert play(relay(1, 1, A, B), *history) == [
        Wait(30.0, "usage limit; overloaded", 40.0),
        StartTry(1, 1, B),
    ]


def test_a_lane_goes_on_after_a_wait_where_it_stood_before() -> None:
    history = (Started(), benched(A, B), DONE, benched(now=101.0), WaitOver())
    assert served(play(relay(9, 1, A, B), *history)) == "a-b"


def test_a_run_that_had_to_wait_counts_as_one_of_its_entry() -> None:
    history = (Started(), NO_CHANGE, benched(A, B), WaitOver(), benched(now=101.0), WaitOver())
    assert served(play(relay(9, 3, A, B), *history, DONE)) == "a--ab"


def test_a_wait_that_ended_too_early_goes_on() -> None:
    history = (benched(A), Started(), benched(A, now=60.0), WaitOver())
    assert play(relay(1, 1, A), *history) == [
        Wait(90.0, "usage limit", 100.0),
        Wait(40.0, "usage limit", 100.0),
    ]


def test_a_bench_that_should_be_over_is_not_waited_for_backwards() -> None:
    assert play(relay(1, 1, A), benched(A, now=200.0), Started()) == [
        Wait(0.0, "usage limit", 100.0)
    ]


def test_a_relay_waits_for_the_user_who_sent_all_to_the_bench() -> None:
    [wait] = play(relay(1, 1, A, B), benched(A, B, bench=CALLED_OUT), Started())
    assert isinstance(wait, Wait)
    assert (wait.why, wait.seconds) == ("by hand", LOOK_AGAIN)


def test_a_relay_ends_when_nobody_can_ever_come_back() -> None:
    gone = Bench("not installed", for_good=True)
    assert play(relay(1, 1, A, B), benched(A, B, bench=gone), Started()) == [
        End(Ending.FAILED, "all agents unavailable (not installed)")
    ]


def test_a_relay_without_runners_ends_and_says_so() -> None:
    assert play(Relay(1, 1, Lane(())), Started()) == [
        End(Ending.FAILED, "all agents unavailable (the lane is empty)")
    ]


def test_when_one_failed_and_one_sits_out_both_are_named_in_the_end() -> None:
    fails = (NO_CHANGE, WaitOver())
    effects = play(relay(1, 1, A, B), benched(B, bench=CALLED_OUT), Started(), *fails, *fails)
    assert effects[-1] == StartTry(3, 1, A)
    effects = play(
        relay(1, 1, A, B), benched(B, bench=CALLED_OUT), Started(), *fails, *fails, NO_CHANGE
    )
    assert effects[-1] == End(Ending.FAILED, "all agents unavailable (no changes made; by hand)")


def test_a_lane_that_failed_again_and_again_waits_for_whom_it_can_wait_for() -> None:
    fails = (NO_CHANGE, WaitOver())
    effects = play(relay(1, 1, A, B), benched(B), Started(), *fails, *fails, NO_CHANGE)
    waits = [(effect.seconds, effect.until) for effect in effects if isinstance(effect, Wait)]
    assert waits == [(5.0, None), (30.0, None), (90.0, 100.0)]


def mixed(*entries: Entry | Reference, target: int = 50, budget: int = 1) -> Relay:
    return Relay(target, budget, Lane(entries))


def served(effects: list[Effect]) -> str:
    """Return who was started, "-" for a wait."""
    shown = {Wait: "-", End: ".", EndRun: ""}
    return "".join(
        effect.runner.harness if isinstance(effect, StartTry) else shown[type(effect)]
        for effect in effects
    )


A1, B1, B2_4 = Entry(A, ONE), Entry(B, ONE), Entry(B, Quota(2, 4))


def test_a_range_past_its_maximum_waits_for_who_sits_out() -> None:  # S12
    history: tuple[Event, ...] = (Started(), benched(A), *[DONE] * 5)
    effects = play(mixed(A1, B2_4), *history, benched(now=101.0), WaitOver(), DONE)
    assert served(effects) == "abbbb-ab"
    assert Wait(90.0, "usage limit", 100.0) in effects


def test_a_range_past_its_maximum_begins_anew_when_nobody_comes_back() -> None:
    history: tuple[Event, ...] = (Started(), benched(A, bench=CALLED_OUT), *[DONE] * 7)
    assert served(play(mixed(A1, B2_4), *history)) == "abbbbbbb"


def test_a_range_past_its_maximum_lets_those_try_again_who_failed() -> None:
    history: tuple[Event, ...] = (Started(), NO_CHANGE, *[DONE] * 5)
    assert served(play(mixed(A1, B2_4), *history)) == "abbbbab"


def test_the_last_range_of_a_longer_lane_waits_until_the_first_is_back() -> None:  # S15
    c = Runner("c")
    lane = (Entry(A, Quota(3, 3)), Entry(B, Quota(3, 3)), Entry(c, Quota(1, 5)))
    after_c: tuple[Event, ...] = (benched(A), *[DONE] * 4)
    history: tuple[Event, ...] = (Started(), *[DONE] * 6, *after_c, benched(A, B), *[DONE] * 5)
    effects = play(mixed(*lane), *history, benched(B, now=101.0), WaitOver())
    assert served(effects) == "aaabbbcbbbccccc-a"


def test_a_reference_moves_a_failed_run_on_to_its_next_choice() -> None:
    both = Reference("R", 1, (A, B))
    assert served(play(mixed(both), Started(), BROKEN, DONE, DONE)) == "abab"


def test_a_reference_whose_choice_sits_out_is_served_by_the_other() -> None:
    both = Reference("R", 1, (A, B))
    assert served(play(mixed(both), benched(A), Started(), DONE, DONE)) == "bbb"


def test_a_reference_all_of_whom_fail_is_waited_for_like_any_other_lane() -> None:
    both = Reference("R", 1, (A, B))
    assert served(play(mixed(both), Started(), BROKEN, BROKEN)) == "ab-"


def test_a_resumed_run_whose_runner_sits_out_now_goes_on_with_another() -> None:
    past = [made(1, 1, Outcome.CANCELLED, "a", session_id="s1")]
    assert play(resume(relay(9, 5, A, B), past), benched(A), Started()) == [StartTry(1, 2, B)]


def test_a_resumed_run_that_had_moved_on_goes_on_with_its_last_runner() -> None:
    past = [
        made(1, 1, Outcome.FAILED, "a", session_id="s1"),
        made(1, 2, Outcome.CANCELLED, "b", session_id="s2"),
    ]
    assert play(resume(relay(9, 5, A, B), past), Started()) == [StartTry(1, 3, B, "s2")]


def test_a_resumed_relay_whose_whole_lane_had_failed_tries_again_at_once() -> None:
    past = [made(1, 1, Outcome.FAILED, "a"), made(2, 1, Outcome.FAILED, "b")]
    assert play(resume(relay(9, 1, A, B), past), Started()) == [StartTry(3, 1, A)]


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
        assert start.attempt >= 1
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


RUNNERS = st.sampled_from([A, B, Runner("c"), Runner("a", "opus")])
QUOTAS = st.none() | st.tuples(st.integers(1, 3), st.integers(0, 2)).map(
    lambda two: Quota(two[0], sum(two))
)
ENTRIES = st.builds(Entry, RUNNERS, QUOTAS)
REFERENCES = st.builds(
    Reference,
    st.just("R"),
    st.integers(1, 3),
    st.lists(RUNNERS, min_size=1, max_size=3).map(tuple),
)
PLAIN_LANES = st.lists(ENTRIES, min_size=1, max_size=4)
ANY_LANES = st.lists(ENTRIES | REFERENCES, max_size=4)
ENDED = st.builds(
    TryEnded,
    st.sampled_from(
        [
            *(Outcome.COMPLETED, Outcome.HANDOFF_REQUESTED, Outcome.RUN_TIMEOUT),
            *(Outcome.FAILED, Outcome.FAILED, Outcome.FAILED, Outcome.FAILED),
            *(Outcome.INTERRUPTED, Outcome.CANCELLED),
        ]
    ),
    session=st.sampled_from(["", "s1", "s2"]),
    spoke=st.booleans(),
    retryable=st.booleans(),
    stuck=st.sampled_from([False] * 9 + [True]),
    reason=st.sampled_from(["no changes made", "usage limit"]),
)
BENCHES = st.dictionaries(
    RUNNERS.map(lambda runner: runner.key),
    st.builds(Bench, st.just("out"), st.none() | st.integers(1, 60).map(float)),
    max_size=4,
)
# What happens next, who sits out from then on (None: no change), and how much time passes.
HAPPENINGS = st.tuples(ENDED, st.none() | BENCHES, st.integers(0, 40))


class Past(NamedTuple):
    """A relay in the middle: its state, what is to be done, what it put on record."""

    state: Relay
    effects: list[Effect]
    records: list[TryRecord]
    benches: Benches


def on_record(start: StartTry, ended: TryEnded) -> TryRecord:
    more = {"model": start.runner.model, "session_id": ended.session, "fail_reason": ended.reason}
    return made(start.run, start.attempt, ended.outcome, start.runner.harness, **more)


def read(state: Relay, benches: Benches, now: float) -> tuple[Relay, Benches]:
    """Let the relay know who sits out, as a driver does before each event."""
    held = {k: b for k, b in benches.items() if b.until is None or b.until > now}
    state, effects = step(state, BenchesRead(held, now))
    assert effects == []
    return state, held


def live(fresh: Relay, happenings: list[tuple[TryEnded, Benches | None, int]]) -> Iterator[Past]:
    """Drive a relay as the runner does: a try ends somehow, a wait ends by itself or early."""
    now, benches, records = 0.0, dict[Key, Bench](), list[TryRecord]()
    state, effects = step(fresh, Started())
    yield Past(state, effects, records, benches)
    for ended, changed, seconds in happenings:
        now += seconds
        if changed is not None:
            benches = {
                key: replace(bench, until=bench.until and bench.until + now)
                for key, bench in changed.items()
            }
        state, held = read(state, benches, now)
        match effects[-1]:
            case StartTry() as start:
                records = [*records, on_record(start, ended)]
                state, effects = step(state, ended)
            case Wait():
                state, effects = step(state, WaitOver())
            case _:
                return
        yield Past(state, effects, records, held)


def check(effects: list[Effect], benches: Benches) -> None:
    *before, last = effects
    assert all(isinstance(effect, EndRun) for effect in before)
    assert len(before) <= 1
    match last:
        case StartTry(runner=runner, attempt=attempt):
            assert runner.key not in benches
            assert attempt >= 1
        case Wait(seconds=seconds, why=why):
            assert seconds >= 0
            assert why
        case End(how=how, why=why):
            assert why or how is Ending.COMPLETE
        case EndRun():
            raise AssertionError("a run ended, and nothing comes after it")


@given(ANY_LANES, st.lists(HAPPENINGS, max_size=30), st.integers(0, 4), st.integers(1, 3))
def test_whatever_happens_a_relay_knows_what_comes_next(
    entries: list[Entry | Reference],
    happenings: list[tuple[TryEnded, Benches | None, int]],
    target: int,
    budget: int,
) -> None:
    runs = 0
    for past in live(mixed(*entries, target=target, budget=budget), happenings):
        check(past.effects, past.benches)
        last = past.effects[-1]
        assert step(past.state, StopAsked())[1] == [End(Ending.STOPPED, "stopped")]
        assert past.state.done <= target
        assert (past.state.done == target) == (last == End(Ending.COMPLETE))
        if isinstance(last, StartTry):
            assert past.state.spent <= budget
            assert last.run - runs in ({1} if last.attempt == 1 else {0})
            runs = last.run


@given(ANY_LANES, st.lists(HAPPENINGS, max_size=20), st.integers(1, 4), st.integers(1, 3))
def test_a_relay_can_be_resumed_from_the_records_of_any_moment(
    entries: list[Entry | Reference],
    happenings: list[tuple[TryEnded, Benches | None, int]],
    target: int,
    budget: int,
) -> None:
    fresh = mixed(*entries, target=target, budget=budget)
    for past in live(fresh, happenings):
        resumed = resume(fresh, past.records)
        assert resumed.done == past.state.done
        for benches in ({}, past.benches):
            ready, _ = read(resumed, benches, past.state.now)
            _, effects = step(ready, Started())
            check(effects, benches)
            if isinstance(start := effects[-1], StartTry):
                assert all(
                    (start.run, start.attempt) > (made.run_id, made.attempt_number)
                    for made in past.records
                )


@given(ANY_LANES, st.lists(RUNNERS), st.integers(1, 3))
def test_a_relay_can_be_resumed_though_its_lane_is_another_now(
    entries: list[Entry | Reference], runners: list[Runner], budget: int
) -> None:
    broken = [TryEnded(Outcome.CANCELLED, session="s1", reason="quit")] * len(runners)
    starts = [StartTry(number // 2 + 1, number % 2 + 1, r) for number, r in enumerate(runners)]
    records = [on_record(start, ended) for start, ended in zip(starts, broken, strict=True)]
    _, effects = step(resume(mixed(*entries, budget=budget), records), Started())
    check(effects, {})


def tries_between_waits(
    fresh: Relay, happenings: list[tuple[TryEnded, Benches | None, int]]
) -> Iterator[tuple[int, int]]:
    """Yield how many tries without success followed each other, and how many benches changed."""
    tries = changes = 0
    held: Benches = {}
    for past in live(fresh, happenings):
        succeeded = past.records and past.records[-1].outcome.succeeded
        changes += past.benches != held
        held = past.benches
        if isinstance(past.effects[-1], Wait) or succeeded:
            tries = changes = 0
        tries += isinstance(past.effects[-1], StartTry)
        yield tries, changes


@given(PLAIN_LANES, st.lists(HAPPENINGS, max_size=30), st.integers(1, 3))
def test_a_relay_without_success_comes_to_a_wait(
    entries: list[Entry | Reference],
    happenings: list[tuple[TryEnded, Benches | None, int]],
    budget: int,
) -> None:
    for tries, changes in tries_between_waits(mixed(*entries, budget=budget), happenings):
        assert tries <= len(entries) * (2 + changes)


@given(st.lists(ENTRIES | REFERENCES, min_size=1, max_size=4), BENCHES)
def test_a_lane_where_everything_fails_comes_to_a_wait(
    entries: list[Entry | Reference], benches: Benches
) -> None:
    fresh = mixed(*entries)
    places = len([*fresh.lane.slots()])
    happenings = [(BROKEN, benches, 0), *[(BROKEN, None, 0)] * 40]
    for tries, _ in tries_between_waits(fresh, happenings):
        assert tries <= 2 * places
