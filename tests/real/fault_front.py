"""A server before the mock model that records every request and injects faults."""

import json
import socket
import sys
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self, assert_never
from urllib.parse import urlsplit

from faults import Cut, Dropped, Fault, Garbage, Late, Rule, Silence, Status, Stuck
from msgspec import Struct

EVENT_STREAM = {"content-type": "text/event-stream", "cache-control": "no-cache"}
HOP_BY_HOP = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})
NOT_FORWARDED = HOP_BY_HOP | {"accept-encoding", "host"}


class Request(Struct, frozen=True):
    """What a client asked of the model."""

    method: str
    path: str
    headers: Mapping[str, str]
    text: str
    fault: Fault | None

    @property
    def body(self) -> dict[str, object]:
        """The JSON object that was sent; empty when it was something else."""
        try:
            parsed = json.loads(self.text)
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}


class FaultFront:
    """Listens on loopback, in threads of this process, and forwards what meets no fault."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.closing = Event()
        self._lock = Lock()
        self._requests: list[Request] = []
        self._rules: list[Rule] = []
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def seen(self) -> int:
        """How many requests have come so far."""
        with self._lock:
            return len(self._requests)

    def requests(self, since: int = 0) -> list[Request]:
        """Return the requests that came after the first `since` ones."""
        with self._lock:
            return self._requests[since:]

    def add(self, rule: Rule) -> None:
        """Let requests meet a fault; of several rules the oldest that applies wins."""
        with self._lock:
            self._rules.append(rule)

    def reset(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._rules.clear()

    def receive(
        self, method: str, path: str, headers: Mapping[str, str], text: str
    ) -> Fault | None:
        """Record a request and return the fault that it meets."""
        with self._lock:
            rules = (rule for rule in self._rules if method == "POST" and rule.applies(path))
            rule = next(rules, None)
            fault = rule.fault if rule else None
            self._requests.append(Request(method, path, headers, text, fault))
            return fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, front: FaultFront) -> None:
        self.front = front
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        try:
            content = self._read()
            headers = {name.lower(): value for name, value in self.headers.items()}
            text = content.decode("utf-8", "replace")
            fault = self.server.front.receive(self.command, self.path, headers, text)
            self._answer(content, fault)
        except ConnectionError:
            self.close_connection = True

    do_GET = do_HEAD = do_POST = _serve  # noqa: N815 - so the base class wants them named

    def _answer(self, content: bytes, fault: Fault | None) -> None:
        match fault:
            case None:
                self._forward(content)
            case Late(seconds):
                self.server.front.closing.wait(seconds)
                self._forward(content)
            case Cut(size):
                self._forward(content, size)
            case Status(code, body, headers):
                self._send(code, body.encode(), {"content-type": "application/json", **headers})
            case Garbage(text):
                self._stream(text)
            case Stuck(beginning):
                self._stream(beginning)
                self._hang()
            case Silence():
                self._hang()
            case Dropped():
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            case _:
                assert_never(fault)

    def _read(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        content = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _begin(self, code: int, headers: Mapping[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, code: int, body: bytes, headers: Mapping[str, str]) -> None:
        self._begin(code, {**headers, "content-length": str(len(body))})
        self.wfile.write(body)

    def _stream(self, text: str) -> None:
        self._begin(200, {**EVENT_STREAM, "connection": "close"})
        self.wfile.write(text.encode())

    def _hang(self) -> None:
        self.close_connection = True
        self.connection.settimeout(0.1)
        while not self.server.front.closing.is_set():
            try:
                if not self.connection.recv(4096):
                    return
            except TimeoutError:
                continue

    def _forward(self, content: bytes, size: int = sys.maxsize) -> None:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in NOT_FORWARDED}
        with closing(HTTPConnection(self.server.front.upstream, timeout=60)) as upstream:
            try:
                upstream.request(self.command, self.path, body=content or None, headers=headers)
                answer = upstream.getresponse()
            except (OSError, HTTPException) as error:
                self._send(502, str(error).encode(), {"content-type": "text/plain"})
            else:
                self._pass_on(answer, size)

    def _pass_on(self, answer: HTTPResponse, size: int) -> None:
        headers = {k: v for k, v in answer.getheaders() if k.lower() not in HOP_BY_HOP}
        self._begin(answer.status, {**headers, "connection": "close"})
        while part := answer.read1(min(size, 65536)):
            self.wfile.write(part)
            size -= len(part)
