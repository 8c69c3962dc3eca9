"""The REST door as users open it: options, TLS, slow clients, and how it is closed."""

import contextlib
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from hubs import MITTELO, HubProcess
from resthubs import RestHub, answer_to, following
from support import wait_until

from mittelo.hub.rest import connections
from mittelo.hub.rest import door as doors


def start(db: Path, *words: str, env: dict[str, str] | None = None) -> tuple[HubProcess, str]:
    """Return a hub with a REST door, and its address."""
    hub = HubProcess(db, "--rest-port", "0", *words, env=env)
    assert hub.process.stdout
    name, _, url = hub.process.stdout.readline().decode().strip().partition(" ")
    assert name == "MITTELO_REST", hub.errors()
    return hub, url


def test_a_hub_says_where_its_doors_are(tmp_path: Path) -> None:
    hub, url = start(tmp_path / "hub.db")
    with hub, httpx.Client(base_url=url, trust_env=False) as http:
        assert hub.line == f"MITTELO_HUB tcp://127.0.0.1:{hub.port}"
        assert url.startswith("http://127.0.0.1:")
        assert http.get("/health").json()["ok"] is True
        assert http.post("/shutdown").json() == {"ok": True}
        assert hub.wait() == 0
        assert hub.errors() == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_though_clients_hang_on(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    hub, url = start(tmp_path / "hub.db")
    with hub, httpx.Client(base_url=url, trust_env=False, timeout=20) as http:
        leased: list[object] = []

        def work() -> None:
            with httpx.Client(base_url=url, trust_env=False, timeout=20) as worker:
                asked = {"worker_id": "w", "wait_seconds": 600}
                leased.append(worker.post("/leases", json=asked).json())

        with following(http) as stream:
            thread = threading.Thread(target=work)
            thread.start()
            with httpx.Client(base_url=url, trust_env=False) as idle:
                wait_until(lambda: idle.get("/workers").json()["workers"])
                hub.process.send_signal(number)
                assert stream.is_over()
            thread.join()
        assert leased == [{"tasks": []}]
        assert hub.wait() == code
        assert hub.errors() == ""


def test_a_port_in_use_is_told_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [
                MITTELO,
                "hub",
                "--db",
                str(tmp_path / "h.db"),
                "--port",
                "0",
                "--rest-port",
                str(port),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"127.0.0.1:{port} is in use" in done.stderr
    assert "--rest-port" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path.name for path in tmp_path.glob("h.db-*")]


def test_it_speaks_tls_as_the_tcp_door_does(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    hub, url = start(tmp_path / "hub.db", "--tls-cert", str(certificate), "--tls-key", str(key))
    with hub:
        assert url.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=str(certificate))
        with httpx.Client(base_url=url, verify=trusting, trust_env=False, timeout=20) as http:
            assert http.post("/tasks", json={"prompt": "x"}).status_code == 201
            with following(http, "?after=0") as stream:
                assert stream.message()["event"] == "missed"
                assert stream.message()["kind"] == "enqueued"
                with pytest.raises(httpx.ConnectError):
                    httpx.get(f"{url}/health", trust_env=False)
                with pytest.raises(httpx.HTTPError):
                    httpx.get(f"http{url.removeprefix('https')}/health", trust_env=False)
                hub.process.send_signal(signal.SIGTERM)
                assert stream.is_over()
        assert hub.wait() == 0
        assert hub.errors() == ""


@pytest.mark.parametrize(
    "modules", ["mittelo.hub.serve", "mittelo.hub.client, mittelo.cli.mittelo.hub"]
)
def test_nothing_of_http_is_loaded_without_it(modules: str) -> None:
    script = f"import json, sys; import {modules}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"litestar", "uvicorn", "h11", "anyio", "httpx"}


def test_a_hub_loads_what_speaks_http_only_where_it_is_asked_to(tmp_path: Path) -> None:
    env = {"PYTHONPROFILEIMPORTTIME": "1"}
    for words, loaded in (([], False), (["--rest-port", "0"], True)):
        with HubProcess(tmp_path / f"{loaded}.db", *words, env=env) as hub:
            hub.process.send_signal(signal.SIGTERM)
            assert hub.wait() == 0
            assert ("litestar" in hub.errors()) is loaded
            assert ("uvicorn" in hub.errors()) is loaded


# Clients that take their time


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "LOOK_SECONDS", 0.05)
    for part in ("head", "body"):
        monkeypatch.setitem(connections._PATIENCE, part, 0.3)


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"GET /health",
        b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
    ],
)
@pytest.mark.usefixtures("impatient")
def test_nobody_takes_forever_over_a_request(begin: bytes) -> None:
    with RestHub() as hub, hub.raw() as slow:
        slow.sendall(begin)
        with contextlib.suppress(ConnectionResetError):
            assert slow.recv(100) == b""
        with hub.http() as http:
            assert http.get("/health").is_success


@pytest.mark.usefixtures("impatient")
def test_who_waits_for_an_answer_is_not_cut_off() -> None:
    with RestHub() as hub, hub.http() as http:
        asked = {"worker_id": "w", "wait_seconds": 1}
        assert http.post("/leases", json=asked).json() == {"tasks": []}


def test_too_many_connections_are_shown_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    with RestHub() as hub, hub.http() as http:
        http.get("/health")
        others = [hub.raw() for _ in range(5)]
        wait_until(lambda: len(hub.rest._server.server_state.connections) <= 3)
        assert http.get("/health").is_success
        for raw in others:
            raw.close()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 65_600,
    ],
    ids=range(7),
)
def test_what_is_no_http_is_a_bad_request(
    nonsense: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with RestHub() as hub:
        with hub.raw() as raw:
            assert answer_to(raw, nonsense).startswith(b"HTTP/1.1 400")
        with hub.http() as http:
            assert http.get("/health").is_success
    assert capfd.readouterr().err == ""


def test_a_body_that_breaks_off_is_no_fault_of_ours(capfd: pytest.CaptureFixture[str]) -> None:
    with RestHub() as hub:
        with hub.raw() as raw:
            raw.sendall(
                b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
                b'Content-Type: application/json\r\n\r\n{"prompt":'
            )
            wait_until(lambda: hub.rest._server.server_state.tasks)
        wait_until(lambda: not hub.rest._server.server_state.tasks)
        with hub.http() as http:
            assert http.get("/stats").json()["stats"]["total"] == 0
    assert capfd.readouterr().err == ""


def test_requests_that_come_together_are_answered_in_order() -> None:
    one = b"GET /tasks/%d HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /tasks/3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with RestHub() as hub, hub.raw() as raw:
        found = answer_to(raw, one % 1 + one % 2 + last)
        assert [found.index(b"no task %d" % number) for number in (1, 2, 3)] == sorted(
            found.index(b"no task %d" % number) for number in (1, 2, 3)
        )


def test_a_hub_that_ends_does_not_wait_for_who_does_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doors, "DRAIN_SECONDS", 0.5)
    with RestHub() as hub, hub.raw() as deaf, hub.wire() as wire:
        wire.call("enqueue", prompt="x" * 15_000_000)
        deaf.sendall(b"GET /tasks/1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        state = hub.rest._server.server_state
        wait_until(lambda: any(c.flow.write_paused for c in state.connections))  # type: ignore[union-attr]
