"""`mittelo hub-conformance`: our hub keeps every rule, and a hub that does not is found out."""

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hubs import MITTELO, HubProcess, RunningHub

Reply = dict[str, Any]
Spoil = Callable[[Reply], Reply]


def conform(port: int, *words: str, scheme: str = "tcp") -> tuple[int, str, str]:
    url = f"{scheme}://127.0.0.1:{port}"
    done = subprocess.run(
        [MITTELO, "hub-conformance", "--url", url, *words],
        capture_output=True,
        check=False,
        timeout=60,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


class Double:
    """Stands before a hub and spoils what it answers."""

    def __init__(self, port: int, spoil: Spoil) -> None:
        self._spoil = spoil
        self._behind = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        threading.Thread(target=self._let_in, daemon=True).start()

    def close(self) -> None:
        self._door.close()

    def _let_in(self) -> None:
        while True:
            try:
                client = self._door.accept()[0]
            except OSError:
                return
            hub = socket.create_connection(("127.0.0.1", self._behind))
            threading.Thread(target=self._forward, args=(client, hub), daemon=True).start()
            threading.Thread(target=self._answer, args=(client, hub), daemon=True).start()

    def _forward(self, client: socket.socket, hub: socket.socket) -> None:
        try:
            while piece := client.recv(1 << 16):
                hub.sendall(piece)
            hub.shutdown(socket.SHUT_WR)
        except OSError:
            hub.close()

    def _answer(self, client: socket.socket, hub: socket.socket) -> None:
        with client, hub, hub.makefile("rb") as lines:
            try:
                for line in lines:
                    reply = self._spoil(msgspec.json.decode(line))
                    client.sendall(msgspec.json.encode(reply) + b"\n")
            except OSError:
                return


@contextmanager
def doubled(spoil: Spoil) -> Iterator[int]:
    with RunningHub() as hub:
        double = Double(hub.port, spoil)
        yield double.port
        double.close()


def test_our_hub_keeps_every_rule_and_is_left_as_it_was(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "hub.db") as hub:
        code, out, err = conform(hub.port)
        assert (code, err) == (0, ""), out
        assert "FAIL" not in out.replace("0 FAIL", "")
        assert out.rstrip().endswith(" PASS, 0 FAIL, 0 SKIP")
        code, out, _ = conform(hub.port, "--json", "--shutdown", "--rule", "v1.retry-failed")
        found = msgspec.json.decode(out)
        assert (code, found["ok"]) == (0, True)
        verdicts = {rule["rule"]: rule["verdict"] for rule in found["rules"]}
        assert verdicts == {"v1.retry-failed": "PASS", "shutdown": "PASS"}
        assert hub.wait() == 0
        assert hub.errors() == ""


def test_nothing_of_its_own_stays_unfinished() -> None:
    with RunningHub() as hub, hub.client() as client:
        rules = ("lease.order", "cancel.leased", "pause", "fence.old-lease", "ack.failed")
        assert conform(hub.port, *(f"--rule={rule}" for rule in rules))[0] == 0
        found = client.stats()
        stats = found.stats
        assert (stats.queued, stats.leased, stats.failed, found.paused) == (0, 0, 0, [])
        assert stats.total > 0


def test_a_hub_in_use_is_left_alone_unless_told_to() -> None:
    with RunningHub() as hub, hub.client() as client:
        client.enqueue("somebody's work")
        code, out, err = conform(hub.port)
        assert (code, out) == (1, "")
        assert "1 tasks queued" in err
        assert "--yes" in err
        code, out, _ = conform(hub.port, "--yes")
        assert code == 0, out
        assert "SKIP  v1.lease" in out
        assert "SKIP  lease.long-poll" in out
        task = client.get(1)
        assert (task.status, task.attempt) == ("queued", 0)


def test_a_hub_with_tokens_is_asked_for_them(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "hub.db", env={"MITTELO_TOKEN": "very-secret"}) as hub:
        code, _, err = conform(hub.port)
        assert code == 1
        assert "unauthorized" in err
        words = ("--token", "very-secret", "--rule", "hello.token", "--rule", "lease.order")
        code, out, _ = conform(hub.port, *words)
        assert (code, out.count("PASS  ")) == (0, 2), out


def lenient(reply: Reply) -> Reply:
    lost = reply["error"] and reply["error"]["code"] == "lease_lost"
    return {**reply, "result": {"ok": True}, "error": None} if lost else reply


def uncounting(reply: Reply) -> Reply:
    tasks = reply["result"].get("tasks", []) if reply["result"] else []
    for task in tasks:
        task["attempt"] = 1
    return reply


def all_text(reply: Reply) -> Reply:
    return {**reply, "id": str(reply["id"])} if isinstance(reply["id"], int) else reply


def without_code(reply: Reply) -> Reply:
    return {**reply, "error": {"message": "no"}} if reply["error"] else reply


def forgetful(reply: Reply) -> Reply:
    if reply["result"] and "missed" in reply["result"]:
        reply["result"]["missed"] = False
    return reply


@pytest.mark.parametrize(
    ("spoil", "broken", "kept", "why"),
    [
        (lenient, "fence.wrong-lease", "lease.order", "was answered, not refused"),
        (uncounting, "fence.old-lease", "lease.order", "the attempt is 1, not 2"),
        (without_code, "error.bad-json", "line.params", "no message and code"),
        (forgetful, "events.missed", "events.numbers", "`missed` from the very first is False"),
    ],
    ids=["lenient", "uncounting", "without_code", "forgetful"],
)
def test_a_hub_that_breaks_a_rule_is_found_out(
    spoil: Spoil, broken: str, kept: str, why: str
) -> None:
    with doubled(spoil) as port:
        code, out, err = conform(port, "--rule", broken, "--rule", kept)
    assert (code, err) == (1, "")
    assert f"FAIL  {broken}" in out
    assert f"PASS  {kept}" in out
    assert why in out
    assert "1 PASS, 1 FAIL" in out


def test_what_is_no_hub_is_told_of() -> None:
    with doubled(all_text) as port:
        code, _, err = conform(port)
        assert code == 1
        assert "No hub answers" in err
        assert "the reply to id 1 has id '1'" in err
    with socket.create_server(("127.0.0.1", 0)) as silent:
        code, _, err = conform(silent.getsockname()[1], "--patience", "0.3")
        assert code == 1
        assert "no reply within 0.3 s" in err
    code, _, err = conform(1)
    assert code == 1
    assert "No hub answers" in err


@pytest.mark.parametrize("words", [("--rule", "nothing"), ("--patience", "0")])
def test_what_to_try_must_be_known(words: tuple[str, ...]) -> None:
    code, out, err = conform(1, *words)
    assert (code, out) == (2, "")
    assert "Traceback" not in err


def test_an_address_is_written_as_a_url() -> None:
    assert conform(1, scheme="http")[0] == 2
