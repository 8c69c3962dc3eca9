"""Event numbers: without gaps, bounded, and larger after each start."""

from mittelo.core.requests import Event
from mittelo.core.tasks import Status
from mittelo.hub.events import Feed


def filled(kept: int, count: int) -> tuple[Feed, int]:
    feed = Feed(100.0, kept)
    begin = feed.last
    for task_id in range(count):
        feed.append([Event(kind="x", task_id=task_id, status=Status.DONE, at=1.0)])
    return feed, begin


def test_whoever_follows_gets_everything_in_order() -> None:
    feed, begin = filled(10, 5)
    first = feed.since(begin, 3)
    rest = feed.since(first.next, 3)
    assert [e.task_id for e in (*first.events, *rest.events)] == [0, 1, 2, 3, 4]
    assert feed.since(rest.next, 3).events == []
    assert not first.missed
    assert not rest.missed


def test_whoever_comes_too_late_is_told() -> None:
    feed, begin = filled(3, 5)
    found = feed.since(begin, 10)
    assert found.missed
    assert [event.task_id for event in found.events] == [2, 3, 4]
    assert not feed.since(begin + 2, 10).missed


def test_a_number_of_an_earlier_start_or_from_nowhere_is_noticed() -> None:
    feed, begin = filled(3, 1)
    assert feed.since(begin - 50, 10).missed
    assert feed.since(feed.last + 50, 10).missed
    assert not feed.since(None, 10).missed
    assert Feed(101.0).last > feed.last
