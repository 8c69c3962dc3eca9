"""How a worker reaches its hub, and keeps on trying while that is away."""

import contextlib
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable

from msgspec import Struct

from mittelo.core.requests import Code
from mittelo.hub.client import HubAwayError, HubClient, HubError

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
ANSWER_SECONDS = 1.0
"""So long the hub is given to answer after we have hung up."""

_FOR_NOW = {Code.UNAVAILABLE, Code.INTERNAL}


class Address(Struct, frozen=True):
    """Where a hub is, and how one talks to it."""

    host: str
    port: int
    token: str = ""
    tls: ssl.SSLContext | None = None

    @property
    def key(self) -> str:
        """Return a folder's name for this hub."""
        host = "127.0.0.1" if self.host in {"localhost", "::1"} else self.host.lower()
        return f"{''.join(c if c.isalnum() or c in '.-' else '_' for c in host)}_{self.port}"

    def line(self) -> "Line":
        """Return a connection, for one thread."""
        return Line(self.host, self.port, token=self.token, tls=self.tls, pauses=())


class Line(HubClient):
    """A connection whose long poll another thread can cut short."""

    _hung_up: tuple[socket.socket, float] | None = None

    def hang_up(self) -> None:
        """Tell the hub that nobody will ask any more; it answers at once what was asked.

        Called again later, it no longer waits for that answer.
        """
        line = self._socket
        if line is None:
            return
        how = socket.SHUT_WR
        if self._hung_up is None or self._hung_up[0] is not line:
            self._hung_up = line, time.monotonic()
        elif time.monotonic() > self._hung_up[1] + ANSWER_SECONDS:
            how = socket.SHUT_RDWR
        with contextlib.suppress(OSError):
            socket.socket.shutdown(line, how)


class Contact:
    """Says once when the hub is away, and when it is back; all threads of a worker share it."""

    def __init__(self, address: Address, say: Callable[[str], None]) -> None:
        self._where = f"{address.host}:{address.port}"
        self._say = say
        self._away = False
        self._lock = threading.Lock()

    def note(self, *, away: bool) -> None:
        """Note whether the hub answers."""
        with self._lock:
            if away != self._away:
                self._away = away
                how = "is away; trying again until it is back" if away else "is back"
                self._say(f"the hub at {self._where} {how}")


class Pause:
    """The pauses between tries: they grow, and differ from worker to worker."""

    def __init__(self, longest: float = LONGEST_PAUSE) -> None:
        self._longest = longest
        self._next = min(FIRST_PAUSE, longest)

    def take(self) -> float:
        """Return the seconds of the next pause."""
        now = self._next
        self._next = min(now * 2, self._longest)
        return now * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


def is_passing(error: Exception) -> bool:
    """Tell whether what the hub did not do now may come true later."""
    if isinstance(error, HubAwayError):
        return True
    return isinstance(error, HubError) and error.code in _FOR_NOW
