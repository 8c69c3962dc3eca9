"""Queues: what files may hold, and the order of entries through every change."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mittelo.core.queues import (
    HEAD,
    STEP,
    TAIL,
    Lap,
    Position,
    Queue,
    QueueError,
    Where,
    encode,
    finish,
    insert,
    move,
    one_line,
    parse,
    prune,
    remove,
    reopen,
    with_entries,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
AT = "2026-01-02T03:04:05.000006Z"
WHOLE = (
    '{"version":3,"prefix":"auth","held":true,"tasks":[{"kind":"stint","id":"a-1","ref":"x",'
    '"title":"é 😀","description":"d","assignee":"al","isDone":true,"order":-5,'
    '"createdAt":"2026-01-01T00:00:00.123456789Z","updatedAt":"2026-01-01T00:00:00+02:00",'
    '"completedAt":"2026-01-01T00:00:00Z"}]}'
)


def lap(lap_id: str, **more: object) -> Lap:
    return msgspec.convert({"id": lap_id, **more}, Lap)


def queue(*orders: int) -> Queue:
    return with_entries(Queue(), [lap(f"l-{i}", order=order) for i, order in enumerate(orders)])


def ids(of: Queue) -> list[str]:
    return [one.id for one in of.todo]


def orders(of: Queue) -> list[int]:
    return [one.order for one in of.todo]


def test_a_file_is_written_as_it_was_read() -> None:
    written = encode(parse(WHOLE.encode(), "x")).decode()
    assert written == msgspec.json.format(WHOLE, indent=2) + "\n"


def test_defaults_are_left_out_only_where_readers_expect_it() -> None:
    written = encode(Queue(entries=(lap("a"),))).decode()
    assert list(msgspec.json.decode(written)) == ["version", "tasks"]
    keys = "kind id title description isDone order createdAt updatedAt completedAt"
    assert list(msgspec.json.decode(written)["tasks"][0]) == keys.split()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "truncated"),
        (b"[]", "not a valid laps task file"),
        (b"null", "not a valid laps task file"),
        (b'{"tasks":[]}', "version"),
        (b'{"version":3}', "tasks"),
        (b'{"version":3,"tasks":null}', "tasks"),
        (b'{"version":"3","tasks":[]}', "version"),
        (b'{"version":0,"tasks":[]}', "version 0"),
        (b'{"version":4,"tasks":[],"more":1}', "Update laps"),
        (b'{"version":99,"tasks":"x"}', "version 99"),
        (b'{"version":3,"tasks":[],"more":1}', "more"),
        (b'{"version":3,"prefix":"Auth","tasks":[]}', "prefix"),
        (b'{"version":3,"tasks":[{"title":"x"}]}', "tasks[0]"),
        (b'{"version":3,"tasks":[{"id":" "}]}', "tasks[0].id"),
        (b'{"version":3,"tasks":[{"id":"a","kind":"task"}]}', "tasks[0].kind"),
        (b'{"version":3,"tasks":[{"id":"a","due":1}]}', "due"),
        (b'{"version":3,"tasks":[{"id":"a","createdAt":"today"}]}', "tasks[0].createdAt"),
        (b'{"version":3,"tasks":[{"id":"a","updatedAt":"2026-13-01T00:00:00Z"}]}', "updatedAt"),
        (b'{"version":3,"tasks":[{"id":"a","completedAt":"2026-01-01T00:00:00"}]}', "completedAt"),
        (b'{\n"version":3,\n"tasks":[,]}', "line 3"),
        (b'{"version":3,"tasks":[{"id":"\xff"}]}', "line 1"),
        (b"[" * 5000, "not a valid laps task file"),
        (b'{\n<<<<<<< HEAD\n"version":3\n=======\n>>>>>>> x\n}', "merge conflict (line 2)"),
    ],
)
def test_a_damaged_file_is_told_of(raw: bytes, words: str) -> None:
    with pytest.raises(QueueError) as caught:
        parse(raw, "some.json")
    assert caught.value.exit_code == 2
    assert "some.json" in caught.value.what
    assert words in str(caught.value)
    assert ("laps doctor" in str(caught.value)) != ("Update laps" in str(caught.value))


def test_old_versions_are_brought_up() -> None:
    old = parse(b'{"version":1,"tasks":[{"id":"b"},{"id":"a","kind":""}]}', "x")
    assert [(one.id, one.order, one.kind) for one in old.entries] == [
        ("b", STEP, "lap"),
        ("a", 2 * STEP, "lap"),
    ]
    assert parse(encode(old), "x") == old
    middle = parse(b'{"version":2,"tasks":[{"id":"b","order":2},{"id":"a","order":1}]}', "x")
    assert [one.id for one in middle.entries] == ["a", "b"]


def test_a_byte_order_mark_is_no_damage() -> None:
    assert parse(b'\xef\xbb\xbf{"version":3,"tasks":[]}', "x") == Queue()


def test_what_is_done_stands_before_what_is_to_do() -> None:
    done = [
        ("d-null", None, 9),
        ("d-1", "2026-01-01T00:00:00+02:00", 9),
        ("d-2", "2026-01-01T00:00:00Z", 9),
        ("d-3", "2026-01-01T00:00:00.5Z", 3),
        ("d-4", "2026-01-01T00:00:00.500Z", 4),
        ("d-5", "2026-01-01T00:00:00.500000001Z", 0),
    ]
    made = [lap(i, isDone=True, completedAt=at, order=order) for i, at, order in done]
    todo = [lap("t-b", order=-7), lap("t-c", order=-7), lap("t-a", order=0)]
    sorted_ = with_entries(Queue(), [*reversed(made), *reversed(todo)]).entries
    assert [one.id for one in sorted_] == [i for i, *_ in done] + ["t-b", "t-c", "t-a"]


def test_places_are_found_for_new_laps() -> None:
    assert orders(insert(Queue(), [lap("x")], TAIL)) == [STEP]
    assert orders(insert(Queue(), [lap("x")], HEAD)) == [STEP]
    assert orders(insert(queue(10, 20), [lap("x")], TAIL)) == [10, 20, 20 + STEP]
    assert orders(insert(queue(10, 20), [lap("x")], HEAD)) == [10 - STEP, 10, 20]
    after = Where(Position.AFTER, "l-0")
    assert orders(insert(queue(10, 20), [lap("x")], after)) == [10, 15, 20]
    assert orders(insert(queue(10), [lap("x")], after)) == [10, 10 + STEP]


def test_without_room_all_are_numbered_anew() -> None:
    after = Where(Position.AFTER, "l-0")
    assert orders(insert(queue(1, 2, 9), [lap("x")], after)) == [
        STEP,
        STEP + STEP // 2,
        2 * STEP,
        3 * STEP,
    ]
    crowd = [lap(f"x-{i:06}") for i in range(2 * STEP)]
    assert ids(insert(queue(1, 2), crowd, after)) == ["l-0", *(one.id for one in crowd), "l-1"]


def test_numbers_do_not_grow_without_end() -> None:
    far = (1 << 62) - 1
    assert orders(insert(queue(far), [lap("x")], TAIL)) == [STEP, 2 * STEP]
    assert orders(insert(queue(-far), [lap("x")], HEAD)) == [0, STEP]


def test_after_a_done_one_is_the_head() -> None:
    made = finish(queue(10, 20), "l-0", NOW)
    assert ids(insert(made, [lap("x")], Where(Position.AFTER, "l-0"))) == ["x", "l-1"]


def test_done_and_undone_is_where_it_was() -> None:
    made = finish(queue(10, 20, 30), "l-1", NOW)
    done = made.find("l-1")
    assert done
    assert (done.is_done, done.completed_at, done.updated_at, done.order) == (True, AT, AT, 20)
    again = reopen(made, "l-1", NOW)
    assert ids(again) == ["l-0", "l-1", "l-2"]
    assert not again.done


def test_the_newest_that_are_done_are_kept() -> None:
    made = [lap(f"d-{i}", isDone=True, completedAt=f"2026-01-01T00:00:0{i}Z") for i in range(5)]
    kept, gone = prune(with_entries(Queue(), [*made, lap("t")]), 2)
    assert [one.id for one in gone] == ["d-0", "d-1", "d-2"]
    assert [one.id for one in kept.entries] == ["d-3", "d-4", "t"]
    assert prune(kept, 20)[1] == []


@pytest.mark.parametrize(
    ("text", "line"), [(" a  b ", "a  b"), ("a\r\n\n b\u2028c", "a b c"), ("\n", ""), ("", "")]
)
def test_a_title_is_one_line(text: str, line: str) -> None:
    assert one_line(text) == line


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["head", "tail", "after", "move", "done", "reopen", "remove"]),
        st.integers(0, 100),
        st.integers(0, 100),
        st.integers(1, 3),
    ),
    max_size=40,
)


@given(st.lists(st.integers(-3, 3), max_size=5), CHANGES)
def test_the_order_is_that_of_a_plain_list(
    begin: list[int], changes: list[tuple[str, int, int, int]]
) -> None:
    """Whatever is done, the queue stands as a list would that is treated alike."""
    at = queue(*begin)
    model, done = ids(at), list[str]()
    for number, (what, one, other, count) in enumerate(changes):
        fresh = [f"n-{number}-{i}" for i in range(count)]
        chosen = model[one % len(model)] if model else ""
        anchor = model[other % len(model)] if model else ""
        laps = [lap(name) for name in fresh]
        if what == "head":
            at, model = insert(at, laps, HEAD), fresh + model
        elif what == "tail":
            at, model = insert(at, laps, TAIL), model + fresh
        elif what == "after" and anchor:
            at = insert(at, laps, Where(Position.AFTER, anchor))
            place = model.index(anchor) + 1
            model = model[:place] + fresh + model[place:]
        elif what == "move" and chosen != anchor:
            at = move(at, chosen, Where(Position.AFTER, anchor), NOW)
            model.remove(chosen)
            model.insert(model.index(anchor) + 1, chosen)
        elif what == "done" and chosen:
            at = finish(at, chosen, NOW)
            model.remove(chosen)
            done.append(chosen)
        elif what == "reopen" and done:
            name = done.pop()
            at = insert(remove(at, {name}), [lap(name)], HEAD)
            model = [name, *model]
        elif what == "remove" and chosen:
            at = remove(at, {chosen})
            model.remove(chosen)
        at = parse(encode(at), "x")
        assert ids(at) == model
        assert sorted(one.id for one in at.done) == sorted(done)
    assert len({one.id for one in at.entries}) == len(at.entries)


@given(st.permutations([lap(f"l-{i}", order=i % 3, isDone=i % 2 == 0) for i in range(8)]))
def test_the_place_in_the_file_decides_nothing(shuffled: list[Lap]) -> None:
    sound = with_entries(Queue(), sorted(shuffled, key=lambda one: one.id))
    raw = msgspec.json.encode(replace(Queue(), entries=tuple(shuffled)))
    assert parse(raw, "x") == sound
