"""Events over HTTP: streams that are followed and resumed, and long polls."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hubs import Wire
from resthubs import RestHub, following
from support import wait_until

from mittelo.hub.events import Feed
from mittelo.hub.following import Followers
from mittelo.hub.rest import connections
from mittelo.hub.rest import door as doors
from mittelo.hub.rest import following as streams

WAIT = "?after={}&wait_seconds=60"
JSON = {"Accept": "application/json"}
STREAM = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def hub() -> Iterator[RestHub]:
    with RestHub() as running:
        yield running


@pytest.fixture
def http(hub: RestHub) -> Iterator[httpx.Client]:
    with hub.http() as client:
        yield client


@pytest.fixture
def wire(hub: RestHub) -> Iterator[Wire]:
    with hub.wire() as client:
        yield client


def now(http: httpx.Client) -> int:
    number: int = http.get("/events", headers=JSON).json()["next"]
    return number


def test_what_happens_is_told_as_it_happens(http: httpx.Client, wire: Wire) -> None:
    with following(http) as stream:
        wire.call("enqueue", prompt="x")
        first = stream.message()
        assert (first["kind"], first["task_id"], first["status"]) == ("enqueued", 1, "queued")
        assert stream.last_id == str(first["number"])
        wire.call("lease", worker_id="w")
        assert (found := stream.message())["kind"] == "leased"
        assert (found["worker_id"], found["number"]) == ("w", first["number"] + 1)
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        assert stream.answer.headers["cache-control"]


def test_a_stream_goes_on_where_it_broke_off(http: httpx.Client, wire: Wire) -> None:
    with following(http) as stream:
        wire.call("enqueue", prompt="1")
        seen = stream.message()["number"]
    for prompt in "234":
        wire.call("enqueue", prompt=prompt)
    with following(http, Last_Event_ID=str(seen)) as stream:
        assert [stream.message()["task_id"] for _ in range(3)] == [2, 3, 4]
    with following(http, f"?after={seen + 1}") as stream:
        assert [stream.message()["task_id"] for _ in range(2)] == [3, 4]
    with following(http, "?after=0", Last_Event_ID=str(seen + 2)) as stream:
        assert stream.message()["task_id"] == 4


def test_a_stream_in_which_nothing_happened_yet_can_be_resumed(
    http: httpx.Client, wire: Wire
) -> None:
    with http.stream("GET", "/events") as answer:
        lines = answer.iter_lines()
        begin = {
            line.partition(": ")[0]: line.partition(": ")[2] for line in iter(lines.__next__, "")
        }
    wire.call("enqueue", prompt="meanwhile")
    with following(http, Last_Event_ID=begin["id"]) as stream:
        assert stream.message()["task_id"] == 1


def test_who_was_away_too_long_is_told_that_he_missed_something(
    hub: RestHub, http: httpx.Client, wire: Wire
) -> None:
    begin = now(http)
    ready = threading.Event()

    def forget() -> None:
        hub.hub.followers = Followers(Feed(begin / 1_000_000 + 1, kept=3))
        ready.set()

    hub.on_loop(forget)
    assert ready.wait(10)
    wire.call("enqueue_many", tasks=[{"prompt": "x"}] * 10)
    with following(http, f"?after={begin}") as stream:
        gap = stream.message()
        assert gap["event"] == "missed"
        assert [stream.message()["task_id"] for _ in range(3)] == [8, 9, 10]
        assert stream.last_id == str(gap["next"])


def test_a_stream_in_which_nothing_happens_shows_that_it_lives(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.05)
    with following(http) as stream:
        for _ in range(3):
            assert stream.block() == {"": "still here"}


def test_a_long_poll_comes_at_once(hub: RestHub, http: httpx.Client, wire: Wire) -> None:
    begin = now(http)
    found: list[Any] = []

    def wait() -> None:
        with hub.http() as other:
            found.append(other.get(f"/events{WAIT.format(begin)}", headers=JSON).json())

    thread = threading.Thread(target=wait)
    began = time.monotonic()
    thread.start()
    wait_until(lambda: hub.hub.followers._waiting)
    wire.call("enqueue", prompt="x")
    thread.join()
    assert time.monotonic() - began < 30
    assert [event["kind"] for event in found[0]["events"]] == ["enqueued"]
    assert found[0]["next"] == found[0]["events"][0]["number"]


def test_who_goes_away_is_followed_by_nobody(hub: RestHub, http: httpx.Client) -> None:
    begin = now(http)
    with following(http):
        wait_until(lambda: len(hub.hub.followers._waiting) == 1)
        with pytest.raises(httpx.ReadTimeout), hub.http() as other:
            other.get(f"/events{WAIT.format(begin)}", headers=JSON, timeout=0.2)
        wait_until(lambda: len(hub.hub.followers._waiting) == 1)
    wait_until(lambda: not hub.hub.followers._waiting)
    wait_until(lambda: not hub.rest._server.server_state.tasks)


def test_many_follow_at_once(hub: RestHub, wire: Wire) -> None:
    clients = [hub.http() for _ in range(30)]
    streams = [following(client) for client in clients]
    opened = [stream.__enter__() for stream in streams]
    wire.call("enqueue", prompt="x")
    assert {stream.message()["task_id"] for stream in opened} == {1}
    for stream, client in zip(streams, clients, strict=True):
        stream.__exit__(None, None, None)
        client.close()


def test_streams_end_properly_when_the_hub_does(http: httpx.Client, hub: RestHub) -> None:
    with following(http) as stream, following(http) as other:
        with hub.http() as third:
            begin = now(third)
        answers: list[Any] = []

        def poll() -> None:
            with hub.http() as fourth:
                answers.append(fourth.get(f"/events{WAIT.format(begin)}", headers=JSON).json())

        thread = threading.Thread(target=poll)
        thread.start()
        wait_until(lambda: len(hub.hub.followers._waiting) == 3)
        hub.stop()
        assert stream.is_over()
        assert other.is_over()
        thread.join()
    assert answers == [{"events": [], "next": begin, "missed": False}]


def test_who_does_not_read_costs_little_and_is_told_that_he_missed_something() -> None:
    with RestHub(send_buffer=4096) as hub, hub.raw(4096) as deaf, hub.wire() as wire:
        deaf.sendall(STREAM)
        assert deaf.recv(15)
        for _ in range(7):
            wire.call("enqueue_many", tasks=[{"prompt": ""}] * 2000)
        (connection,) = hub.rest._server.server_state.connections
        assert connection.flow.write_paused  # type: ignore[union-attr]
        assert connection.transport.get_write_buffer_size() < 500_000
        found = b""
        while b"event: missed" not in found:
            found = found[-20:] + deaf.recv(65_536)


def test_who_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "LOOK_SECONDS", 0.05)
    monkeypatch.setitem(connections._PATIENCE, "read", 0.2)
    with RestHub(send_buffer=4096) as hub, hub.raw(4096) as deaf, hub.wire() as wire:
        deaf.sendall(STREAM)
        assert deaf.recv(15)
        wire.call("enqueue_many", tasks=[{"prompt": ""}] * 5000)
        wait_until(lambda: not hub.rest._server.server_state.connections)
        assert wire.call("stats")["stats"]["queued"] == 5000
