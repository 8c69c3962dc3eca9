"""Nothing that is sent to the TCP door harms the hub; `MITTELO_FUZZ_SECONDS` tries for longer."""

import json
import os
import random
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hubs import HubProcess

from mittelo.core.requests import METHODS, Enqueue
from mittelo.hub.client import HubClient

SECONDS = float(os.environ.get("MITTELO_FUZZ_SECONDS", "4"))
SEED = int(os.environ.get("MITTELO_FUZZ_SEED", "1"))
FIELDS = sorted({field for kind in METHODS.values() for field in kind.__struct_fields__})
ODD: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        1,
        2**53,
        2**64,
        -(2**70),
        1.5,
        1e308,
        "",
        "x",
        "done",
        "failed",
        "queued",
    ),
    *("\x00", "\ud83d", "é" * 300, "a" * 5000, [], {}, [1], ["a"] * 40, {"prompt": "p"}),
    *([{"prompt": "p"}], [[[[[]]]]], {"a": {"a": {"a": {}}}}, "1.1.0", {"worker_id": "w"}),
]
CALM = {"shutdown", "lease", "events", "pause"}
"""What a witness would notice: these are asked only in ways that do no harm."""


class Fuzzer:
    """Makes lines of all kinds, mostly near to what a hub understands."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - a game of chance, to be repeated

    def line(self) -> bytes:
        """Return a line without its end."""
        dice = self._dice
        if dice.random() < 0.1:
            return dice.randbytes(dice.randrange(200)).replace(b"\n", b" ")
        raw = bytearray(json.dumps(self._request()).encode())
        while raw and dice.random() < 0.25:
            raw[dice.randrange(len(raw))] = dice.randrange(256)
        if dice.random() < 0.1:
            del raw[dice.randrange(len(raw)) :]
        return bytes(raw).replace(b"\n", b" ")

    def _request(self) -> object:
        dice = self._dice
        if dice.random() < 0.05:
            return dice.choice(ODD)
        method = dice.choice([*METHODS.keys() - CALM, "lease", "nonsense", ""])
        params = {name: self._value() for name in dice.sample(FIELDS, dice.randrange(6))}
        if method == "lease":
            params |= {"wait_seconds": 0, "backends": ["nobody"], "tags": ["none"]}
        request: dict[str, Any] = {"id": dice.choice(ODD), "method": method, "params": params}
        if dice.random() < 0.1:
            request[dice.choice(["id", "method", "params"])] = dice.choice(ODD)
        return request

    def _value(self) -> object:
        return self._dice.choice([*ODD, self._dice.randrange(50), self._dice.random()])

    def attack(self, port: int) -> list[bytes]:
        """Send some lines in one go, in one of several ways, and return what is answered."""
        lines = [self.line() for _ in range(self._dice.randrange(1, 60))]
        client = socket.create_connection(("127.0.0.1", port), timeout=20)
        with client, suppress(OSError):
            client.sendall(b"\n".join(lines) + self._dice.choice([b"\n", b"", b"\r\n"]))
            if self._dice.random() < 0.2:
                return []
            client.shutdown(socket.SHUT_WR)
            with client.makefile("rb") as file:
                return file.readlines()
        return []


@pytest.mark.timeout(3600)
def test_whatever_is_sent_others_are_served(tmp_path: Path) -> None:
    fuzzer, sent, until = Fuzzer(SEED), 0, time.monotonic() + SECONDS
    with HubProcess(tmp_path / "hub.db") as hub, HubClient("127.0.0.1", hub.port) as witness:
        while time.monotonic() < until:
            answers = fuzzer.attack(hub.port)
            sent += len(answers)
            for answer in answers:
                reply = json.loads(answer)
                assert set(reply) == {"id", "result", "error"}
                assert (reply["error"] or {}).get("code") != "internal", answer
                assert b"Traceback" not in answer
            number, served = witness.enqueue(Enqueue(prompt="mine", backend="witness")), set()
            while number not in served:
                tasks = witness.lease("witness", max_tasks=1000, backends=["witness"])
                assert tasks
                served |= {task.task_id for task in tasks}
                for task in tasks:
                    witness.ack(task, "done", result="ok")
            assert witness.get(number).result == "ok"
        assert hub.process.poll() is None
        assert "Traceback" not in hub.errors()
    sys.stdout.write(f"seed {SEED}: {sent} answers in {SECONDS:.0f} s\n")
