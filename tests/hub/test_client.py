"""The client: typed, and patient with a hub that goes away."""

import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest
from hubs import HubProcess, RunningHub
from ports import kept_port

from mittelo.core.requests import Enqueue, Lease
from mittelo.core.tasks import Status, Usage
from mittelo.errors import MitteloError
from mittelo.hub.client import HubAwayError, HubClient, HubError, LeaseLostError, client_tls


def test_a_client_can_do_everything(hub: RunningHub) -> None:
    with hub.client() as client:
        ids = [client.enqueue("a"), *client.enqueue_many([Enqueue(prompt="b", tags=["t"])])]
        assert ids == [1, 2]
        (task,) = client.lease("w", lease_seconds=5)
        assert not client.renew(task).cancel_requested
        used = Usage(input_tokens=3, cost_usd=0.5)
        (task,) = client.ack(task, "done", result="r", usage=used, lease=Lease(worker_id="w"))
        assert client.ack(task, "failed", error="e", category="stalled") == []
        assert client.get(1).usage == used
        assert client.get(2).category == "stalled"
        assert client.retry_failed() == 1
        client.pause("x")
        assert client.stats().paused == ["x"]
        client.resume()
        assert client.cancel(2).status is Status.CANCELLED
        client.retry(2)
        assert [task.task_id for task in client.list(Status.QUEUED).tasks] == [2]
        assert client.workers()[0].worker_id == "w"
        assert client.events(0).missed
        assert client.purge(0) == 1
        client.shutdown()


def test_refusals_are_raised(hub: RunningHub) -> None:
    with hub.client() as client:
        client.enqueue("a")
        (task,) = client.lease("w", lease_seconds=0)
        with pytest.raises(LeaseLostError):
            client.ack(task, "done")
        with pytest.raises(HubError) as caught:
            client.get(99)
        assert (caught.value.code, caught.value.path) == ("not_found", "task_id")


def test_a_client_comes_back_to_a_hub_that_was_started_again(tmp_path: Path) -> None:
    db = tmp_path / "hub.db"
    with kept_port() as port, HubProcess(db, "--port", str(port)) as first:
        client = HubClient(port=port, pauses=(0.1,) * 100)
        client.enqueue("a")
        first.kill()

        def start_again() -> None:
            with HubProcess(db, "--port", str(port)) as second:
                second.wait()

        thread = threading.Thread(target=start_again)
        thread.start()
        assert client.enqueue("b") == 2
        assert client.lease("w")[0].prompt == "a"
        client.shutdown()
        client.close()
        thread.join()


def test_nothing_is_enqueued_twice_for_a_lost_answer() -> None:
    asked = []
    listening = socket.create_server(("127.0.0.1", 0))

    def swallow() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                asked.append(connection.recv(1 << 16))

    thread = threading.Thread(target=swallow)
    thread.start()
    with HubClient(port=listening.getsockname()[1], pauses=(0.0, 0.0)) as client:
        for request in ("a", Enqueue(prompt="b")):
            with pytest.raises(HubAwayError) as caught:
                client.enqueue(request)
            assert caught.value.sent
        assert len(asked) == 2
        with pytest.raises(HubAwayError):
            client.enqueue(Enqueue(prompt="c", dedupe_key="k"))
        assert len(asked) == 5
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


def test_no_hub_and_what_is_no_hub_are_told_of() -> None:
    with (
        kept_port() as port,
        HubClient(port=port, pauses=()) as client,
        pytest.raises(HubAwayError, match="No hub"),
    ):
        client.stats()
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    with (
        HubClient(port=listening.getsockname()[1], pauses=()) as client,
        pytest.raises(MitteloError, match="is no hub"),
    ):
        client.stats()
    thread.join()
    listening.close()


def test_tls_is_spoken_and_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *(
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
                "-keyout",
                key,
                "-out",
                certificate,
            ),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    words = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    with HubProcess(tmp_path / "hub.db", *words) as hub:
        with HubClient(port=hub.port, tls=client_tls(str(certificate))) as client:
            assert client.enqueue("x" * 1_000_000) == 1
            assert len(client.get(1).prompt) == 1_000_000
        with (
            HubClient(port=hub.port, tls=client_tls(None), pauses=()) as client,
            pytest.raises(MitteloError, match="not to be trusted"),
        ):
            client.stats()
        context = ssl.create_default_context(cafile=certificate)
        context.check_hostname = True
        with HubClient("127.0.0.1", hub.port, tls=context) as client:
            client.shutdown()
        assert hub.wait() == 0
