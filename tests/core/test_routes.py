from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mittelo.core.mixes import Quota, parse_entry
from mittelo.core.routes import (
    Entry,
    Key,
    Lane,
    Reference,
    Runner,
    Slot,
    has_served_its_range,
    new_cycle,
    pick,
    set_aside,
)


def entry(text: str) -> Entry | Reference:
    """Return what `A:2` means; `R(xyz):1` is a visit to a role's lane of x, y and z."""
    spec = parse_entry(text)
    if spec.harness.startswith("R("):
        assert spec.quota
        runners = tuple(Runner(name) for name in spec.harness[2:-1])
        return Reference("R", spec.quota.low, runners)
    return Entry(Runner(spec.harness), spec.quota)


def lane(*texts: str) -> Lane:
    return Lane(tuple(entry(text) for text in texts))


def keys(names: str) -> set[Key]:
    return {(name, "") for name in names}


def picks(
    lane_: Lane,
    count: int,
    failing: AbstractSet[int] = frozenset(),
    benched: Mapping[int, str] | None = None,
) -> str:
    """Return who is picked, "-" for nobody; `benched[k]` are those who sit out after pick k."""
    made, out = "", ""
    for number in range(1, count + 1):
        out = (benched or {}).get(number - 1, out)
        lane_, slot = pick(lane_, keys(out))
        made += lane_.runner(slot).harness if slot else "-"
        if slot and number in failing:
            lane_ = set_aside(lane_, slot)
    return made


class Trace(NamedTuple):
    lane: str
    expected: str
    failing: AbstractSet[int] = frozenset()
    benched: Mapping[int, str] = {}


TRACES = {
    "S1": Trace("A B C", "AAAA"),
    "S2": Trace("A B C", "AABBBCCC", {2, 5}),
    "S3": Trace("A:1 B:2 C:3", "ABBCCCABB"),
    "S4": Trace("A:1 B:3 C", "ABBBCCCCAB", {8}),
    "S5": Trace("A:5 B", "ABBB", benched={1: "A"}),
    "S6": Trace("A:2 B:1", "ABAABAA", {1}),
    "S7": Trace("A:1 B:1", "ABAB", {1}),
    "S8": Trace("A:1 B:1", "AB-", {1, 2}),
    "S9": Trace("A B", "AB-", {1, 2}),
    "S10": Trace("A", "AA-", {2}),
    "S11": Trace("A:2", "AAAAAA"),
    "S12": Trace("A:1 B:2-4", "ABBBB--", benched={1: "A"}),
    "S12, A is back": Trace("A:1 B:2-4", "ABBBB-ABBA", benched={1: "A", 6: ""}),
    "S13": Trace("A:2-3 B:1", "AABAAB"),
    "S14": Trace("A B:1", "AAAAAA"),
    "S14, A fails": Trace("A B:1", "AABAA", {2}),
    "S15": Trace("A:3 B:3 C:1-5", "AAABBBCBBBCCCCC-", benched={7: "A", 11: "AB"}),
    "S15, A is back": Trace(
        "A:3 B:3 C:1-5", "AAABBBCBBBCCCCC-AAAC", benched={7: "A", 11: "AB", 16: "B"}
    ),
    "a range alone": Trace("A:2-4", "AAAAAAAA"),
    "a range at its maximum when the others failed": Trace("A:1 B:2-4", "ABBBB-", {1}),
    "a range goes on when the others come back": Trace(
        "A:1 B:2-4", "ABBBAB", benched={1: "A", 4: ""}
    ),
    "coming back counts from one again": Trace("A:3 B:1", "AABAAAB", benched={2: "A", 3: ""}),
    "a bench in mid turn that ends in time": Trace(
        "A:2 B:1 C:1", "ABCAAB", benched={1: "A", 2: ""}
    ),
    "one runner in two places sits out in both": Trace("A:1 B:1 A:1", "ABBB", benched={1: "A"}),
    "one runner fails in one of two places": Trace("A:1 B:1 A:1", "ABAAB", {1, 4}),
    "all sit out": Trace("A:1 B:1", "--A", benched={0: "AB", 2: ""}),
    "a role one by one (row 61)": Trace("A:1 R(cx):1", "AcAxAcAx"),
    "a role of one by two": Trace("R(c):2", "ccc"),
    "a role of two by two (row 62)": Trace("R(cx):2", "cccc"),
    "a role of three by two (row 62)": Trace("R(cxy):2", "cyxcyx"),
    "a role whose first sits out": Trace("A:1 R(cx):1", "AxAxAc", benched={0: "c", 4: ""}),
    "a role all of whom sit out": Trace("A:1 R(cx):1", "AAAAx", benched={1: "cx", 3: "cx", 4: "c"}),
    "a role all of whom sit out is no lane": Trace("R(cx):1", "--c", benched={0: "cx", 2: ""}),
    "a role's choice fails, the next is by another": Trace("R(cx):2", "cxx", {1}),
    "a role's cursor goes on behind who failed": Trace("A:1 R(cxy):2", "AcAxAcAy", {2}),
    "a role of one who fails is out for the cycle": Trace("R(c):1", "c-", {1}),
    "a role of one who fails is back in the next": Trace("R(c):1 A:1", "cAcA", {1}),
}


@pytest.mark.parametrize("trace", TRACES.values(), ids=TRACES.keys())
def test_the_scheduler_picks(trace: Trace) -> None:
    made = picks(lane(*trace.lane.split()), len(trace.expected), trace.failing, trace.benched)
    assert made == trace.expected


def test_an_empty_lane_has_no_pick() -> None:
    assert pick(Lane(())) == (Lane(()), None)


def test_a_cursor_survives_a_new_cycle() -> None:
    started, _ = pick(lane("R(cxy):1"))
    after, slot = pick(new_cycle(started))
    assert slot == (0, 1)
    assert after.cursors == {0: 2}


def test_two_references_to_one_role_go_on_by_themselves() -> None:
    assert picks(lane("R(cx):1", "R(cx):1"), 4) == "ccxx"


def test_a_skipped_place_is_left_out_until_the_cycle_ends() -> None:
    begun, slot = pick(lane("A", "B:1"))
    assert slot == (0, 0)
    assert picks(set_aside(begun, slot), 4) == "BAAA"


def test_setting_aside_leaves_the_benches_and_the_other_places_alone() -> None:
    skipped = set_aside(lane("A:1", "B:1", "R(cx):1"), (2, 0))
    assert skipped.failed == {(2, 0)}
    assert picks(skipped, 3) == "ABx"


def test_bench_and_model_go_together() -> None:
    two = Lane((Entry(Runner("A"), Quota(1, 1)), Entry(Runner("A", "m"), Quota(1, 1))))
    assert pick(two, {("A", "")})[1] == (1, 0)
    assert pick(two, {("A", "m")})[1] == (0, 0)
    assert pick(two, {("A", ""), ("A", "m")})[1] is None


def test_everybody_is_named_once_in_order() -> None:
    assert lane("B:1", "R(AC):1", "B", "C").everyone == [("B", ""), ("A", ""), ("C", "")]


NAMES = "abcd"
SINGLE = st.integers(1, 4).map(lambda low: Quota(low, low))
RANGE = st.tuples(st.integers(1, 3), st.integers(1, 3)).map(lambda t: Quota(t[0], sum(t)))
RUNNERS = st.sampled_from(NAMES).map(Runner)
ENTRIES = st.builds(Entry, RUNNERS, SINGLE | RANGE | st.none())
REFERENCES = st.builds(
    Reference,
    st.just("R"),
    st.integers(1, 4),
    st.lists(RUNNERS, min_size=1, max_size=3).map(tuple),
)
LANES = st.lists(ENTRIES | REFERENCES, min_size=1, max_size=5).map(
    lambda entries: Lane(tuple(entries))
)
OUT = st.sets(st.sampled_from(NAMES)).map(lambda names: frozenset((name, "") for name in names))
TURNS = st.lists(st.tuples(OUT | st.just(frozenset[Key]()), st.booleans()), max_size=40)


class Turn(NamedTuple):
    """One pick: where the lane stood, who sat out, what had failed in the cycle, what came."""

    before: Lane
    out: frozenset[Key]
    failed: frozenset[Slot]
    after: Lane
    slot: Slot | None
    last: Slot | None

    @property
    def ready(self) -> list[Slot]:
        return [
            slot
            for slot in self.before.slots()
            if slot not in self.failed and self.before.runner(slot).key not in self.out
        ]

    @property
    def began_a_cycle(self) -> bool:
        """Tell by what shows from outside: a place above, or counting from one once more."""
        if self.slot is None or self.before.at < 0:
            return False
        index = self.slot[0]
        return index < self.before.at or (index == self.before.at and self.after.picks == 1)


def story(lane_: Lane, turns: list[tuple[frozenset[Key], bool]]) -> Iterator[Turn]:
    """Pick and fail on; a lane that nobody can serve begins anew, as a relay does it."""
    failed: frozenset[Slot] = frozenset()
    last: Slot | None = None
    for out, fails in turns:
        after, slot = pick(lane_, out)
        turn = Turn(lane_, out, failed, after, slot, last)
        yield turn
        if slot is None:
            lane_, failed, last = new_cycle(after), frozenset(), None
            continue
        failed = frozenset() if turn.began_a_cycle else failed
        lane_, last = after, None
        if fails:
            lane_, failed, last = set_aside(after, slot), failed | {slot}, slot


@given(LANES, TURNS)
def test_nobody_is_picked_who_sits_out_or_was_set_aside(
    lane_: Lane, turns: list[tuple[frozenset[Key], bool]]
) -> None:
    for turn in story(lane_, turns):
        if turn.slot is None:
            continue
        assert turn.after.runner(turn.slot).key not in turn.out
        assert turn.began_a_cycle or turn.slot not in turn.failed


@given(LANES, TURNS)
def test_there_is_a_pick_unless_nobody_is_ready_or_a_range_is_served(
    lane_: Lane, turns: list[tuple[frozenset[Key], bool]]
) -> None:
    for turn in story(lane_, turns):
        at = turn.before.at
        quota = turn.before.entries[at].quota if at >= 0 else None
        alone = {index for index, _ in turn.ready} == {at} and len(turn.before.entries) > 1
        ranged = quota is not None and quota.low < quota.high <= turn.before.picks
        assert (turn.slot is None) == (not turn.ready or (alone and ranged))
        assert has_served_its_range(turn.before, turn.out) == (alone and ranged)
        if turn.slot is None:
            assert turn.after == turn.before


@given(LANES, TURNS)
def test_a_cycle_ends_when_nobody_is_left_below_and_begins_with_the_first_who_can(
    lane_: Lane, turns: list[tuple[frozenset[Key], bool]]
) -> None:
    for turn in story(lane_, turns):
        if turn.slot is None or not (turn.began_a_cycle or turn.before.at < 0):
            continue
        assert not any(index > turn.before.at >= 0 for index, _ in turn.ready)
        able = [s[0] for s in turn.before.slots() if turn.before.runner(s).key not in turn.out]
        assert (turn.slot[0], turn.after.picks) == (able[0], 1)


@given(LANES, TURNS)
def test_who_just_failed_is_not_picked_before_another_who_is_ready(
    lane_: Lane, turns: list[tuple[frozenset[Key], bool]]
) -> None:
    for turn in story(lane_, turns):
        if turn.last and turn.ready:
            assert turn.slot != turn.last


@given(LANES, TURNS)
def test_an_entry_serves_no_longer_than_its_quota(
    lane_: Lane, turns: list[tuple[frozenset[Key], bool]]
) -> None:
    for turn in story(lane_, turns):
        if turn.slot is None or not (quota := lane_.entries[turn.slot[0]].quota):
            continue
        assert turn.after.picks <= quota.high
        others = {index for index, _ in turn.ready} - {turn.slot[0]}
        assert not others or turn.after.picks <= quota.low


COUNTED = st.lists(SINGLE | RANGE, min_size=2, max_size=5).map(
    lambda quotas: Lane(
        tuple(Entry(Runner(name), q) for name, q in zip("abcde", quotas, strict=False))
    )
)
HAZARDS = st.lists(
    st.tuples(st.sets(st.sampled_from("abcde")), st.booleans()), min_size=60, max_size=90
)


@given(COUNTED, HAZARDS, st.integers(0, 4))
def test_whoever_stays_ready_is_picked_before_long_whatever_befalls_the_others(
    lane_: Lane, hazards: list[tuple[set[str], bool]], chosen: int
) -> None:
    steady = chosen % len(lane_.entries)
    quotas = [one.quota or Quota(1, 1) for one in lane_.entries]
    patience = sum(quota.low for index, quota in enumerate(quotas) if index != steady)
    waited = 0
    for out, fails in hazards:
        lane_, slot = pick(lane_, keys("".join(out)) - {lane_.runner((steady, 0)).key})
        if slot is None:
            assert lane_.at == steady
            lane_ = new_cycle(lane_)
        elif slot[0] == steady:
            waited = 0
        else:
            waited += 1
            assert waited <= patience
            lane_ = set_aside(lane_, slot) if fails else lane_


@given(st.integers(1, 4), st.integers(0, 3), HAZARDS)
def test_a_reference_by_one_reaches_each_choice_that_stays_ready(
    length: int, chosen: int, hazards: list[tuple[set[str], bool]]
) -> None:
    lane_, steady = lane(f"R({'abcd'[:length]}):1"), (0, chosen % length)
    waited = 0
    for out, fails in hazards:
        lane_, slot = pick(lane_, keys("".join(out)) - {lane_.runner(steady).key})
        assert slot is not None
        waited = 0 if slot == steady else waited + 1
        assert waited < length
        lane_ = set_aside(lane_, slot) if fails and slot != steady else lane_


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_every_entry_gets_its_share_in_every_cycle(counts: list[int]) -> None:
    names = "ABCDE"[: len(counts)]
    cycle = "".join(name * count for name, count in zip(names, counts, strict=True))
    entries = [f"{name}:{count}" for name, count in zip(names, counts, strict=True)]
    assert picks(lane(*entries), 3 * len(cycle)) == cycle * 3


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(1, 300))
def test_shares_come_to_what_was_asked_for(counts: list[int], length: int) -> None:
    names, cycle = "ABCDE"[: len(counts)], sum(counts)
    entries = [f"{name}:{count}" for name, count in zip(names, counts, strict=True)]
    made = picks(lane(*entries), length)
    for name, count in zip(names, counts, strict=True):
        assert abs(made.count(name) - length * count / cycle) <= count


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.lists(st.booleans(), max_size=80))
def test_in_each_cycle_an_entry_serves_its_count_or_up_to_its_failure(
    counts: list[int], fails: list[bool]
) -> None:
    names = "ABCDE"[: len(counts)]
    entries = [f"{name}:{count}" for name, count in zip(names, counts, strict=True)]
    served = [0] * len(counts)
    for turn in story(lane(*entries), [(frozenset(), fail) for fail in fails]):
        if turn.slot is None or turn.began_a_cycle:
            for index, count in enumerate(counts):
                failed = (index, 0) in turn.failed
                assert 1 <= served[index] <= count if failed else served[index] == count
            served = [0] * len(counts)
        if turn.slot is not None:
            served[turn.slot[0]] += 1
            assert served[turn.slot[0]] <= counts[turn.slot[0]]
