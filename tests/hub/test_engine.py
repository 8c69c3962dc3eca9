"""Leases that wait, events that are followed, workers that are seen: through the door."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hubs import RunningHub, Wire
from support import wait_until

from mittelo.hub.sqlite.store import SqliteStore


class SlowStore(SqliteStore):
    """A store that is written to on a thread."""

    BLOCKS_BRIEFLY = False


@pytest.fixture(params=[SqliteStore, SlowStore], ids=["on the loop", "on a thread"])
def hub(request: pytest.FixtureRequest) -> Iterator[RunningHub]:
    with RunningHub(request.param(":memory:")) as running:
        yield running


def waiting(hub: RunningHub, wire: Wire, count: int = 1, **params: Any) -> None:
    """Let a lease wait."""
    wire.request("lease", **{"worker_id": "w", "wait_seconds": 30, **params})
    wait_until(lambda: hub.hub.engine.waiting == count, "waiting")


def got(wire: Wire) -> list[int]:
    return [task["task_id"] for task in wire.reply()["result"]["tasks"]]


def test_a_lease_waits_for_a_task(hub: RunningHub) -> None:
    with hub.wire() as worker, hub.wire() as wire:
        waiting(hub, worker)
        wire.call("enqueue", prompt="x")
        assert got(worker) == [1]


def test_a_lease_gives_up_when_its_time_is_over(hub: RunningHub) -> None:
    with hub.wire() as worker:
        assert worker.call("lease", worker_id="w", wait_seconds=0.05) == {"tasks": []}
        assert hub.hub.engine.waiting == 0


@pytest.mark.parametrize("how", ["released", "expired", "later", "after", "retried", "resumed"])
def test_a_lease_that_waits_hears_of_whatever_becomes_ready(hub: RunningHub, how: str) -> None:
    with hub.wire() as worker, hub.wire() as wire:
        wire.call("enqueue", prompt="x")
        (held,) = wire.call("lease", worker_id="other", lease_seconds=60)["tasks"]
        expected = 2 if how in {"later", "after"} else 1
        if how == "after":
            wire.call("enqueue", prompt="y", after=[1])
        if how == "retried":
            wire.call("ack", task_id=1, status="failed")
        if how == "resumed":
            wire.call("pause")
            wire.call("ack", task_id=1, status="released")
        waiting(hub, worker)
        if how == "expired":
            wire.call("renew", task_id=1, lease_id=held["lease_id"], lease_seconds=0.2)
        if how == "later":
            wire.call("enqueue", prompt="y", not_before=hub.hub.engine._clock() + 0.2)
        if how == "released":
            wire.call("ack", task_id=1, status="released")
        if how == "after":
            wire.call("ack", task_id=1, status="done")
        if how == "retried":
            wire.call("retry_failed")
        if how == "resumed":
            wire.call("resume")
        assert got(worker) == [expected]


def test_those_who_wait_are_served_in_order_each_what_it_serves(hub: RunningHub) -> None:
    with hub.wire() as first, hub.wire() as second, hub.wire() as third, hub.wire() as wire:
        waiting(hub, first, 1, backends=["a"], worker_id="a")
        waiting(hub, second, 2, worker_id="b", tags=[])
        waiting(hub, third, 3, worker_id="c")
        wire.call("enqueue", prompt="x", tags=["t"], backend="a")
        assert got(first) == [1]
        wire.call("enqueue", prompt="x", tags=["t"])
        assert got(third) == [2]
        wire.call("enqueue", prompt="x")
        assert got(second) == [3]


def test_nobody_waits_on_beside_a_task_that_another_left(hub: RunningHub) -> None:
    with hub.wire() as both, hub.wire() as plain, hub.wire() as wire:
        waiting(hub, both, 1, backends=["a"], worker_id="both")
        waiting(hub, plain, 2, worker_id="plain")
        tasks = [{"prompt": "plain"}, {"prompt": "a", "backend": "a", "priority": 9}]
        wire.call("enqueue_many", tasks=tasks)
        assert (got(both), got(plain)) == ([2], [1])


def test_no_wake_up_is_lost_in_a_crowd(hub: RunningHub) -> None:
    done: list[int] = []

    def work(number: int) -> None:
        with hub.client() as client:
            while tasks := client.lease(f"w{number}", max_tasks=number % 3 + 1, wait_seconds=60):
                for task in tasks:
                    client.ack(task, "done")
                    done.append(task.task_id)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    with hub.client() as client:
        for number in range(300):
            client.enqueue(str(number))
        wait_until(lambda: len(done) == 300, "all done")
        wait_until(lambda: hub.hub.engine.waiting == 6, "waiting")
        client.shutdown()
    for thread in threads:
        thread.join()
    assert sorted(done) == [*range(1, 301)]


def test_an_expiry_is_acted_on_though_nobody_asks(hub: RunningHub) -> None:
    with hub.wire() as wire:
        wire.call("enqueue", prompt="x", max_attempts=1)
        begin = wire.call("events")["next"]
        wire.call("lease", worker_id="w", lease_seconds=0.1)
        found = wire.call("events", after=begin, wait_seconds=10)
        while found["events"][-1]["kind"] == "leased":
            found = wire.call("events", after=found["next"], wait_seconds=10)
        assert found["events"][-1]["status"] == "failed"


def test_followers_miss_nothing_and_see_no_gaps(hub: RunningHub) -> None:
    with hub.wire() as follower, hub.wire() as wire:
        start = follower.call("events")
        assert start["events"] == []
        number = start["next"]
        seen: list[dict[str, Any]] = []

        def follow() -> None:
            nonlocal number
            while len(seen) < 300:
                found = follower.call("events", after=number, limit=7, wait_seconds=10)
                seen.extend(found["events"])
                number = found["next"]

        thread = threading.Thread(target=follow)
        thread.start()
        for _ in range(100):
            task_id = wire.call("enqueue", prompt="x")["task_id"]
            (task,) = wire.call("lease", worker_id="w")["tasks"]
            assert task["task_id"] == task_id
            wire.call("ack", task_id=task_id, status="done")
        thread.join()
    numbers = [event["number"] for event in seen]
    assert numbers == [*range(start["next"] + 1, start["next"] + 301)]
    assert [event["kind"] for event in seen] == ["enqueued", "leased", "done"] * 100


def test_workers_are_seen_with_what_they_have_in_hand(hub: RunningHub) -> None:
    with hub.wire() as wire:
        with hub.wire() as worker:
            wire.call("enqueue", prompt="x", backend="a")
            worker.call("lease", worker_id="w", backends=["a"], tags=["t"])
            (found,) = wire.call("workers")["workers"]
            assert (found["worker_id"], found["backends"], found["tags"]) == ("w", ["a"], ["t"])
            assert (found["connected"], found["tasks"]) == (True, [1])
            worker.call("ack", task_id=1, status="done")
            assert wire.call("workers")["workers"][0]["tasks"] == []
        wait_until(lambda: not wire.call("workers")["workers"][0]["connected"], "gone")


def test_purging_and_retrying_many_is_one_request(hub: RunningHub) -> None:
    with hub.wire() as wire:
        wire.call("enqueue_many", tasks=[{"prompt": "x"}] * 1200)
        for _ in range(2):
            for task in wire.call("lease", worker_id="w", max_tasks=600)["tasks"]:
                wire.request("ack", task_id=task["task_id"], status="failed")
            for _ in range(600):
                wire.reply()
        assert wire.call("retry_failed") == {"retried": 1200}
        for task_id in range(1, 1201):
            wire.request("cancel", task_id=task_id)
        for _ in range(1200):
            wire.reply()
        assert wire.call("purge", days=0) == {"purged": 1200}


def test_no_change_overtakes_a_read_that_was_asked_for_before(
    hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go_on = threading.Event(), threading.Event()
    counted = hub.store.counted

    def slowly(now: float) -> Any:
        reading.set()
        go_on.wait(0.3)  # time enough for a change, if one were let through
        return counted(now)

    monkeypatch.setattr(hub.store, "counted", slowly)
    with hub.wire() as wire:
        wire.request("enqueue", prompt="before")
        wire.request("stats")
        assert reading.wait(10)
        wire.request("enqueue", prompt="after")
        assert wire.reply()["result"] == {"task_id": 1}
        assert wire.reply()["result"]["stats"]["total"] == 1
        assert wire.reply()["result"] == {"task_id": 2}
