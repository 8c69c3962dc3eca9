"""The hub's TCP door: who is connected, who is too slow, and how everybody is seen out."""

import asyncio
import contextlib
import errno
import socket
import ssl
from pathlib import Path

from mittelo.errors import MitteloError, UsageError
from mittelo.hub.connection import Connection
from mittelo.hub.hub import Hub
from mittelo.hub.lines import MAX_LINE

BACKLOG = 1024
MAX_CONNECTIONS = 20_000
LINE_SECONDS = 120.0
"""A line that was begun is whole after so many seconds, or its connection is closed."""

STRANGER_SECONDS = 10.0
"""Who needs a token shows it in so many seconds."""

HANDSHAKE_SECONDS = 10.0
LOOK_SECONDS = 2.0
DRAIN_SECONDS = 10.0
OUTPUT_BYTES = 256 * 1024


class Door:
    """Listens on one address and holds its connections."""

    def __init__(self, hub: Hub, *, max_line: int = MAX_LINE) -> None:
        self.max_line = max_line
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self._server: asyncio.Server | None = None
        self._look: asyncio.TimerHandle | None = None
        self._connections: set[Connection] = set()
        self._partial: dict[Connection, float] = {}
        self._strangers: dict[Connection, float] = {}
        self._empty = asyncio.Event()

    async def open(self, bound: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Let clients in."""
        self._server = await self._loop.create_server(
            lambda: Connection(self, self._hub),
            sock=bound,
            backlog=BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if tls else None,
        )
        self._look_around()

    async def stop(self) -> None:
        """Let nobody in, and take no more requests than were read."""
        if self._server:
            self._server.close()
        for connection in [*self._connections]:
            connection.stop_reading()

    async def close(self) -> None:
        """See everybody out once the answers are written; who does not read them is cut off."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._see_out()
        for connection in [*self._connections]:
            connection.abort()
        if self._look:
            self._look.cancel()

    async def _see_out(self) -> None:
        while self._connections:
            for connection in [*self._connections]:
                if connection.is_quiet:
                    connection.close()
            self._empty.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), 0.05)

    # What connections tell

    def enter(self, connection: Connection) -> None:
        """Count a client in."""
        if len(self._connections) >= MAX_CONNECTIONS:
            connection.abort()
            return
        self._connections.add(connection)
        if connection.is_stranger:
            self._strangers[connection] = self._loop.time()

    def leave(self, connection: Connection) -> None:
        """Count a client out."""
        self._connections.discard(connection)
        self._partial.pop(connection, None)
        self._strangers.pop(connection, None)
        if not self._connections:
            self._empty.set()

    def is_part(self, connection: Connection) -> None:
        """Note that a line was begun."""
        self._partial[connection] = self._loop.time()

    def is_whole(self, connection: Connection) -> None:
        """Note that it is whole."""
        self._partial.pop(connection, None)

    def _look_around(self) -> None:
        """Close whoever takes too long."""
        now = self._loop.time()
        self._look = self._loop.call_later(LOOK_SECONDS, self._look_around)
        late = [c for c, since in self._partial.items() if now - since > LINE_SECONDS]
        for connection, since in [*self._strangers.items()]:
            if not connection.is_stranger:
                del self._strangers[connection]
            elif now - since > STRANGER_SECONDS:
                late.append(connection)
        for connection in late:
            connection.abort()


def bind(host: str, port: int) -> socket.socket:
    """Return a socket on an address; port 0 takes a free one."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=_PASSIVE)
    except OSError as error:
        raise UsageError(f"There is no address {host!r}: {error.strerror}.", _OTHER) from error
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        bound.setblocking(False)
        bound.bind(address)
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise _cannot_listen(host, port, error) from error
    return bound


_PASSIVE = socket.AI_PASSIVE
_OTHER = "Name another --host or --port."


def _cannot_listen(host: str, port: int, error: OSError) -> MitteloError:
    match error.errno:
        case errno.EADDRINUSE:
            why = "is in use, perhaps by another hub"
        case errno.EACCES | errno.EPERM:
            why = "is forbidden to us"
        case errno.EADDRNOTAVAIL:
            why = "is no address of this machine"
        case _:
            why = f"cannot be listened on ({error.strerror})"
    return MitteloError(f"{host}:{port} {why}.", _OTHER)


def server_tls(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """Return what a hub shows to clients that come by TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"The certificate {certificate} cannot be used: {error.strerror or error}.",
            "Name PEM files with --tls-cert and --tls-key.",
        ) from error
    return context
