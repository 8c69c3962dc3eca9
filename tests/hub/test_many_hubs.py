"""Several hubs on one database: each task once, whichever hub is asked, whatever breaks."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hubs import HubProcess, RunningHub
from postgres import PostgresServer
from support import wait_until

from mittelo.core.requests import Enqueue
from mittelo.core.tasks import Status
from mittelo.hub.client import HubAwayError, HubClient, HubError, LeaseLostError
from mittelo.hub.postgres.store import PostgresStore


@pytest.fixture
def pair(postgres: PostgresServer) -> Iterator[tuple[RunningHub, RunningHub]]:
    """Two hubs on one empty database."""
    postgres.clear()
    with running(postgres) as first, running(postgres) as second:
        yield first, second


def running(postgres: PostgresServer) -> RunningHub:
    return RunningHub(PostgresStore(postgres.url))


@pytest.fixture
def no_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let hubs hear of each other by word alone."""
    monkeypatch.setattr("mittelo.hub.postgres.bell.POLL_SECONDS", 60.0)


def at_once(*work: Callable[[], object]) -> None:
    """Do all of these at the same time."""
    threads = [threading.Thread(target=do) for do in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


Pair = tuple[RunningHub, RunningHub]


def test_each_task_is_done_once(pair: Pair) -> None:
    done: Counter[int] = Counter()
    added: list[int] = []

    def add(hub: RunningHub) -> None:
        with hub.client() as client:
            for number in range(100):
                needs = added[-1:] if number % 3 == 0 else []
                added.append(client.enqueue(Enqueue(prompt="x", after=needs)))

    def work(hub: RunningHub, other: RunningHub, name: str) -> None:
        with hub.client() as client, other.client() as elsewhere:
            deadline = time.monotonic() + 60
            while len(done) < 200 and time.monotonic() < deadline:
                for task in client.lease(name, max_tasks=2, wait_seconds=1):
                    assert task.attempt == 1
                    elsewhere.renew(task)
                    elsewhere.ack(task, "done", result=name)
                    done[task.task_id] += 1

    first, second = pair
    at_once(
        *(lambda hub=hub: add(hub) for hub in pair),
        *(lambda n=n: work(first, second, f"a{n}") for n in range(3)),
        *(lambda n=n: work(second, first, f"b{n}") for n in range(3)),
    )
    assert len(set(added)) == 200
    assert done == Counter(added)
    with first.client() as client:
        stats = client.stats().stats
        assert (stats.done, stats.total) == (200, 200)


@pytest.mark.usefixtures("no_polls")
def test_a_lease_that_waits_hears_of_a_task_of_another_hub(pair: Pair) -> None:
    first, second = pair
    with second.wire() as worker, first.client() as client:
        for number in range(5):
            worker.request("lease", worker_id="w", wait_seconds=30, backends=["b"], tags=["t"])
            wait_until(lambda: second.hub.engine.waiting == 1)
            began = time.monotonic()
            task_id = client.enqueue(Enqueue(prompt="x", backend="b", tags=["t"]))
            (task,) = worker.reply()["result"]["tasks"]
            assert task["task_id"] == task_id
            assert time.monotonic() - began < 50, number
            client.cancel(task_id)


@pytest.mark.usefixtures("no_polls")
def test_a_resumed_queue_is_heard_of_everywhere(pair: Pair) -> None:
    first, second = pair
    with second.wire() as worker, first.client() as client:
        client.pause()
        client.enqueue("x")
        assert worker.call("lease", worker_id="w") == {"tasks": []}
        worker.request("lease", worker_id="w", wait_seconds=30)
        wait_until(lambda: second.hub.engine.waiting == 1)
        client.resume()
        assert worker.reply()["result"]["tasks"]


def test_a_word_that_was_lost_is_made_up_for(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mittelo.hub.postgres.bell.Bell.ring", lambda *_, **__: None)
    first, second = pair
    with second.wire() as worker, first.client() as client:
        begin = worker.call("events")["next"]
        worker.request("lease", worker_id="w", wait_seconds=30)
        wait_until(lambda: second.hub.engine.waiting == 1)
        client.enqueue("x")
        assert worker.reply()["result"]["tasks"]
        found = worker.call("events", after=begin, wait_seconds=30)["events"]
        assert [event["kind"] for event in found][:1] == ["enqueued"]


def test_followers_of_any_hub_see_everything_once_and_in_order(pair: Pair) -> None:
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(hub.wire()) for hub in pair]
        begin = max(wire.call("events")["next"] for wire in wires)
        seen: list[list[dict[str, Any]]] = [[], []]

        def follow(number: int) -> None:
            after = begin
            while len(seen[number]) < 240:
                found = wires[number].call("events", after=after, limit=50, wait_seconds=10)
                assert not found.get("missed")
                seen[number] += found["events"]
                after = found["next"]

        def work(hub: RunningHub) -> None:
            with hub.client() as client:
                for _ in range(40):
                    client.enqueue("x")
                    for task in client.lease("w", max_tasks=1, wait_seconds=10):
                        client.ack(task, "done")

        at_once(lambda: follow(0), lambda: follow(1), *(lambda h=h: work(h) for h in pair))
    assert seen[0] == seen[1]
    assert [event["number"] for event in seen[0]] == [*range(begin + 1, begin + 241)]
    kinds: dict[int, list[str]] = {}
    for event in seen[0]:
        kinds.setdefault(event["task_id"], []).append(event["kind"])
    assert all(found == ["enqueued", "leased", "done"] for found in kinds.values())


def test_events_outlive_the_hub_that_told_them(postgres: PostgresServer) -> None:
    postgres.clear()
    with running(postgres) as hub, hub.client() as client:
        begin = client.events().next
        client.enqueue("x")
    with running(postgres) as hub, hub.client() as client:
        found = client.events(begin)
        assert ([event.kind for event in found.events], found.missed) == (["enqueued"], False)


def test_a_key_stands_for_one_task_on_all_hubs(pair: Pair) -> None:
    found: list[set[int]] = [set() for _ in range(40)]

    def add(hub: RunningHub) -> None:
        with hub.client() as client:
            for number in range(40):
                found[number].add(client.enqueue(Enqueue(prompt="x", dedupe_key=f"k{number}")))

    at_once(*(lambda hub=hub: add(hub) for hub in (*pair, *pair)))
    assert all(len(ids) == 1 for ids in found)


def test_what_waits_for_a_task_that_ends_elsewhere_at_that_moment_does_not_wait_forever(
    pair: Pair,
) -> None:
    first, second = pair
    with first.client() as adding, first.client() as waiting, second.client() as ending:
        for number in range(40):
            needed = adding.enqueue("x")
            (task,) = ending.lease("w")
            how = "failed" if number % 4 == 0 else "done"
            last: list[int] = []
            at_once(
                lambda: ending.ack(task, how),  # noqa: B023 - at once
                lambda: last.append(waiting.enqueue(Enqueue(prompt="y", after=[needed]))),  # noqa: B023
            )
            found = adding.get(last[0])
            assert found.waits_for == 0
            assert found.status is (Status.CANCELLED if how == "failed" else Status.QUEUED)
            adding.purge(0) if how == "failed" else ending.ack(ending.lease("w")[0], "done")


def test_leases_of_a_hub_that_is_gone_expire_on_another(postgres: PostgresServer) -> None:
    postgres.clear()
    with running(postgres) as second:
        with running(postgres) as first, first.client() as client:
            client.enqueue("x")
            client.lease("gone", lease_seconds=0.5)
        with second.client() as client:
            (task,) = client.lease("here", wait_seconds=20)
            assert task.attempt == 2


def test_the_database_comes_back_and_nothing_is_lost(pair: Pair, postgres: PostgresServer) -> None:
    added: Counter[int] = Counter()
    done: Counter[int] = Counter()
    unsure: list[str] = []
    stop = threading.Event()

    def work(hub: RunningHub, name: str) -> None:
        with hub.client() as client:
            while not stop.is_set():
                try:
                    added[client.enqueue("x")] += 1
                    for task in client.lease(name, max_tasks=3):
                        client.ack(task, "done", result=name)
                        done[task.task_id] += 1
                except HubError as error:
                    unsure.append(error.code)
                    time.sleep(0.05)

    def crash() -> None:
        for _ in range(2):
            before = sum(done.values())
            wait_until(lambda: sum(done.values()) > before + 30, "work")  # noqa: B023 - at once
            postgres.restart()
        before = sum(done.values())
        wait_until(lambda: sum(done.values()) > before + 30, "work again")
        stop.set()

    at_once(crash, *(lambda hub=hub, n=n: work(hub, f"w{n}") for hub in pair for n in range(3)))
    assert set(unsure) <= {"unavailable", "lease_lost"}
    assert max(added.values()) == max(done.values()) == 1
    with pair[0].client() as client:
        tasks = {task.task_id: task for task in client.list(limit=0).tasks}
        assert set(added) <= set(tasks)
        assert all(tasks[task_id].status is Status.DONE for task_id in done)
        stats = client.stats().stats
        assert stats.total == len(tasks)
        assert stats.done == sum(task.status is Status.DONE for task in tasks.values())


def test_a_database_that_stays_away_is_said_to_be(
    pair: Pair, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mittelo.hub.postgres.link.PATIENCE_SECONDS", 0.2)
    hub, _ = pair
    with hub.client() as client, hub.wire() as wire:
        client.enqueue("before")
        postgres.stop()
        try:
            for method, params in [("enqueue", {"prompt": "x"}), ("stats", {}), ("list", {})]:
                error = wire.refused(method, **params)
                assert error["code"] == "unavailable"
                assert "does not answer" in error["message"]
        finally:
            postgres.start()
        wait_until(lambda: _works(client), "the hub again")
        assert client.get(1).prompt == "before"


def _works(client: HubClient) -> bool:
    try:
        client.enqueue("after")
    except HubError:
        return False
    return True


def test_hubs_are_processes_and_one_may_be_killed(postgres: PostgresServer, tmp_path: Path) -> None:
    postgres.clear()
    done: Counter[int] = Counter()
    over = threading.Event()

    def work(port: int, name: str) -> None:
        with contextlib.suppress(HubAwayError), HubClient(port=port, pauses=()) as client:
            while not over.is_set():
                for task in client.lease(name, wait_seconds=1, lease_seconds=1):
                    with contextlib.suppress(LeaseLostError):
                        client.ack(task, "done")
                        done[task.task_id] += 1

    url = postgres.tcp_url()
    with (
        HubProcess(tmp_path / "first", url=url) as first,
        HubProcess(tmp_path / "second", url=url) as second,
    ):
        with HubClient(port=first.port) as client:
            added = client.enqueue_many([Enqueue(prompt="x")] * 400)

        def kill() -> None:
            try:
                wait_until(lambda: len(done) > 50, "work")
                first.kill()
                with HubClient(port=second.port) as client:
                    wait_until(lambda: client.stats().stats.done == 400, "the rest")
            finally:
                over.set()

        at_once(
            kill,
            *(lambda n=n: work(first.port, f"a{n}") for n in range(2)),
            *(lambda n=n: work(second.port, f"b{n}") for n in range(2)),
        )
        with HubClient(port=second.port) as client:
            stats = client.stats().stats
            assert (stats.done, stats.total) == (400, 400)
            client.shutdown()
        assert second.wait() == 0
        assert second.errors() == ""
    assert set(done) <= set(added)
    assert max(done.values()) == 1
