from collections.abc import Set as AbstractSet

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mittelo.core.mixes import parse_entry
from mittelo.core.routes import Entry, Lane, Runner, fail_entry, pick


def lane(*texts: str) -> Lane:
    specs = [parse_entry(text) for text in texts]
    return Lane(tuple(Entry(Runner(spec.harness), spec.quota) for spec in specs))


def picks(lane_: Lane, count: int, failing: AbstractSet[int] = frozenset()) -> str:
    made = ""
    for number in range(1, count + 1):
        lane_, index = pick(lane_)
        if index is None:
            return made + "-"
        made += lane_.entries[index].runner.harness
        if number in failing:
            lane_ = fail_entry(lane_, index)
    return made


@pytest.mark.parametrize(
    ("entries", "failing", "expected"),
    [
        (["A", "B", "C"], set(), "AAAA"),
        (["A", "B", "C"], {2, 5}, "AABBBCCC"),
        (["A:1", "B:2", "C:3"], set(), "ABBCCCABB"),
        (["A:1", "B:3", "C"], {8}, "ABBBCCCCAB"),
        (["A:2", "B:1"], {1}, "ABAABAA"),
        (["A:1", "B:1"], {1}, "ABAB"),
        (["A:1", "B:1"], {1, 2}, "AB-"),
        (["A", "B"], {1, 2}, "AB-"),
        (["A"], {2}, "AA-"),
        (["A:2"], set(), "AAA"),
        (["A:2-3", "B:1"], set(), "AABAAB"),
        (["A", "B:1"], set(), "AAA"),
        (["A:1", "B:1", "C:1"], set(), "ABCABC"),
        (["A:2-4"], set(), "AAAAAAAA"),
    ],
)
def test_the_scheduler_picks(entries: list[str], failing: set[int], expected: str) -> None:
    assert picks(lane(*entries), len(expected), failing) == expected


def test_a_range_gives_its_maximum_when_the_others_failed() -> None:
    assert picks(lane("A:1", "B:2-4"), 6, {1}) == "ABBBB-"


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_every_entry_gets_its_share_in_every_cycle(counts: list[int]) -> None:
    names = "ABCDE"[: len(counts)]
    cycle = "".join(name * count for name, count in zip(names, counts, strict=True))
    entries = [f"{name}:{count}" for name, count in zip(names, counts, strict=True)]
    assert picks(lane(*entries), 3 * len(cycle)) == cycle * 3
