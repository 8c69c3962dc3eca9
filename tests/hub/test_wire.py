"""The protocol as clients of its first version speak it, on one connection and on many."""

import socket
import threading
from typing import Any

import msgspec
import pytest
from hubs import RunningHub, Wire
from support import wait_until

from mittelo.hub import connection as connections

TASK = {
    *("task_id", "prompt", "status", "created_at", "updated_at", "leased_until", "worker_id"),
    *("result", "error"),
}


def test_an_old_client_does_its_work_on_one_connection(hub: RunningHub) -> None:
    with hub.wire() as wire:
        assert wire.call("enqueue", prompt="hello") == {"task_id": 1}
        (task,) = wire.call("lease", worker_id="w", max_tasks=1, lease_seconds=30)["tasks"]
        assert set(task) >= TASK
        assert (task["prompt"], task["status"], task["worker_id"]) == ("hello", "leased", "w")
        assert task["leased_until"] > task["updated_at"] + 29
        assert wire.call("lease", worker_id="w", max_tasks=1, lease_seconds=30) == {"tasks": []}
        assert wire.call("ack", task_id=1, status="done", result="r", error=None) == {"ok": True}
        wire.call("enqueue", prompt="two")
        wire.call("lease", worker_id="w", max_tasks=1, lease_seconds=30)
        assert wire.call("ack", task_id=2, status="failed", error="e") == {"ok": True}
        listed = wire.call("list")
        assert [task["task_id"] for task in listed["tasks"]] == [2, 1]
        assert [(t["result"], t["error"]) for t in listed["tasks"]] == [(None, "e"), ("r", None)]
        stats = wire.call("stats")["stats"]
        assert stats.items() >= {"queued": 0, "leased": 0, "done": 1, "failed": 1}.items()
        assert listed["stats"] == stats
        assert wire.call("retry_failed") == {"retried": 1}
        (task,) = wire.call("list", status="queued")["tasks"]
        assert [task[name] for name in ("worker_id", "leased_until", "result", "error")] == (
            [None] * 4
        )


def test_an_old_client_on_many_connections_is_known_by_its_name(hub: RunningHub) -> None:
    def call(method: str, **params: Any) -> Any:
        with hub.wire() as wire:
            return wire.call(method, **params)

    call("enqueue", prompt="a")
    call("lease", worker_id="w")
    with hub.wire() as stranger:
        error = stranger.refused("ack", task_id=1, status="done", result="stolen")
        assert error["code"] == "lease_lost"
    with hub.wire() as again:
        again.call("lease", worker_id="w")
        assert again.call("ack", task_id=1, status="done", result="mine") == {"ok": True}
    assert call("get", task_id=1)["result"] == "mine"


def test_an_ack_of_anybody_for_anything_is_refused(hub: RunningHub) -> None:
    with hub.wire() as wire:
        assert wire.refused("ack", task_id=77, status="done")["code"] == "not_found"
        wire.call("enqueue", prompt="a")
        assert wire.refused("ack", task_id=1, status="done")["code"] == "lease_lost"


def test_a_lease_that_expired_is_handed_out_again(hub: RunningHub) -> None:
    with hub.wire() as wire:
        wire.call("enqueue", prompt="a")
        wire.call("lease", worker_id="w", lease_seconds=0)
        (task,) = wire.call("lease", worker_id="v")["tasks"]
        assert (task["worker_id"], task["attempt"]) == ("v", 2)
    with hub.wire() as other:
        assert other.refused("ack", task_id=1, status="done", worker_id="w")["code"] == "lease_lost"


def test_the_id_comes_back_as_it_was_written(hub: RunningHub) -> None:
    with hub.wire() as wire:
        for written in ("1", '"x"', "null", "[1, {}]", "1.50", "12345678901234567890123", "true"):
            wire.send(b'{"id":%b,"method":"stats","params":{}}\n' % written.encode())
            assert wire._file.readline().startswith(b'{"id":%b,"result"' % written.encode())
        wire.send(b'{"method":"stats"}\n{"method":"stats","params":null,"more":1}\n\n\r\n')
        for _ in range(2):
            assert wire.reply()["error"] is None


def test_requests_are_answered_in_order_and_see_what_was_before(hub: RunningHub) -> None:
    with hub.wire() as wire:
        for number in range(200):
            wire.request("enqueue", prompt=str(number))
            wire.request("stats")
        for number in range(200):
            assert wire.reply()["result"] == {"task_id": number + 1}
            assert wire.reply()["result"]["stats"]["total"] == number + 1


def test_more_requests_at_once_than_there_is_room_for(hub: RunningHub) -> None:
    count = connections.MAX_OPEN * 20
    with hub.wire() as wire:
        writer = threading.Thread(
            target=wire.send,
            args=(b'{"id":1,"method":"enqueue","params":{"prompt":"x"}}\n' * count,),
        )
        writer.start()
        found = [wire.reply()["result"]["task_id"] for _ in range(count)]
        writer.join()
    assert found == [*range(1, count + 1)]


BAD = [
    (b"nonsense", "bad_json", None),
    (b"\xff\xfe", "bad_json", None),
    (b'"text"', "bad_request", None),
    (b"[]", "bad_request", None),
    (b"{}", "bad_request", None),
    (b'{"id":5}', "bad_request", 5),
    (b'{"id":5,"method":7}', "bad_request", 5),
    (b'{"id":5,"method":"nothing"}', "unknown_method", 5),
    (b'{"id":5,"method":"enqueue","params":[]}', "bad_request", 5),
    (b'{"id":5,"method":"enqueue","params":{}}', "bad_request", 5),
    (b'{"id":5,"method":"enqueue","params":{"prompt":"a","meta":' + b"[" * 5000, "bad_", None),
    (b'{"id":5,"method":"enqueue","params":' + b"[" * 100_000, "bad_", None),
    (b'{"id":5,"method":"lease","params":{"worker_id":"a\\nb"}}', "bad_request", 5),
    (b'{"id":5,"method":"lease","params":{"worker_id":"w","max_tasks":1e99}}', "bad_request", 5),
    (b'{"id":5,"method":"lease","params":{"worker_id":"w","lease_seconds":-1}}', "bad_request", 5),
    (b'{"id":5,"method":"get","params":{"task_id":1e400}}', "bad_", 5),
    (b'{"id":5,"method":"get","params":{"task_id":99999999999999999999}}', "bad_request", 5),
    (b'{"id":5,"method":"list","params":{"status":"odd"}}', "bad_request", 5),
    (b'{"id":5,"method":"ack","params":{"task_id":1,"status":"leased"}}', "bad_request", 5),
]


@pytest.mark.parametrize(("line", "code", "identity"), BAD, ids=range(len(BAD)))
def test_a_bad_line_gets_an_error_and_the_connection_lives_on(
    hub: RunningHub, line: bytes, code: str, identity: object
) -> None:
    with hub.wire() as wire:
        wire.send(line + b"\n")
        found = wire.reply()
        assert found["result"] is None
        assert found["error"]["code"].startswith(code)
        assert found["error"]["message"]
        assert "Traceback" not in str(found)
        assert found["id"] == identity
        assert wire.call("stats")["stats"]["total"] == 0


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"prompt": 1}, "params.prompt"),
        ({"prompt": "a", "tags": ["x", 3]}, "params.tags[1]"),
        ({"prompt": "a", "priority": "high"}, "params.priority"),
        ({"prompt": "a", "meta": {"x": "y" * 70_000}}, "params"),
        ({"prompt": "a", "after": [5]}, "after"),
    ],
)
def test_an_error_names_the_wrong_field(hub: RunningHub, params: dict[str, Any], path: str) -> None:
    with hub.wire() as wire:
        assert wire.refused("enqueue", **params)["path"] == path


def test_half_a_surrogate_harms_nobody(hub: RunningHub) -> None:
    with hub.wire() as wire:
        wire.send(b'{"id":1,"method":"enqueue","params":{"prompt":"\\ud800"}}\n')
        assert wire.reply()["error"]["code"] in {"bad_json", "bad_request"}


def test_a_line_that_is_too_long_is_refused_and_then_the_door_is_closed() -> None:
    with RunningHub(max_line=10_000) as hub, hub.wire() as wire, hub.wire() as other:
        wire.request("enqueue", prompt="before")
        wire.send(b'{"id":2,"method":"enqueue","params":{"prompt":"' + b"x" * 20_000)
        assert wire.reply()["result"] == {"task_id": 1}
        assert wire.reply()["error"]["code"] == "too_large"
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.is_closed()
        other.send(b"x" * 10_001 + b"\n")
        assert other.reply()["error"]["code"] == "too_large"
        with hub.wire() as third:
            assert third.call("enqueue", prompt="y" * 9_000) == {"task_id": 2}


def test_a_long_line_comes_in_pieces(hub: RunningHub) -> None:
    prompt = "ä" * 3_000_000
    line = msgspec.json.encode({"id": 1, "method": "enqueue", "params": {"prompt": prompt}})
    with hub.wire() as wire:
        middle = len(line) // 2
        wire.send(line[:7])
        wire.send(line[7:middle])
        wire.send(line[middle:] + b'\n{"id":2,"method":"stats"}\n{"id"')
        assert wire.reply()["result"] == {"task_id": 1}
        assert wire.reply()["id"] == 2
        wire.send(b':3,"method":"get","params":{"task_id":1}}\n')
        assert wire.reply()["result"]["prompt"] == prompt


def test_who_writes_no_more_still_gets_answers(hub: RunningHub) -> None:
    with hub.wire() as wire:
        wire.request("enqueue", prompt="x")
        wire.send(b'{"id":2,"method":"stats"}')
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.reply()["result"] == {"task_id": 1}
        assert wire.reply()["result"]["stats"]["queued"] == 1
        assert wire.is_closed()


def test_a_client_that_goes_away_keeps_no_task_it_waited_for(hub: RunningHub) -> None:
    with hub.wire() as gone:
        gone.request("lease", worker_id="gone", wait_seconds=60)
        wait_until(lambda: hub.hub.engine.waiting == 1)
    wait_until(lambda: hub.hub.engine.waiting == 0)
    with hub.wire() as wire:
        wire.call("enqueue", prompt="x")
        assert wire.call("lease", worker_id="w")["tasks"]


def test_a_list_without_limit_is_whole_and_the_hub_goes_on_meanwhile(hub: RunningHub) -> None:
    with hub.wire() as wire, hub.wire() as other:
        for _ in range(3):
            wire.call("enqueue_many", tasks=[{"prompt": "x" * 20_000}] * 300)
        wire.request("list", limit=0)
        wire.request("stats")
        for _ in range(5):
            assert other.call("stats")["stats"]["queued"] == 900
        listed = wire.reply()["result"]
        assert [task["task_id"] for task in listed["tasks"]] == [*range(900, 0, -1)]
        assert listed["stats"]["queued"] == 900
        assert "next" not in listed
        assert wire.reply()["result"]["stats"]["total"] == 900
        page = wire.call("list", limit=3)
        assert (len(page["tasks"]), page["next"]) == (3, 898)
        rest = wire.call("list", limit=-1, before=898, brief=True)
        assert (len(rest["tasks"]), len(rest["tasks"][0]["prompt"])) == (897, 200)


def test_a_client_that_reads_nothing_is_held_back_and_harms_nobody(hub: RunningHub) -> None:
    with hub.wire() as deaf, hub.wire() as other:
        other.call("enqueue_many", tasks=[{"prompt": "x" * 100_000}] * 100)
        deaf.socket.setblocking(False)
        try:
            while True:
                deaf.send(b'{"id":1,"method":"list","params":{"limit":0}}\n' * 100)
        except BlockingIOError:
            pass
        assert other.call("stats")["stats"]["queued"] == 100


def test_nobody_takes_forever_over_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mittelo.hub.tcp.LINE_SECONDS", 0.1)
    monkeypatch.setattr("mittelo.hub.tcp.LOOK_SECONDS", 0.05)
    with RunningHub() as hub, hub.wire() as slow, hub.wire() as idle:
        slow.send(b'{"id"')
        assert slow.is_closed()
        assert idle.call("stats")


def test_hello_says_who_answers(hub: RunningHub) -> None:
    with hub.wire() as wire:
        greeting = wire.call("hello", client="test", protocol=1)
        assert (greeting["server"], greeting["protocol"], greeting["role"]) == (
            "mittelo",
            2,
            "admin",
        )


def test_shutdown_answers_and_then_closes(hub: RunningHub) -> None:
    with hub.wire() as wire, hub.wire() as waiting:
        waiting.request("lease", worker_id="w", wait_seconds=60)
        wait_until(lambda: hub.hub.engine.waiting == 1)
        assert wire.call("shutdown") == {"ok": True}
        assert waiting.reply()["result"] == {"tasks": []}
        assert wire.is_closed()
        assert waiting.is_closed()


def test_many_idle_connections_cost_little(hub: RunningHub) -> None:
    wires = [hub.wire() for _ in range(300)]
    for number, wire in enumerate(wires):
        wire.request("lease", worker_id=f"w{number}", wait_seconds=60)
    wait_until(lambda: hub.hub.engine.waiting == 300)
    with hub.wire() as wire:
        wire.call("enqueue_many", tasks=[{"prompt": "x"}] * 300)
        assert len(wire.call("workers")["workers"]) == 300
    assert sorted(wire.reply()["result"]["tasks"][0]["task_id"] for wire in wires) == (
        [*range(1, 301)]
    )
    for wire in wires:
        wire.close()


def test_a_hub_answers_every_client_of_a_crowd(hub: RunningHub) -> None:
    def work(number: int) -> None:
        with Wire(hub.port) as wire:
            for _ in range(30):
                wire.call("enqueue", prompt=f"{number}")
                (task,) = wire.call("lease", worker_id=f"w{number}")["tasks"]
                wire.call("ack", task_id=task["task_id"], status="done", lease_id=task["lease_id"])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with hub.wire() as wire:
        assert wire.call("stats")["stats"]["done"] == 240
