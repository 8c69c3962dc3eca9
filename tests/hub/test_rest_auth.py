"""Who gets in by the REST door, and what he may do there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hubs import HubProcess
from resthubs import SECRETS, RestHub, every_role

from mittelo.hub.auth import ALLOWED, Role, Token, Tokens
from mittelo.hub.rest.routes import EVENTS, ROUTES, Route

CALLS: dict[str, dict[str, Any]] = {
    "enqueue": {"prompt": "x"},
    "lease": {"worker_id": "w"},
    "ack": {"status": "done"},
    "purge": {"days": 1},
}


@pytest.fixture(scope="module")
def hub() -> Iterator[RestHub]:
    with RestHub(tokens=every_role()) as running:
        yield running


def ask(http: httpx.Client, route: Route) -> httpx.Response:
    path = route.path.replace("{id:str}", "1.1.x" if "leases" in route.path else "77")
    content = {"json": CALLS.get(route.name, {})} if route.has_body else {}
    accepted = {"Accept": "application/json"}
    return http.request(route.method, path, headers=accepted, **content)  # type: ignore[arg-type]


@pytest.mark.parametrize("route", [*ROUTES, EVENTS], ids=lambda route: route.name)
def test_a_role_may_do_its_work_and_nothing_else(hub: RestHub, route: Route) -> None:
    for role in Role:
        may = route.asks in ALLOWED[role]
        if route.name == "shutdown" and may:
            continue
        with hub.http(SECRETS[role]) as http:
            answer = ask(http, route)
            if may:
                assert answer.status_code not in {401, 403}, (role, answer.text)
            else:
                assert (answer.status_code, answer.json()["code"]) == (403, "unauthorized")


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "Bearer",
        "Bearer wrong-token",
        f"Basic {SECRETS[Role.ADMIN]}",
        SECRETS[Role.ADMIN],
        f"Bearer {SECRETS[Role.ADMIN]}x",
        "Bearer \xff\xfe",
    ],
)
def test_without_a_token_nobody_gets_in(hub: RestHub, given: str | None) -> None:
    headers = {} if given is None else {"Authorization": given.encode("latin-1")}
    with hub.http() as http:
        http.headers.update(headers)  # type: ignore[arg-type]
        for route in (*ROUTES, EVENTS):
            answer = ask(http, route)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert SECRETS[Role.ADMIN] not in answer.text


def test_a_stranger_is_refused_before_his_body_is_read(hub: RestHub) -> None:
    with hub.raw() as raw:
        raw.sendall(
            b"POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000000\r\n\r\n"
        )
        assert raw.recv(12) == b"HTTP/1.1 401"


def test_everybody_sees_health_and_the_document(hub: RestHub) -> None:
    with hub.http() as http:
        assert http.get("/health").status_code == 200
        document = http.get("/openapi.json").json()
        assert document["security"] == [{"bearer": []}]
        assert http.get("/health", headers={"Host": "hub.example"}).is_success


def test_who_submits_cancels_only_his_own(hub: RestHub) -> None:
    with hub.http(SECRETS[Role.ADMIN]) as admin, hub.http(SECRETS[Role.SUBMIT]) as submitter:
        others = admin.post("/tasks", json={"prompt": "a"}).json()["task_id"]
        own = submitter.post("/tasks", json={"prompt": "b"}).json()["task_id"]
        refused = submitter.post(f"/tasks/{others}/cancel")
        assert (refused.status_code, refused.json()["code"]) == (403, "unauthorized")
        assert submitter.post(f"/tasks/{own}/cancel").is_success
        assert submitter.get(f"/tasks/{own}").json()["owner"] == "submit-name"


def test_a_token_may_hold_any_letter() -> None:
    tokens = Tokens([Token("ann", Role.ADMIN, "schlüssel-für-ann")])
    with RestHub(tokens=tokens) as hub, hub.http() as http:
        headers = {b"Authorization": "bearer schlüssel-für-ann".encode()}
        assert http.get("/stats", headers=headers).is_success


def test_beyond_this_machine_a_token_is_needed(tmp_path: Path) -> None:
    words = ["--rest-port", "0", "--rest-host", "0.0.0.0"]  # noqa: S104 - what must be refused
    with HubProcess(tmp_path / "hub.db", *words) as hub:
        assert hub.wait() == 2
        assert "without a token" in hub.errors()
    env = {"MITTELO_TOKEN": "long-enough-secret"}
    with HubProcess(tmp_path / "hub.db", *words, env=env) as hub:
        assert hub.line.startswith("MITTELO_HUB")
