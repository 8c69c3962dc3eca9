"""Hubs for tests: in a thread with a clock of one's own, or as a process that can be killed."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec

from mittelo.core.requests import Answer, Write
from mittelo.hub.auth import Tokens
from mittelo.hub.client import HubClient
from mittelo.hub.hub import Hub
from mittelo.hub.lines import MAX_LINE
from mittelo.hub.sqlite.store import SqliteStore
from mittelo.hub.store import Call, Caller, Outcome, Store
from mittelo.hub.tcp import Door, bind

MITTELO = str(Path(sys.executable).with_name("mittelo"))
PATIENCE = 60.0


class Queue:
    """A store, with a clock that stands still and somebody who asks."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = 1_000_000.0
        self.last = Outcome([])

    def ask(self, *requests: Write, by: Caller | None = None) -> Any:
        """Return the answer to a request, or the answers to several in one batch."""
        caller = by or Caller(1, set())
        self.last = self.store.apply([Call(request, caller) for request in requests], self.now)
        answers: list[Answer] = self.last.answers
        return answers[0] if len(answers) == 1 else answers

    def sweep(self) -> Outcome:
        """Let happen what is due."""
        self.last = self.store.apply([], self.now)
        return self.last

    def counts(self) -> dict[str, int]:
        """Return the tasks of each status that has any."""
        counted = msgspec.structs.asdict(self.store.counted(self.now).stats)
        names = ("queued", "leased", "done", "failed", "cancelled")
        return {name: counted[name] for name in names if counted[name]}


class RunningHub:
    """A hub and its TCP door on an event loop in a thread."""

    def __init__(
        self,
        store: Store | None = None,
        *,
        tokens: Tokens | None = None,
        max_line: int = MAX_LINE,
        configure: Callable[[Door], None] = lambda _door: None,
    ) -> None:
        self.store = store or SqliteStore(":memory:")
        self._tokens = tokens or Tokens([])
        self._max_line = max_line
        self._configure = configure
        self._ready = threading.Event()
        self._stop: asyncio.Event
        self.loop: asyncio.AbstractEventLoop
        self.hub: Hub
        self.port = 0
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def stop(self) -> None:
        """Let it drain, unless it has already ended."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._stop.set)

    def client(self, token: str = "") -> HubClient:
        return HubClient("127.0.0.1", self.port, token=token)

    def wire(self) -> "Wire":
        return Wire(self.port)

    async def _run(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.hub = Hub(self.store, self._tokens, on_shutdown=self._stop.set)
        door = Door(self.hub, max_line=self._max_line)
        self._configure(door)
        bound = bind("127.0.0.1", 0)
        self.port = bound.getsockname()[1]
        await door.open(bound)
        self._ready.set()
        await self._stop.wait()
        await door.stop()
        await self.hub.drain()
        await door.close()
        await self.hub.close()
        self.store.close()


class Wire:
    """A client of the protocol's first version, written from its description alone."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._file = self.socket.makefile("rb")
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def send(self, raw: bytes) -> None:
        self.socket.sendall(raw)

    def request(self, method: str, **params: Any) -> int:
        """Send a request and return its id."""
        self._number += 1
        asked = {"id": self._number, "method": method, "params": params}
        self.send(msgspec.json.encode(asked) + b"\n")
        return self._number

    def reply(self) -> dict[str, Any]:
        """Return the next reply."""
        line = self._file.readline()
        assert line.endswith(b"\n"), f"closed after {line!r}"
        found = msgspec.json.decode(line, type=dict[str, Any])
        assert set(found) == {"id", "result", "error"}
        return found

    def is_closed(self) -> bool:
        """Wait until the hub closes the connection."""
        try:
            return self._file.readline() == b""
        except ConnectionError:
            return True

    def call(self, method: str, **params: Any) -> Any:
        """Return the result of a request."""
        number = self.request(method, **params)
        found = self.reply()
        assert found["id"] == number
        assert found["error"] is None, found["error"]
        return found["result"]

    def refused(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the error of a request."""
        self.request(method, **params)
        error: dict[str, Any] = self.reply()["error"]
        assert error
        return error


class HubProcess:
    """A hub as users start it, on a file, or at a `url` with its errors in a file beside."""

    def __init__(
        self, db: Path, *words: str, url: str = "", env: dict[str, str] | None = None
    ) -> None:
        self._errors = db.with_suffix(".stderr")
        with self._errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [MITTELO, "hub", "--db", url or str(db), "--port", "0", "--print-url", *words],
                stdout=subprocess.PIPE,
                stderr=errors,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        assert self.process.stdout
        self.line = self.process.stdout.readline().decode().strip()
        self.port = int(self.line.rpartition(":")[2]) if self.line else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()

    def wait(self) -> int:
        """Return the exit code."""
        code = self.process.wait(PATIENCE)
        if self.process.stdout:
            self.process.stdout.close()
        return code

    def errors(self) -> str:
        return self._errors.read_text()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.wait()
