"""A relay that works a queue: each run asks for a lap, whose role decides on the lane."""

from typing import Any

from msgspec.structs import replace

from mittelo.core.mixes import Quota
from mittelo.core.records import Outcome, TryRecord
from mittelo.core.relays import (
    LAP_GONE,
    ClaimLap,
    Effect,
    End,
    Ending,
    EndRun,
    Event,
    LapClaimed,
    LapGone,
    QueueBroken,
    QueueEmpty,
    QueueWaits,
    Relay,
    Started,
    StartTry,
    Track,
    TryEnded,
    Wait,
    WaitOver,
    decision,
    step,
)
from mittelo.core.resuming import mark, resume
from mittelo.core.routes import Entry, Lane, Runner

A, B, C = Runner("a"), Runner("b"), Runner("c")
DONE = TryEnded(Outcome.COMPLETED)
UNFINISHED = TryEnded(Outcome.INCOMPLETE, session="s1", reason="incomplete")


def queue(target: int = 9, budget: int = 2) -> Relay:
    """Return a relay in which `default` is served by a and b in turn, `ui` by c."""
    default = Lane((Entry(A, Quota(1, 1)), Entry(B, Quota(1, 1))), "default")
    return Relay(target, budget, default, queue=True, others={"ui": Track(Lane((Entry(C),), "ui"))})


def play(at: Relay, *events: Event) -> tuple[Relay, list[Effect]]:
    effects: list[Effect] = []
    for event in events:
        at, effects = step(at, event)
    return at, effects


def test_a_run_begins_with_a_lap_and_is_served_by_its_lane() -> None:
    at, effects = play(queue(), Started())
    assert effects == [ClaimLap()]
    at, effects = play(at, LapClaimed("l-1", "ui"))
    assert effects == [StartTry(1, 1, C)]
    assert at.lap == "l-1"
    at, effects = play(at, DONE)
    assert effects == [EndRun(1, Outcome.COMPLETED), ClaimLap()]


def test_each_lane_goes_on_where_it_stood() -> None:
    at, _ = play(queue(), Started(), LapClaimed("l-1", "default"), DONE, LapClaimed("l-2", "ui"))
    _, effects = play(at, DONE, LapClaimed("l-3", "default"))
    assert effects == [StartTry(3, 1, B)]


def test_failures_in_one_lane_count_in_that_lane_alone() -> None:
    broken = TryEnded(Outcome.FAILED, retryable=False, reason="broken")
    at, _ = play(queue(), Started(), LapClaimed("l-1", "ui"), broken)
    at, effects = play(at, LapClaimed("l-1", "default"))
    assert effects == [StartTry(2, 1, A)]
    at, effects = play(at, DONE, LapClaimed("l-2", "ui"))
    assert isinstance(effects[-1], Wait)
    _, effects = play(at, WaitOver())
    assert effects == [ClaimLap()]


def test_an_unfinished_lap_is_gone_on_with_in_its_session() -> None:
    at, effects = play(queue(), Started(), LapClaimed("l-1", "default"), UNFINISHED)
    assert isinstance(effects[-1], Wait)
    _, effects = play(at, WaitOver())
    assert effects == [StartTry(1, 2, A, "s1")]


def test_a_run_that_cannot_finish_its_lap_is_over_and_the_next_one_asks_again() -> None:
    _, effects = play(queue(budget=1), Started(), LapClaimed("l-1", "default"), UNFINISHED)
    assert effects == [EndRun(1, Outcome.INCOMPLETE), ClaimLap()]


def test_an_empty_queue_is_the_end_and_a_held_one_is_not() -> None:
    at, _ = play(queue(), Started())
    assert play(at, QueueEmpty("complete"))[1] == [End(Ending.COMPLETE, "complete")]
    assert play(at, QueueBroken("torn"))[1] == [End(Ending.FAILED, "torn")]
    at, effects = play(at, QueueWaits("held"))
    assert isinstance(effects[0], Wait)
    assert effects[0].for_user
    assert play(at, WaitOver())[1] == [ClaimLap()]


def test_a_run_that_lost_its_lap_blames_nobody() -> None:
    at, _ = play(queue(), Started(), LapClaimed("l-1", "default"), UNFINISHED)
    lost, effects = play(at, LapGone("taken"))
    assert effects == [EndRun(1, Outcome.CANCELLED, "taken"), ClaimLap()]
    assert (lost.done, lost.failures, lost.lane.failed) == (0, 0, frozenset())
    finished, effects = play(at, LapGone("is done", finished=True))
    assert (finished.done, effects[0]) == (1, EndRun(1, Outcome.COMPLETED, "is done"))


def test_a_lap_that_was_removed_during_a_try_ends_the_run_and_not_the_relay() -> None:
    gone = TryEnded(Outcome.CANCELLED, cancelled_by=LAP_GONE, reason="removed")
    at, effects = play(queue(), Started(), LapClaimed("l-1", "default"), gone)
    assert effects == [EndRun(1, Outcome.CANCELLED, "removed"), ClaimLap()]
    assert decision(gone, effects) == "end of run: removed"
    assert at.failures == 0


def test_the_target_counts_laps() -> None:
    _, effects = play(queue(target=1), Started(), LapClaimed("l-1", "default"), DONE)
    assert effects[-1] == End(Ending.COMPLETE)


def record(at: Relay, effect: StartTry, outcome: Outcome, **given: Any) -> TryRecord:
    defaults: dict[str, Any] = {
        "id": effect.run * 10 + effect.attempt,
        "run_id": effect.run,
        "relay_id": 1,
        "agent_type": effect.runner.harness,
        "completed": outcome.succeeded,
        "outcome": outcome,
        "summary": "",
        "remaining_work": "",
        "files_changed": [],
        "commit_hash": "",
        "started_at": "",
        "ended_at": "",
        "attempt_number": effect.attempt,
        "lap_id": at.lap,
        "mark": mark(at),
    }
    return TryRecord(**(defaults | given))


def test_a_relay_that_was_killed_goes_on_with_its_lap_and_lanes_stand_where_they_stood() -> None:
    at, tries = queue(), []
    at, _ = play(at, Started())
    for lap, lane, outcome in [
        ("l-1", "default", Outcome.COMPLETED),
        ("l-2", "ui", Outcome.COMPLETED),
        ("l-3", "default", Outcome.INTERRUPTED),
    ]:
        at, effects = play(at, LapClaimed(lap, lane))
        (start,) = effects
        assert isinstance(start, StartTry)
        tries.append(record(at, start, outcome, session_id="s9"))
        if outcome is Outcome.COMPLETED:
            at, _ = play(at, DONE)
    again = resume(queue(), tries)
    assert (again.done, again.run, again.attempt, again.lap) == (2, 3, 1, "l-3")
    assert again.lane.name == "default"
    _, effects = play(again, Started())
    assert effects == [StartTry(3, 2, B, "s9")]
    _, effects = play(replace(again, attempt=0), Started(), LapClaimed("l-4", "default"))
    assert effects == [StartTry(4, 1, A)]


def test_who_lost_a_lap_is_not_blamed_by_a_relay_that_is_resumed() -> None:
    at, _ = play(queue(), Started())
    at, effects = play(at, LapClaimed("l-1", "default"))
    (start,) = effects
    assert isinstance(start, StartTry)
    gone = {"cancellation_source": LAP_GONE, "decided": "end of run: removed"}
    again = resume(queue(), [record(at, start, Outcome.CANCELLED, **gone)])
    assert (again.attempt, again.failures, again.lane.failed) == (0, 0, frozenset())
