"""Runs that work a lap: verdicts, recovery, and when a person is needed."""

from datetime import UTC
from typing import Any

import pytest
from msgspec.structs import replace

from mittelo.core.faults import Category
from mittelo.core.lapruns import (
    LapFacts,
    Standing,
    judge_lap,
    marker_in,
    recorded_classification,
    standing_of,
)
from mittelo.core.records import Outcome, TryRecord
from mittelo.core.signs import Ended, Reading
from mittelo.core.tries import Finish, Stop
from mittelo.core.verdicts import Facts

MINE = LapFacts("l-1")
DONE = LapFacts("l-1", done=True, finished=("l-1",))
WRONG = LapFacts("l-1", finished=("l-2",))


def facts(code: int = 0, **given: Any) -> Facts:
    reading = Reading()
    if code == 0:
        reading.hear(Ended(ok=True))
    defaults: dict[str, Any] = {
        "finish": Finish(code),
        "reading": reading,
        "answered": True,
        "needs_end": False,
        "changed": True,
        "require_changes": True,
        "zone": UTC,
    }
    return Facts(**(defaults | given))


@pytest.mark.parametrize(
    ("lap", "given", "outcome", "said"),
    [
        (DONE, {}, Outcome.COMPLETED, ""),
        (DONE, {"changed": False}, Outcome.COMPLETED, ""),
        (DONE, {"code": 1}, Outcome.COMPLETED, "after it: "),
        (DONE, {"handed_off": True}, Outcome.COMPLETED, ""),
        (LapFacts("l-1", gone=True, finished=("l-1",)), {}, Outcome.COMPLETED, ""),
        (MINE, {"handed_off": True}, Outcome.HANDOFF_REQUESTED, ""),
        (MINE, {"handed_off": True, "code": 1}, Outcome.HANDOFF_REQUESTED, "after it: "),
        (MINE, {}, Outcome.INCOMPLETE, "incomplete: changes without finalization"),
        (MINE, {"changed": False}, Outcome.FAILED, "no changes made, and lap l-1 is not done"),
        (MINE, {"code": 1}, Outcome.FAILED, "exit 1"),
        (replace(DONE, finished=("l-1", "l-2")), {}, Outcome.COMPLETED, "multi_lap_consumed: l-2"),
        (
            LapFacts("l-1", finished=("l-2",)),
            {},
            Outcome.FAILED,
            "wrong_lap_consumed: finished l-2",
        ),
        (LapFacts("l-1", gone=True), {}, Outcome.CANCELLED, "was removed from the queue"),
        (
            LapFacts("l-1", done=True),
            {"changed": False},
            Outcome.CANCELLED,
            "was finished by someone else",
        ),
        (LapFacts("l-1", broken="torn"), {}, Outcome.FAILED, "the queue is broken: torn"),
        (LapFacts("l-1", handoff_begun=True), {}, Outcome.INCOMPLETE, "handoff without wrapup"),
        (
            LapFacts("l-1", said="All is well.\n  Laps done now"),
            {"changed": False},
            Outcome.FAILED,
            "laps done emitted as text, hook never ran",
        ),
    ],
)
def test_only_a_finished_lap_is_a_success(
    lap: LapFacts, given: dict[str, Any], outcome: Outcome, said: str
) -> None:
    verdict = judge_lap(facts(**given), lap)
    assert verdict.outcome is outcome
    assert said in verdict.reason
    assert bool(said) == bool(verdict.reason)


def test_a_broken_queue_ends_the_relay() -> None:
    verdict = judge_lap(facts(), LapFacts("l-1", broken="torn"))
    assert verdict.stuck
    assert not verdict.retryable


def test_a_limit_after_the_lap_was_done_is_still_known() -> None:
    verdict = judge_lap(facts(1, errors="429 Too Many Requests"), DONE)
    assert verdict.outcome is Outcome.COMPLETED
    assert verdict.evidence
    assert verdict.evidence.category is Category.SHORT_RATE_LIMIT


@pytest.mark.parametrize("stop", [Stop.QUIT_NOW, Stop.SKIP, Stop.PAUSE])
def test_what_the_user_cancelled_is_cancelled_whatever_the_queue_says(stop: Stop) -> None:
    verdict = judge_lap(facts(finish=Finish(0, stop)), LapFacts("l-1", broken="torn"))
    assert verdict.outcome is Outcome.CANCELLED


@pytest.mark.parametrize(
    ("said", "marker"),
    [
        ("laps done", "laps done"),
        ("fine\n`laps handoff`\n", "laps handoff"),
        ("LAPS DONE l-1", "laps done"),
        ("then I ran laps done", ""),
        ("laps donee", ""),
        ("", ""),
    ],
)
def test_a_command_that_was_only_printed_is_seen(said: str, marker: str) -> None:
    assert marker_in(said) == marker


@pytest.mark.parametrize(
    ("said", "found"),
    [("continue", "continue"), (" Needs_User ", "needs_user"), ("dunno", ""), ("", "")],
)
def test_only_known_classifications_count(said: str, found: str) -> None:
    assert recorded_classification(said) == found


def made(
    number: int, outcome: Outcome = Outcome.COMPLETED, lap: str = "l-1", **given: Any
) -> TryRecord:
    defaults: dict[str, Any] = {
        "id": number,
        "run_id": number,
        "relay_id": 1,
        "agent_type": "a",
        "completed": outcome.succeeded,
        "outcome": outcome,
        "summary": "",
        "remaining_work": "",
        "files_changed": [],
        "commit_hash": "",
        "started_at": "",
        "ended_at": "",
        "attempt_number": 1,
        "lap_id": lap,
    }
    return TryRecord(**(defaults | given))


TIMEOUT = Outcome.HANDOFF_TIMEOUT
HANDED = Outcome.HANDOFF_REQUESTED


@pytest.mark.parametrize(
    ("tries", "expected"),
    [
        ([], Standing()),
        ([made(1, Outcome.FAILED)], Standing()),
        ([made(1, Outcome.INCOMPLETE)], Standing()),
        ([made(1, HANDED)], Standing()),
        ([made(1, TIMEOUT)], Standing(recover=True)),
        ([made(1, HANDED, dirty_handoff=True)], Standing(recover=True)),
        ([made(1, TIMEOUT, lap="l-9")], Standing()),
        ([made(1, TIMEOUT), made(2, Outcome.COMPLETED)], Standing()),
        ([made(1, TIMEOUT), made(2, TIMEOUT, role="recovery")], Standing(recover=True)),
        (
            [made(1, TIMEOUT), *(made(n, TIMEOUT, role="recovery") for n in (2, 3))],
            Standing(capped=True),
        ),
        (
            [
                made(1, TIMEOUT),
                *(made(n, TIMEOUT, role="recovery") for n in (2, 3)),
                made(4, TIMEOUT),
            ],
            Standing(recover=True),
        ),
        (
            [made(1, TIMEOUT, run_id=1), made(2, HANDED, run_id=1, attempt_number=2)],
            Standing(),
        ),
        (
            [made(1, TIMEOUT), made(2, Outcome.COMPLETED, relay_id=2, run_id=1)],
            Standing(),
        ),
        ([made(n, HANDED) for n in (1, 2, 3)], Standing(circling=True)),
        ([made(n, HANDED) for n in (1, 2)], Standing()),
        ([*(made(n, HANDED) for n in (1, 2)), made(3, HANDED, created_laps=["x"])], Standing()),
        ([*(made(n, HANDED) for n in (1, 2)), made(3, HANDED, commit_hash="c")], Standing()),
    ],
)
def test_what_was_left_in_a_mess_is_recovered_but_not_for_ever(
    tries: list[TryRecord], expected: Standing
) -> None:
    assert standing_of("l-1", tries) == expected


def test_laps_of_a_dirty_handoff_are_of_one_group_with_its_own() -> None:
    dirty = made(1, HANDED, dirty_handoff=True, created_laps=["l-2", "l-3"])
    assert standing_of("l-2", [dirty]).recover
    assert standing_of("l-1", [dirty]).recover
    mended = made(2, Outcome.COMPLETED, lap="l-3", role="recovery")
    assert not standing_of("l-2", [dirty, mended]).recover


def test_a_clean_handoff_makes_no_group() -> None:
    tries = [made(1, HANDED, created_laps=["l-2"]), made(2, TIMEOUT, lap="l-1")]
    assert not standing_of("l-2", tries).recover


def test_a_lap_that_was_edited_after_its_handoffs_goes_round_in_circles_no_more() -> None:
    tries = [made(n, HANDED, ended_at=f"2026-01-01T10:0{n}:00Z") for n in (1, 2, 3)]
    assert standing_of("l-1", tries, "2026-01-01T10:03:00.9Z").circling
    assert not standing_of("l-1", tries, "2026-01-01T10:03:01Z").circling
