"""Two versions of a queue are brought together: nothing is lost, and no side is preferred."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mittelo.core.instants import ZERO, instant_text
from mittelo.core.merging import merge, separated
from mittelo.core.queues import (
    HEAD,
    STEP,
    TAIL,
    Lap,
    Position,
    Queue,
    Where,
    encode,
    finish,
    insert,
    move,
    parse,
    prune,
    remove,
    reopen,
    with_entries,
    with_lap,
)

BEGIN = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def at(minute: int) -> datetime:
    return BEGIN + timedelta(minutes=minute)


def lap(lap_id: str, title: str = "", minute: int = 0) -> Lap:
    when = instant_text(at(minute))
    return Lap(id=lap_id, title=title or lap_id, created_at=when, updated_at=when)


def queue(*ids: str) -> Queue:
    return insert(Queue(), [lap(lap_id) for lap_id in ids], TAIL)


def edited(held: Queue, lap_id: str, minute: int, **words: str) -> Queue:
    found = held.find(lap_id)
    assert found
    return with_lap(held, replace(found, updated_at=instant_text(at(minute)), **words))


def both_ways(base: Queue, ours: Queue, theirs: Queue) -> Queue:
    merged = merge(base, ours, theirs)
    assert merged == merge(base, theirs, ours)
    assert parse(encode(merged), "merged") == merged
    return merged


def ids(held: Queue) -> list[str]:
    return [one.id for one in held.todo]


BASE = queue("a", "b", "c")


def test_what_both_sides_add_is_there() -> None:
    ours = insert(BASE, [lap("n", minute=1)], HEAD)
    theirs = insert(BASE, [lap("m", minute=2)], Where(Position.AFTER, "b"))
    assert ids(both_ways(BASE, ours, theirs)) == ["n", "a", "b", "m", "c"]


def test_laps_put_at_one_place_stand_there_in_a_fixed_order() -> None:
    ours = insert(BASE, [lap("n", minute=1)], TAIL)
    theirs = insert(BASE, [lap("m", minute=2)], TAIL)
    assert ids(both_ways(BASE, ours, theirs)) == ["a", "b", "c", "m", "n"]


def test_one_finishes_what_the_other_edits() -> None:
    merged = both_ways(BASE, finish(BASE, "b", at(1)), edited(BASE, "b", 2, title="B"))
    found = merged.find("b")
    assert found
    assert (found.is_done, found.title) == (True, "B")
    assert found.updated_at == instant_text(at(2))


def test_done_prevails_even_when_the_other_touched_it_later() -> None:
    merged = both_ways(BASE, finish(BASE, "b", at(1)), move(BASE, "b", HEAD, at(9)))
    assert [one.id for one in merged.done] == ["b"]


def test_a_lap_that_one_side_opened_again_is_open() -> None:
    base = finish(BASE, "b", at(1))
    theirs = edited(base, "a", 3, title="A")
    assert ids(both_ways(base, reopen(base, "b", at(2)), theirs)) == ["a", "b", "c"]


def test_opened_again_and_finished_again_is_done() -> None:
    base = finish(BASE, "b", at(1))
    again = finish(reopen(base, "b", at(2)), "b", at(3))
    merged = both_ways(base, reopen(base, "b", at(4)), again)
    assert [one.id for one in merged.done] == ["b"]


def test_a_field_that_both_changed_is_the_later_one() -> None:
    ours = edited(BASE, "b", 5, title="later", assignee="ann")
    theirs = edited(BASE, "b", 4, title="sooner", description="more")
    found = both_ways(BASE, ours, theirs).find("b")
    assert found
    assert (found.title, found.assignee, found.description) == ("later", "ann", "more")


def test_a_field_that_both_changed_at_one_time_is_the_same_from_both_sides() -> None:
    both_ways(BASE, edited(BASE, "b", 5, title="x"), edited(BASE, "b", 5, title="y"))


def test_what_one_side_removed_is_gone_unless_the_other_touched_it() -> None:
    without = remove(BASE, {"b"})
    assert ids(both_ways(BASE, without, insert(BASE, [lap("n", minute=1)], TAIL))) == [
        *("a", "c", "n")
    ]
    assert ids(both_ways(BASE, without, edited(BASE, "b", 1, title="B"))) == ["a", "b", "c"]
    assert both_ways(BASE, without, finish(BASE, "b", at(1))).find("b")
    assert both_ways(BASE, without, move(BASE, "b", HEAD, at(1))).find("b")


def test_what_is_pruned_stays_away() -> None:
    base = finish(BASE, "a", at(1))
    assert both_ways(base, prune(base, 0)[0], finish(base, "b", at(2))).find("a") is None


def test_two_laps_with_one_id_both_survive() -> None:
    ours = insert(BASE, [lap("x-1", "one", minute=1)], TAIL)
    theirs = insert(BASE, [lap("x-1", "other", minute=2)], TAIL)
    merged = both_ways(BASE, ours, theirs)
    assert {one.title for one in merged.todo} == {"a", "b", "c", "one", "other"}
    first = merged.find("x-1")
    assert first
    assert first.title == "one"
    assert len({one.id for one in merged.entries}) == 5


def test_two_laps_made_at_one_time_with_one_id_both_survive() -> None:
    ours = insert(BASE, [Lap(id="x", title="one")], TAIL)
    theirs = insert(BASE, [Lap(id="x", title="other")], TAIL)
    titles = {one.title for one in both_ways(BASE, ours, theirs).todo}
    assert titles == {"a", "b", "c", "one", "other"}


def test_a_lap_that_was_edited_is_known_again_without_a_base() -> None:
    theirs = edited(BASE, "b", 3, title="B")
    assert both_ways(Queue(), BASE, theirs) == theirs


def test_a_lap_with_a_new_id_is_known_again_commit_by_commit() -> None:
    """As in a rebase: the branch adds a lap, then finishes it; the other has its id taken."""
    upstream = insert(BASE, [lap("x-1", "older", minute=1)], TAIL)
    added = insert(BASE, [lap("x-1", "newer", minute=2)], TAIL)
    once = both_ways(BASE, upstream, added)
    twice = both_ways(added, once, finish(added, "x-1", at(3)))
    assert [one.title for one in twice.done] == ["newer"]
    assert [one.title for one in twice.todo] == ["a", "b", "c", "older"]


def test_a_side_that_ran_out_of_room_keeps_every_place() -> None:
    ours = BASE
    for number in range(20):
        ours = insert(ours, [lap(f"n{number}", minute=number + 1)], Where(Position.AFTER, "a"))
    assert ours.find("b") != BASE.find("b")
    theirs = insert(BASE, [lap("m", minute=30)], Where(Position.AFTER, "b"))
    theirs = move(theirs, "c", HEAD, at(31))
    merged = ids(both_ways(BASE, ours, theirs))
    assert merged == ["c", "a", *(f"n{number}" for number in reversed(range(20))), "b", "m"]


def test_a_deletion_is_honoured_though_the_other_side_renumbered() -> None:
    spread = with_entries(BASE, (replace(one, order=one.order * 3) for one in BASE.entries))
    ours = insert(spread, [lap("n", minute=1)], Where(Position.AFTER, "a"))
    assert ids(both_ways(BASE, ours, remove(BASE, {"b"}))) == ["a", "n", "c"]


def test_held_and_prefix_are_merged() -> None:
    base = replace(BASE, prefix="abcd")
    ours = replace(insert(base, [lap("n")], TAIL), held=True)
    theirs = insert(base, [lap("m")], TAIL)
    assert both_ways(base, ours, theirs).held
    assert both_ways(ours, ours, base).held is False
    assert both_ways(BASE, replace(ours, prefix="zzzz"), theirs).prefix == "abcd"
    assert both_ways(Queue(), replace(ours, prefix=""), theirs).prefix == "abcd"


def test_older_versions_are_merged() -> None:
    first = parse(b'{"version":1,"tasks":[{"id":"a"},{"id":"b"}]}', "old")
    second = parse(b'{"version":1,"tasks":[{"id":"n"},{"id":"a"},{"id":"b"}]}', "new")
    third = parse(
        b'{"version":2,"tasks":[{"id":"a","order":65536},{"id":"b","order":131072},'
        b'{"id":"m","order":196608}]}',
        "newer",
    )
    assert ids(both_ways(first, second, third)) == ["n", "a", "b", "m"]


def test_an_id_that_is_there_twice_is_taken_apart() -> None:
    twice = with_entries(Queue(), [lap("x", "one", 1), lap("x", "other", 2)])
    assert sorted(one.title for one in separated(twice).todo) == ["one", "other"]
    assert len({one.id for one in separated(twice).todo}) == 2
    copies = with_entries(Queue(), [lap("x", "one", 1), finish(twice, "x", at(3)).entries[0]])
    assert separated(BASE) is BASE
    assert len(separated(copies).entries) in {1, 2}


def test_copies_of_one_lap_become_one() -> None:
    one = lap("x", "one", 1)
    done = replace(one, is_done=True, completed_at=instant_text(at(2)))
    assert separated(with_entries(Queue(), [one, done])).entries == (done,)


# What follows plays many histories: two people who each do something to a queue.

IDS = [f"x-{number}" for number in range(6)]
TITLES = st.sampled_from(["one", "two", "three"])
ACTIONS = st.tuples(
    st.sampled_from(["add", "after", "move", "edit", "finish", "reopen", "remove", "prune"]),
    st.sampled_from(IDS),
    st.sampled_from(IDS),
    st.integers(1, 9),
    TITLES,
)


def play(held: Queue, actions: Sequence[tuple[str, str, str, int, str]]) -> Queue:
    for what, lap_id, other, minute, title in actions:
        held = _act(held, what, lap_id, other, minute, title)
    return held


def _act(held: Queue, what: str, lap_id: str, other: str, minute: int, title: str) -> Queue:
    found = held.find(lap_id)
    if not found:
        new = lap(lap_id, title, minute)
        after = what == "after" and held.find(other)
        where = Where(Position.AFTER, other) if after else (HEAD if what == "add" else TAIL)
        return insert(held, [new], where)
    match what:
        case "move" if lap_id != other and held.find(other) and not found.is_done:
            return move(held, lap_id, Where(Position.AFTER, other), at(minute))
        case "edit":
            return edited(held, lap_id, minute, title=title)
        case "finish":
            return finish(held, lap_id, at(minute))
        case "reopen":
            return reopen(held, lap_id, at(minute))
        case "remove":
            return remove(held, {lap_id})
        case "prune":
            return prune(held, 1)[0]
        case _:
            return held


def narrowed(held: Queue) -> Queue:
    """Return a queue with little room between its laps, so that it is soon renumbered."""
    return with_entries(held, (replace(one, order=one.order // STEP * 3) for one in held.entries))


HISTORIES = st.lists(ACTIONS, max_size=8)
WILD = st.builds(
    Lap,
    id=st.sampled_from(IDS),
    kind=st.sampled_from(["lap", "lap", "stint"]),
    title=TITLES,
    description=st.sampled_from(["", "text"]),
    is_done=st.booleans(),
    order=st.integers(-3, 3),
    created_at=st.sampled_from([ZERO, instant_text(BEGIN), instant_text(at(1))]),
    updated_at=st.sampled_from([ZERO, instant_text(BEGIN), instant_text(at(1))]),
    completed_at=st.sampled_from([None, instant_text(at(1)), instant_text(at(2))]),
)
WILD_QUEUES = st.builds(
    lambda laps, prefix, held: with_entries(Queue(prefix=prefix, held=held), laps),
    st.lists(WILD, max_size=5, unique_by=lambda one: one.id),
    st.sampled_from(["", "abcd", "bcde"]),
    st.booleans(),
)


def check(base: Queue, ours: Queue, theirs: Queue) -> None:
    merged = both_ways(base, ours, theirs)
    assert len({one.id for one in merged.entries}) == len(merged.entries)
    assert merge(base, ours, ours) == ours
    assert merge(base, base, ours) == ours
    assert merge(base, ours, base) == ours
    _check_nothing_is_lost(base, ours, theirs, merged)


def _check_nothing_is_lost(base: Queue, ours: Queue, theirs: Queue, merged: Queue) -> None:
    for side, other in ((ours, theirs), (theirs, ours)):
        for one in side.entries:
            in_base, in_other = base.find(one.id), other.find(one.id)
            if not in_base or (in_other and in_other.created_at == one.created_at):
                assert any(held.created_at == one.created_at for held in merged.entries), one
            if one.is_done and not (in_base and in_base.is_done) and in_other:
                made = [held for held in merged.entries if held.created_at == one.created_at]
                assert any(held.is_done for held in made), one


@settings(deadline=None)
@given(HISTORIES, HISTORIES, HISTORIES, st.booleans())
def test_histories_merge(
    before: list[tuple[str, str, str, int, str]],
    mine: list[tuple[str, str, str, int, str]],
    yours: list[tuple[str, str, str, int, str]],
    narrow: bool,
) -> None:
    base = play(Queue(), before)
    base = narrowed(base) if narrow else base
    check(base, play(base, mine), play(base, yours))


@settings(deadline=None)
@given(WILD_QUEUES, WILD_QUEUES, WILD_QUEUES)
def test_any_queues_merge(base: Queue, ours: Queue, theirs: Queue) -> None:
    check(base, ours, theirs)


@settings(deadline=None)
@given(st.lists(WILD, max_size=6), st.lists(WILD, max_size=6), st.lists(WILD, max_size=6))
def test_queues_with_ids_twice_merge_the_same_from_both_sides(
    base: list[Lap], ours: list[Lap], theirs: list[Lap]
) -> None:
    queues = [with_entries(Queue(), laps) for laps in (base, ours, theirs)]
    merged = both_ways(*queues)
    assert len({one.id for one in merged.entries}) == len(merged.entries)
    both_ways(merged, *queues[1:])


@pytest.mark.parametrize("count", [5000])
def test_long_queues_merge_at_once(count: int) -> None:
    base = insert(Queue(), [lap(f"x-{number}") for number in range(count)], TAIL)
    ours = insert(finish(base, "x-7", at(1)), [lap("n", minute=1)], HEAD)
    theirs = remove(edited(base, "x-8", 2, title="new"), {"x-9"})
    assert len(both_ways(base, ours, theirs).entries) == count
