from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mittelo.core.standings import (
    Bench,
    Happened,
    StandingRecord,
    benches_at,
    earliest_return,
)

NOON = datetime.fromisoformat("2026-03-01T12:00:00Z").timestamp()
HOUR = 3600.0
CLAUDE = ("claude", "")


def happened(
    what: str = "benched", agent: str = "claude", model: str = "", reset: str = "", why: str = ""
) -> StandingRecord:
    return StandingRecord(
        agent_type=agent,
        model=model,
        event_type=what,
        timestamp="2026-03-01T11:00:00Z",
        reason=why,
        reset_at=reset,
    )


def test_nobody_sits_out_at_first() -> None:
    assert benches_at([], NOON) == {}


def test_a_bench_holds_until_its_reset_and_says_why() -> None:
    records = [happened(reset="2026-03-01T13:00:00Z", why="usage limit")]
    assert benches_at(records, NOON) == {CLAUDE: Bench("usage limit", NOON + HOUR)}


@pytest.mark.parametrize(
    ("now", "held"),
    [(NOON + HOUR - 1, True), (NOON + HOUR, False), (NOON + HOUR + 1, False)],
)
def test_a_bench_is_over_at_its_reset(now: float, held: bool) -> None:
    records = [happened(reset="2026-03-01T13:00:00Z")]
    assert bool(benches_at(records, now)) == held


def test_a_reset_counts_in_its_own_time_zone() -> None:
    records = [happened(reset="2026-03-01T15:00:00+02:00")]
    assert benches_at(records, NOON)[CLAUDE].until == NOON + HOUR


def test_a_bench_without_reset_lasts_until_the_runner_is_called_back() -> None:
    records = [happened(why="by hand")]
    assert benches_at(records, NOON * 10) == {CLAUDE: Bench("by hand")}
    assert benches_at([*records, happened(Happened.ACTIVE)], NOON) == {}


def test_a_bench_without_a_reason_says_at_least_what_it_is() -> None:
    assert benches_at([happened()], NOON)[CLAUDE].why == "benched"


@pytest.mark.parametrize("reset", ["soon", "25:00", "2026-13-01T00:00:00Z", " ", "0", "🕛"])
def test_a_reset_that_cannot_be_read_is_none(reset: str) -> None:
    assert benches_at([happened(reset=reset)], NOON) == {CLAUDE: Bench("benched")}


def test_the_later_event_wins() -> None:
    long, short = "2026-03-01T18:00:00Z", "2026-03-01T13:00:00Z"
    assert benches_at([happened(reset=long), happened(reset=short, why="x")], NOON) == {
        CLAUDE: Bench("x", NOON + HOUR)
    }
    assert benches_at([happened(reset=long), happened(reset=short)], NOON + 2 * HOUR) == {}
    assert benches_at([happened("active"), happened()], NOON) == {CLAUDE: Bench("benched")}


def test_an_old_bench_does_not_come_back_when_a_later_one_is_over() -> None:
    records = [happened(why="by hand"), happened(reset="2026-03-01T11:30:00Z")]
    assert benches_at(records, NOON) == {}


def test_the_order_in_the_file_counts_and_not_the_timestamp() -> None:
    early, late = happened(), happened("active")
    late.timestamp = "2020-01-01T00:00:00Z"
    assert benches_at([early, late], NOON) == {}


@pytest.mark.parametrize("what", ["", "thawed", "probation", "BENCHED", "unfrozen"])
def test_an_event_of_an_unknown_kind_sends_nobody_to_the_bench(what: str) -> None:
    assert benches_at([happened(what)], NOON) == {}


def test_a_runner_is_a_harness_with_a_model_and_no_model_is_one_like_any_other() -> None:
    records = [
        happened(why="bare"),
        happened(model="opus", why="opus"),
        happened(agent="codex", model="opus", why="codex"),
        happened("active", model="opus"),
    ]
    assert benches_at(records, NOON) == {
        CLAUDE: Bench("bare"),
        ("codex", "opus"): Bench("codex"),
    }
    assert benches_at([*records, happened("active")], NOON) == {("codex", "opus"): Bench("codex")}


def test_the_first_to_come_back_is_the_one_to_wait_for() -> None:
    assert earliest_return([]) is None
    assert earliest_return([Bench("by hand"), Bench("gone", for_good=True)]) is None
    assert earliest_return([Bench("a", 30.0), Bench("b"), Bench("c", 20.0)]) == 20.0


RESETS = (
    st.just("")
    | st.text(max_size=8)
    | st.datetimes().map(datetime.isoformat)
    | st.datetimes(timezones=st.just(timezone(timedelta(hours=-11)))).map(datetime.isoformat)
)
RECORDS = st.lists(
    st.builds(
        happened,
        st.sampled_from(["benched", "benched", "active", "retry_failed"]) | st.text(max_size=5),
        st.sampled_from(["claude", "codex"]),
        st.sampled_from(["", "opus"]),
        RESETS,
        st.text(max_size=3),
    ),
    max_size=8,
)


@given(RECORDS, st.floats(0, 4e9))
def test_any_events_fold_to_benches_that_are_not_over(
    records: list[StandingRecord], now: float
) -> None:
    for (agent, model), bench in benches_at(records, now).items():
        assert any((made.agent_type, made.model) == (agent, model) for made in records)
        assert bench.why
        assert bench.until is None or bench.until > now


@given(RECORDS, RECORDS, st.floats(0, 4e9))
def test_what_happened_to_one_runner_says_nothing_about_another(
    ours: list[StandingRecord], others: list[StandingRecord], now: float
) -> None:
    for other in others:
        other.agent_type = "somebody else"
    both = benches_at([*others, *ours, *others], now)
    assert {key: b for key, b in both.items() if key[0] != "somebody else"} == benches_at(ours, now)
