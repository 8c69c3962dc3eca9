"""Hubs for tests that answer HTTP, too."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec
from hubs import RunningHub

from mittelo.hub.auth import Role, Token, Tokens
from mittelo.hub.lines import MAX_LINE
from mittelo.hub.rest.door import RestDoor
from mittelo.hub.store import Store
from mittelo.hub.tcp import Door, bind

PATIENCE = 20.0
SECRETS = {role: f"secret-of-{role}" for role in Role}
JSON = {"Content-Type": "application/json"}


def every_role() -> Tokens:
    """Return a token for each role, whose secrets are in `SECRETS`."""
    return Tokens([Token(f"{role}-name", role, secret) for role, secret in SECRETS.items()])


class RestHub(RunningHub):
    """A hub with both doors."""

    def __init__(
        self,
        store: Store | None = None,
        *,
        tokens: Tokens | None = None,
        max_body: int = MAX_LINE,
        send_buffer: int = 0,
    ) -> None:
        super().__init__(store, tokens=tokens, configure=self._also_rest)
        self._max_body = max_body
        self._send_buffer = send_buffer
        self.rest: RestDoor
        self.rest_port = 0

    def _also_rest(self, door: Door) -> None:
        """Open and close the REST door with the TCP one."""
        open_tcp, stop_tcp, close_tcp = door.open, door.stop, door.close
        self.rest = RestDoor(self.hub, max_body=self._max_body)

        async def both_open(tcp: socket.socket, tls: ssl.SSLContext | None = None) -> None:
            bound = bind("127.0.0.1", 0)
            if self._send_buffer:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._send_buffer)
            self.rest_port = bound.getsockname()[1]
            await self.rest.open(bound)
            await open_tcp(tcp, tls)

        async def both_stop() -> None:
            await stop_tcp()
            await self.rest.stop()

        async def both_close() -> None:
            await asyncio.gather(close_tcp(), self.rest.close())

        for name, both in (("open", both_open), ("stop", both_stop), ("close", both_close)):
            setattr(door, name, both)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.rest_port}"

    def http(self, token: str = "") -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE, trust_env=False)

    def raw(self, receive_buffer: int = 0) -> socket.socket:
        raw = socket.socket()
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(PATIENCE)
        raw.connect(("127.0.0.1", self.rest_port))
        return raw

    def on_loop(self, work: Callable[[], object]) -> None:
        self.loop.call_soon_threadsafe(work)


class Following:
    """A stream of server-sent events, as a browser understands it."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.iter_lines()
        self.last_id = ""

    def block(self) -> dict[str, str]:
        """Return the fields up to the next empty line; a comment has the name ""."""
        found: dict[str, str] = {}
        for line in self._lines:
            if not line:
                return found
            name, _, value = line.partition(":")
            found[name] = value.removeprefix(" ")
            if name == "id":
                self.last_id = found["id"]
        raise EOFError

    def message(self) -> dict[str, Any]:
        """Return the data of the next message."""
        while "data" not in (found := self.block()):
            pass
        return {"event": found.get("event", "message"), **msgspec.json.decode(found["data"])}

    def is_over(self) -> bool:
        """Read to the end; tell whether it was a proper one."""
        try:
            while True:
                self.block()
        except EOFError:
            return True


@contextmanager
def following(http: httpx.Client, query: str = "", **headers: str) -> Iterator[Following]:
    """Follow the events of a hub."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with http.stream("GET", f"/events{query}", headers=named) as answer:
        assert answer.status_code == 200, answer.read()
        stream = Following(answer)
        assert stream.block()["retry"]
        yield stream


def answer_to(raw: socket.socket, request: bytes) -> bytes:
    """Send bytes, and return everything until the hub closes."""
    raw.sendall(request)
    found = b""
    while piece := raw.recv(65_536):
        found += piece
    return found
