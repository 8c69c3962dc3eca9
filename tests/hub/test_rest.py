"""Every route of the REST door, what it answers, and how it refuses."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from resthubs import JSON, RestHub
from support import wait_until

from mittelo.core.requests import Code
from mittelo.hub.auth import Tokens
from mittelo.hub.sqlite.store import SqliteStore
from mittelo.hub.store import StoreError


@pytest.fixture(scope="module")
def shared() -> Iterator[RestHub]:
    with RestHub() as running:
        yield running


@pytest.fixture
def hub() -> Iterator[RestHub]:
    with RestHub() as running:
        yield running


@pytest.fixture
def http(hub: RestHub) -> Iterator[httpx.Client]:
    with hub.http() as client:
        yield client


def post(http: httpx.Client, path: str, **body: Any) -> Any:
    answer = http.post(path, json=body)
    assert answer.is_success, answer.text
    return answer.json()


def lease(http: httpx.Client, **more: Any) -> dict[str, Any]:
    task: dict[str, Any] = post(http, "/leases", worker_id="w", **more)["tasks"][0]
    return task


def test_a_task_lives_its_life(http: httpx.Client) -> None:
    made = http.post("/tasks", json={"prompt": "hello", "priority": 3, "meta": {"n": 1}})
    assert (made.status_code, made.headers["location"], made.json()) == (
        201,
        "/tasks/1",
        {"task_id": 1},
    )
    task = lease(http, lease_seconds=30)
    assert (task["prompt"], task["status"], task["attempt"]) == ("hello", "leased", 1)
    renewed = post(http, f"/leases/{task['lease_id']}/renew", lease_seconds=90)
    assert renewed["leased_until"] > task["leased_until"] + 50
    assert renewed["cancel_requested"] is False
    assert http.post(f"/leases/{task['lease_id']}/renew").is_success
    ack = {"status": "done", "result": "ok", "usage": {"output_tokens": 5}}
    assert post(http, f"/leases/{task['lease_id']}/ack", **ack) == {"ok": True}
    assert post(http, f"/leases/{task['lease_id']}/ack", **ack) == {"ok": True}
    found = http.get("/tasks/1").json()
    assert (found["status"], found["result"], found["meta"]) == ("done", "ok", {"n": 1})
    assert [attempt["how"] for attempt in found["attempts"]] == ["done"]


def test_many_tasks_are_added_or_none(http: httpx.Client) -> None:
    assert post(http, "/tasks", tasks=[{"prompt": "a"}, {"prompt": "b"}]) == {"task_ids": [1, 2]}
    bad = http.post("/tasks", json={"tasks": [{"prompt": "c"}, {"promt": "d"}]})
    assert (bad.status_code, bad.json()["path"]) == (400, "tasks[1]")
    assert http.get("/stats").json()["stats"]["total"] == 2
    assert post(http, "/tasks", prompt="e", dedupe_key="k") == {"task_id": 3}
    assert post(http, "/tasks", prompt="e", dedupe_key="k") == {"task_id": 3}


def test_a_whole_number_may_have_a_point(http: httpx.Client) -> None:
    body = b'{"prompt":"a","priority":3.0,"max_attempts":2e0,"meta":{"n":1.0}}'
    assert http.post("/tasks", content=body, headers=JSON).status_code == 201
    found = http.get("/tasks/1")
    assert (found.json()["priority"], found.json()["max_attempts"]) == (3, 2)
    assert '"meta":{"n":1.0}' in found.text
    bad = http.post("/tasks", content=b'{"prompt":"a","priority":3.5}', headers=JSON)
    assert (bad.status_code, bad.json()["path"]) == (400, "priority")


def test_a_list_goes_on_at_its_cursor(http: httpx.Client) -> None:
    post(http, "/tasks", tasks=[{"prompt": "x" * 300}] * 5)
    lease(http)
    page = http.get("/tasks?status=queued&limit=3&brief=true").json()
    assert [task["task_id"] for task in page["tasks"]] == [5, 4, 3]
    assert len(page["tasks"][0]["prompt"]) == 200
    rest = http.get("/tasks", params={"status": "queued", "cursor": page["next"]}).json()
    assert [task["task_id"] for task in rest["tasks"]] == [2]
    assert rest["stats"]["leased"] == 1
    assert "next" not in rest


def test_tasks_are_cancelled_and_queued_again(http: httpx.Client) -> None:
    post(http, "/tasks", tasks=[{"prompt": "a"}, {"prompt": "b", "max_attempts": 1}])
    assert http.post("/tasks/1/cancel").json() == {"status": "cancelled", "cancel_requested": False}
    assert http.post("/tasks/1/retry").json() == {"ok": True}
    assert http.post("/tasks/1/retry").json()["code"] == "conflict"
    held = lease(http)
    assert http.post("/tasks/1/cancel").json()["cancel_requested"] is True
    assert post(http, f"/leases/{held['lease_id']}/renew")["cancel_requested"] is True
    failing = lease(http)
    post(http, f"/leases/{failing['lease_id']}/ack", status="failed", error="e")
    assert http.post("/tasks/retry_failed").json() == {"retried": 1}
    again = lease(http, lease_seconds=60)
    next_one = {"status": "done", "lease": {"worker_id": "w"}}
    assert post(http, f"/leases/{again['lease_id']}/ack", **next_one) == {"ok": True, "tasks": []}
    assert post(http, "/tasks/purge", days=0) == {"purged": 1}
    assert http.get("/tasks/2").status_code == 404


def test_leases_are_paused(http: httpx.Client) -> None:
    post(http, "/tasks", prompt="a", backend="x")
    assert post(http, "/pause", backend="x") == {"ok": True}
    assert http.post("/pause").json() == {"ok": True}
    assert sorted(http.get("/stats").json()["paused"]) == ["", "x"]
    assert post(http, "/leases", worker_id="w", backends=["x"]) == {"tasks": []}
    assert http.post("/resume").json() == {"ok": True}
    assert http.get("/stats").json()["paused"] == []
    assert lease(http, backends=["x"])["task_id"] == 1
    (worker,) = http.get("/workers").json()["workers"]
    assert (worker["worker_id"], worker["backends"], worker["tasks"]) == ("w", ["x"], [1])


def test_both_doors_lead_to_the_same_hub(hub: RestHub, http: httpx.Client) -> None:
    with hub.wire() as wire:
        assert wire.call("enqueue", prompt="by TCP") == {"task_id": 1}
        task = lease(http)
        ack = {"task_id": 1, "lease_id": task["lease_id"], "status": "done", "result": "r"}
        assert wire.call("ack", **ack) == {"ok": True}
    assert http.get("/tasks/1").json()["result"] == "r"


def test_a_lease_that_is_lost_is_refused_and_changes_nothing(http: httpx.Client) -> None:
    post(http, "/tasks", prompt="a")
    old = lease(http, lease_seconds=0)["lease_id"]
    new = lease(http)["lease_id"]
    for verb, body in (("renew", {}), ("ack", {"status": "done", "result": "stolen"})):
        answer = http.post(f"/leases/{old}/{verb}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "lease_lost")
        for unknown in ("1.", "nonsense", "1", "0..0", "9" * 16 + ".1", "9" * 40 + ".1.x", "٣.1.x"):
            answer = http.post(f"/leases/{unknown}/{verb}", json=body)
            assert answer.json()["code"] in {"lease_lost", "not_found"}
    lying = {"status": "done", "task_id": 7, "lease_id": old}
    assert post(http, f"/leases/{new}/ack", **lying) == {"ok": True}


def test_a_lease_waits_and_comes_at_once(hub: RestHub, http: httpx.Client) -> None:
    found: list[tuple[int, float]] = []

    def wait() -> None:
        with hub.http() as worker:
            found.append((lease(worker, wait_seconds=60)["task_id"], time.monotonic()))

    thread = threading.Thread(target=wait)
    thread.start()
    wait_until(lambda: hub.hub.engine.waiting == 1)
    began = time.monotonic()
    post(http, "/tasks", prompt="x")
    thread.join()
    ((task_id, came),) = found
    assert task_id == 1
    assert came - began < 10


def test_who_leaves_keeps_no_task_he_waited_for(hub: RestHub, http: httpx.Client) -> None:
    with pytest.raises(httpx.ReadTimeout):
        http.post("/leases", json={"worker_id": "gone", "wait_seconds": 60}, timeout=0.2)
    wait_until(lambda: hub.hub.engine.waiting == 0)
    post(http, "/tasks", prompt="x")
    assert lease(http)["task_id"] == 1


def test_who_leaves_while_his_task_is_written_gives_it_back(
    hub: RestHub, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(http, "/tasks", prompt="x")
    engine, held = hub.hub.engine, []
    with monkeypatch.context() as patch:
        patch.setattr(engine, "submit", lambda *given: held.append(given))
        with pytest.raises(httpx.ReadTimeout):
            http.post("/leases", json={"worker_id": "gone"}, timeout=0.2)
        wait_until(lambda: held)
        wait_until(lambda: not hub.rest._server.server_state.tasks)
    hub.on_loop(lambda: engine.submit(*held[0]))
    wait_until(lambda: http.get("/tasks/1").json().get("attempts"))
    found = http.get("/tasks/1").json()
    assert found["status"] == "queued"
    assert [attempt["how"] for attempt in found["attempts"]] == ["released"]


def test_health_is_told(http: httpx.Client) -> None:
    answer = http.get("/health")
    assert answer.status_code == 200
    assert answer.json().items() >= {"ok": True, "store": "ok"}.items()
    assert answer.json()["version"]


def test_health_and_requests_tell_of_a_store_that_fails(
    hub: RestHub, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("The disk is full.", "Make room.")

    monkeypatch.setattr(hub.store, "counted", fail)
    monkeypatch.setattr(hub.store, "apply", fail)
    answer = http.get("/health")
    assert (answer.status_code, answer.json()["store"]) == (503, "unavailable")
    for answer in (http.get("/stats"), http.post("/tasks", json={"prompt": "x"})):
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.json()["detail"] == "The disk is full. Make room."
        assert answer.headers["retry-after"]


def test_a_fault_of_ours_shows_no_trace(
    hub: RestHub,
    http: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(hub.hub, "ask", lambda *_: 1 // 0)
    answer = http.get("/stats")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "ZeroDivision" not in answer.text
    assert "ZeroDivisionError" in capsys.readouterr().err


BAD = [
    ("POST", "/tasks", b"", 400, "bad_request", ""),
    ("POST", "/tasks", b"nonsense", 400, "bad_json", ""),
    ("POST", "/tasks", b"\xff\xfe", 400, "bad_json", ""),
    ("POST", "/tasks", b'"text"', 400, "bad_request", ""),
    ("POST", "/tasks", b"[]", 400, "bad_request", ""),
    ("POST", "/tasks", b"null", 400, "bad_request", ""),
    ("POST", "/tasks", b"{}", 400, "bad_request", ""),
    ("POST", "/tasks", b'{"prompt":1}', 400, "bad_request", "prompt"),
    ("POST", "/tasks", b'{"prompt":"a","tags":["x",3]}', 400, "bad_request", "tags[1]"),
    ("POST", "/tasks", b'{"prompt":"a","after":[5]}', 404, "not_found", "after"),
    ("POST", "/tasks", b'{"prompt":"\\ud800"}', 400, "bad_json", ""),
    ("POST", "/tasks", b'{"prompt":"a","meta":' + b"[" * 100_000, 400, "bad_", ""),
    ("POST", "/tasks", b'{"tasks":null}', 400, "bad_request", "tasks"),
    ("POST", "/leases", b'{"worker_id":"a\\nb"}', 400, "bad_request", "worker_id"),
    ("POST", "/leases", b'{"worker_id":"w","max_tasks":1e99}', 400, "bad_request", "max_tasks"),
    ("POST", "/leases/1.1.x/ack", b'{"status":"leased"}', 400, "bad_request", "status"),
    ("POST", "/leases/1.1.x/ack", b"[]", 400, "bad_request", ""),
    ("POST", "/leases/1.1.x/renew", b'{"lease_seconds":-1}', 400, "bad_request", "lease_seconds"),
    ("POST", "/leases/1.1.x/renew", b"", 404, "not_found", "task_id"),
    ("POST", "/tasks/purge", b'{"days":1e400}', 400, "bad_request", "days"),
    ("POST", "/tasks/0/cancel", b"", 400, "bad_request", "id"),
    ("POST", "/tasks/9/cancel", b"", 404, "not_found", "task_id"),
    ("POST", "/tasks/x/retry", b"", 400, "bad_request", "id"),
    ("GET", "/tasks/99999999999999999999", b"", 400, "bad_request", "id"),
    ("GET", "/tasks/%00", b"", 400, "bad_request", "id"),
    ("GET", "/tasks/%ff%2f..%2f", b"", 404, "not_found", ""),
    ("GET", "/tasks?status=odd", b"", 400, "bad_request", "status"),
    ("GET", "/tasks?status=", b"", 400, "bad_request", "status"),
    ("GET", "/tasks?status=null", b"", 400, "bad_request", "status"),
    ("GET", "/tasks?limit=1&limit=2", b"", 400, "bad_request", "limit"),
    ("GET", "/tasks?cursor=0", b"", 400, "bad_request", "cursor"),
    ("GET", "/events?after=-1", b"", 400, "bad_request", "after"),
    ("GET", "/events?after=x", b"", 400, "bad_request", "after"),
    ("GET", "/events?wait_seconds=nan", b"", 400, "bad_request", "wait_seconds"),
    ("GET", "/nothing", b"", 404, "not_found", ""),
    ("GET", "/tasks/1/nothing", b"", 404, "not_found", ""),
    ("DELETE", "/tasks/1", b"", 405, "unknown_method", ""),
    ("GET", "/shutdown", b"", 405, "unknown_method", ""),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code", "field"), BAD)
def test_whatever_is_wrong_is_told_in_problem_details(
    shared: RestHub, method: str, path: str, body: bytes, status: int, code: str, field: str
) -> None:
    with shared.http() as http:
        answer = http.request(method, path, content=body, headers=JSON)
        problem = answer.json()
        assert (answer.status_code, problem["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["code"].startswith(code)
        assert problem["code"] in {*Code}
        assert problem.get("path", "") == field
        assert problem["title"]
        assert problem["detail"] == problem["error"] != ""
        assert "Traceback" not in answer.text
        assert http.get("/stats").json()["stats"]["total"] == 0


def test_a_method_that_is_not_there_is_answered_with_those_that_are(shared: RestHub) -> None:
    with shared.http() as http:
        assert http.options("/tasks").headers["allow"] == "GET, OPTIONS, POST"
        refused = http.delete("/tasks").headers["allow"]
        assert sorted(refused.split(", ")) == ["GET", "OPTIONS", "POST"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_only_json_is_read(shared: RestHub, headers: dict[str, str]) -> None:
    with shared.http() as http:
        answer = http.post("/tasks", content=b'{"prompt":"x"}', headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (415, "bad_request")


def test_a_body_that_is_too_long_is_refused() -> None:
    with RestHub(max_body=10_000) as hub, hub.http() as http:
        long = b'{"prompt":"' + b"x" * 20_000 + b'"}'
        for content in (long, iter([long[:5_000], long[5_000:]])):
            answer = http.post("/tasks", content=content, headers=JSON)
            assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert post(http, "/tasks", prompt="y" * 9_000) == {"task_id": 1}


def test_a_long_prompt_comes_back_whole(http: httpx.Client) -> None:
    prompt = "ä" * 3_000_000
    post(http, "/tasks", prompt=prompt)
    assert http.get("/tasks/1").json()["prompt"] == prompt


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1", "[::1]:80", "127.9.9.9"]
)
def test_without_a_token_it_answers_to_names_of_this_machine(shared: RestHub, host: str) -> None:
    with shared.http() as http:
        assert http.get("/stats", headers={"Host": host}).is_success
        assert http.get("/stats", headers={"Host": host, "Origin": f"http://{host}"}).is_success


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "192.0.2.1"},
        {"Host": "localhost", "Origin": "http://evil.example"},
        {"Host": "localhost:80", "Origin": "http://localhost:81"},
        {"Host": "localhost", "Origin": "null"},
    ],
)
def test_without_a_token_pages_of_others_get_nothing(
    shared: RestHub, headers: dict[str, str]
) -> None:
    with shared.http() as http:
        for answer in (
            http.get("/stats", headers=headers),
            http.get("/events", headers=headers),
            http.post("/shutdown", headers=headers),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "unauthorized")


def test_no_page_of_another_site_may_read(shared: RestHub) -> None:
    with shared.http() as http:
        asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
        for answer in (http.options("/tasks", headers=asked), http.get("/stats")):
            assert not [name for name in answer.headers if name.startswith("access-control")]


def test_shutdown_answers_and_then_closes() -> None:
    hub = RestHub(SqliteStore(":memory:"), tokens=Tokens([]))
    with hub, hub.http() as http:
        assert http.post("/shutdown").json() == {"ok": True}
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{hub.url}/health", trust_env=False)


def test_the_document_names_every_route_and_every_limit(shared: RestHub) -> None:
    with shared.http() as http:
        document = http.get("/openapi.json").json()
    verbs = {(verb, path) for path, verbs in document["paths"].items() for verb in verbs}
    assert verbs == {
        ("get", "/health"),
        ("get", "/stats"),
        ("get", "/tasks"),
        ("post", "/tasks"),
        ("get", "/tasks/{id}"),
        ("post", "/tasks/{id}/cancel"),
        ("post", "/tasks/{id}/retry"),
        ("post", "/tasks/retry_failed"),
        ("post", "/tasks/purge"),
        ("post", "/leases"),
        ("post", "/leases/{id}/renew"),
        ("post", "/leases/{id}/ack"),
        ("get", "/workers"),
        ("get", "/events"),
        ("post", "/pause"),
        ("post", "/resume"),
        ("post", "/shutdown"),
    }
    schemas = document["components"]["schemas"]
    tags = schemas["Enqueue"]["properties"]["tags"]
    assert (tags["maxItems"], tags["items"]["maxLength"]) == (32, 200)
    assert schemas["Ack"]["required"] == ["status"]
    assert "task_id" not in schemas["Renew"]["properties"]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    names = [parameter["name"] for parameter in document["paths"]["/tasks"]["get"]["parameters"]]
    assert names == ["status", "limit", "cursor", "brief"]
