"""A plain client of the protocol: a socket, and JSON on lines."""

import json
import socket
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

PIECE = 1 << 16


class BrokenRuleError(Exception):
    """The hub does not do what the protocol says; the message tells what it did."""


@dataclass(frozen=True)
class Place:
    """Where the hub is, how to talk to it, and how long to wait for it."""

    host: str
    port: int
    token: str = ""
    tls: ssl.SSLContext | None = None
    patience: float = 10.0


class Talk:
    """A connection to the hub."""

    def __init__(self, place: Place, *, greet: bool = True) -> None:
        self._place = place
        self._number = 0
        self._read = b""
        raw = socket.create_connection((place.host, place.port), timeout=place.patience)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wrap = place.tls.wrap_socket if place.tls else None
        self.socket = wrap(raw, server_hostname=place.host) if wrap else raw
        if greet and place.token:
            self.call("hello", token=place.token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    # Out

    def send(self, raw: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(raw)

    def ask(self, method: str, **params: Any) -> int:  # noqa: ANN401 - any JSON
        """Send a request and return its id."""
        self._number += 1
        asked = {"id": self._number, "method": method, "params": params}
        self.send(json.dumps(asked).encode() + b"\n")
        return self._number

    # In

    def line(self) -> bytes:
        """Return the next line."""
        while b"\n" not in self._read:
            try:
                piece = self.socket.recv(PIECE)
            except TimeoutError:
                raise BrokenRuleError(f"no reply within {self._place.patience:g} s") from None
            if not piece:
                raise BrokenRuleError("the hub closed the connection instead of replying")
            self._read += piece
        line, _, self._read = self._read.partition(b"\n")
        return line

    def reply(self) -> dict[str, Any]:
        """Return the next reply; whatever is wrong with its shape breaks a rule."""
        line = self.line()
        try:
            found = json.loads(line)
        except ValueError:
            raise BrokenRuleError(f"a reply is no JSON: {line[:80]!r}") from None
        if not isinstance(found, dict) or not {"id", "result", "error"} <= set(found):
            raise BrokenRuleError(f"a reply has not id, result and error: {line[:80]!r}")
        error = found["error"]
        if error is not None and not _is_error(error):
            raise BrokenRuleError(f"an error has no message and code: {error!r}")
        return found

    def call(self, method: str, **params: Any) -> Any:  # noqa: ANN401 - any JSON
        """Return the result of a request."""
        number = self.ask(method, **params)
        found = self.reply()
        if found["id"] != number:
            raise BrokenRuleError(f"the reply to id {number} has id {found['id']!r}")
        if found["error"] is not None:
            error = found["error"]
            raise BrokenRuleError(f"{method} was refused: {error['code']}, {error['message']}")
        return found["result"]

    def refused(self, code: str, method: str, **params: Any) -> dict[str, Any]:  # noqa: ANN401
        """Expect a request to be refused with a code; return the error."""
        self.ask(method, **params)
        return self.refusal(code, f"{method} {json.dumps(params)[:120]}")

    def refusal(self, code: str, what: str) -> dict[str, Any]:
        """Expect the next reply to be an error with this code."""
        found = self.reply()
        if found["error"] is None:
            raise BrokenRuleError(f"{what} was answered, not refused: {str(found['result'])[:120]}")
        error: dict[str, Any] = found["error"]
        if error["code"] != code:
            raise BrokenRuleError(f"{what} was refused with {error['code']}, not {code}")
        return error

    def end_writing(self) -> None:
        """Close our side."""
        self.socket.shutdown(socket.SHUT_WR)

    def is_closed(self) -> bool:
        """Wait for the hub to close its side; tell whether it did."""
        try:
            while piece := self.socket.recv(PIECE):
                self._read += piece
        except TimeoutError:
            return False
        except OSError:
            return True
        return True


def _is_error(error: object) -> bool:
    return (
        isinstance(error, dict)
        and isinstance(error.get("message"), str)
        and bool(error["message"])
        and isinstance(error.get("code"), str)
    )


def expect(true: object, otherwise: str) -> None:
    """Break the rule unless something is so; `otherwise` says what is."""
    if not true:
        raise BrokenRuleError(otherwise)


def equal(found: object, wanted: object, what: str) -> None:
    """Break the rule unless two values are the same."""
    expect(found == wanted, f"{what} is {str(found)[:200]}, not {str(wanted)[:200]}")
