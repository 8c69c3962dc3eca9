"""What is served: through stints, past emptied ones, up to held ones and around others' claims."""

import msgspec
import pytest

from mittelo.core.claims import Claim
from mittelo.core.queues import Lap, Queue, with_entries
from mittelo.core.scopes import (
    ChainError,
    Context,
    MissingStintError,
    Served,
    State,
    serve,
    serve_here,
    walk,
)

Stints = dict[str, Queue]


def queue(*names: str, held: bool = False) -> Queue:
    """Return a queue; `>x` is a reference to a stint, `-x` something that is done."""
    laps = []
    for order, name in enumerate(names):
        kind = "stint" if ">" in name else "lap"
        done = name.startswith("-")
        known = {"id": name, "order": order, "kind": kind, "isDone": done}
        laps.append(msgspec.convert(known | {"ref": name.lstrip("->")}, Lap))
    return with_entries(Queue(held=held), laps)


def served(root: Queue, stints: Stints, *barred: str) -> Served:
    def load(name: str) -> Queue:
        if name not in stints:
            raise MissingStintError(name)
        return stints[name]

    def bar(file: str, lap_id: str) -> Claim | None:
        return Claim(lap=lap_id, file=file) if lap_id in barred else None

    return serve(Context("laps.json", "root", root), load, bar)


@pytest.mark.parametrize(
    ("root", "stints", "barred", "expected"),
    [
        (queue(), {}, "", ("empty", "root", "")),
        (queue("-a"), {}, "", ("complete", "root", "")),
        (queue("a", "b"), {}, "", ("lap", "root", "a")),
        (queue(">s", "a"), {"s": queue("x")}, "", ("lap", "s", "x")),
        (queue(">s"), {"s": queue(">t"), "t": queue("y")}, "", ("lap", "s/t", "y")),
        (queue(">s", "a"), {"s": queue()}, "", ("lap", "root", "a")),
        (queue(">s", "a"), {"s": queue("-x")}, "", ("lap", "root", "a")),
        (queue(">s", "a"), {"s": queue(">t", "x"), "t": queue()}, "", ("lap", "s", "x")),
        (queue(">s", "a"), {"s": queue(">t"), "t": queue()}, "", ("lap", "root", "a")),
        (queue(">s"), {"s": queue()}, "", ("empty", "s", "")),
        (queue(">s"), {"s": queue("-x")}, "", ("complete", "s", "")),
        (queue(">s"), {"s": queue(">t"), "t": queue("-y")}, "", ("complete", "s/t", "")),
        (queue(">s", "a"), {"s": queue("x", held=True)}, "", ("held", "s", "")),
        (queue(">s", "a"), {"s": queue("-x", held=True)}, "", ("lap", "root", "a")),
        (queue("a", ">s"), {"s": queue("x", held=True)}, "", ("lap", "root", "a")),
        (queue(">s"), {"s": queue(">t", held=True), "t": queue("y")}, "", ("held", "s/t", "")),
        (queue("a", "b"), {}, "a", ("lap", "root", "b")),
        (queue("a", "b"), {}, "ab", ("claimed", "root", "")),
        (queue(">s", "a"), {"s": queue("x")}, "x", ("lap", "root", "a")),
        (queue(">s", "a"), {"s": queue("x")}, "xa", ("claimed", "s", "")),
        (queue("a", ">s"), {"s": queue("x", held=True)}, "a", ("held", "s", "")),
    ],
)
def test_what_is_next(
    root: Queue, stints: Stints, barred: str, expected: tuple[str, str, str]
) -> None:
    found = served(root, stints, *barred)
    assert (found.state, found.context.scope, found.lap.id if found.lap else "") == expected
    assert bool(found.gate) == (found.state is State.HELD)


def test_what_was_passed_over_is_told() -> None:
    found = served(queue(">s", "a", "b"), {"s": queue("x")}, "x", "a")
    assert [claim.lap for claim in found.barred] == ["x", "a"]
    assert found.lap
    assert found.lap.id == "b"


@pytest.mark.parametrize(
    ("root", "stints", "words"),
    [
        (queue(">s"), {}, "missing stint"),
        (queue(">../s"), {}, "malformed"),
        (queue(">"), {}, "malformed"),
        (queue(">s"), {"s": queue(">s")}, "root → s → s"),
        (queue(">s"), {"s": queue(">t"), "t": queue(">s")}, "root → s → t → s"),
    ],
)
def test_a_broken_chain_is_told_of(root: Queue, stints: Stints, words: str) -> None:
    with pytest.raises(ChainError, match=words) as caught:
        served(root, stints)
    assert caught.value.exit_code == 2
    assert "laps delete" in caught.value.todo


def test_a_queue_that_is_named_serves_its_own_entries() -> None:
    def none(_file: str, _lap_id: str) -> None:
        return None

    here = serve_here(Context("laps.json", "root", queue(">s", "a")), none)
    assert here.lap
    assert here.lap.is_ref
    held = Context("stints/s.laps.json", "s", queue("x", held=True))
    assert serve_here(held, none).state is State.HELD
    through = Context("stints/s.laps.json", "s", queue("-x", held=True))
    assert serve_here(through, none).state is State.COMPLETE


def test_every_stint_is_met_once() -> None:
    stints = {"s": queue(">t", ">s", ">gone"), "t": queue(">s", "x")}
    root = Context("laps.json", "root", queue(">s", ">t", ">gone"))

    def load(name: str) -> Queue:
        if name not in stints:
            raise MissingStintError(name)
        return stints[name]

    assert sorted(context.scope for context in walk(root, load)) == ["root", "s", "t"]
