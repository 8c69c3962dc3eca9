"""Connections of the REST door: how long one may take over its part."""

import asyncio
from typing import Any

import h11
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 5000
HEAD_SECONDS = 30.0
"""So long a connection may stay open without a request, or over the head of one."""

BODY_SECONDS = 120.0
READ_SECONDS = 60.0
"""Who reads nothing of an answer for so long is cut off."""

Mark = tuple[str, int, int]


class Connection(H11Protocol):
    """A connection of uvicorn's that is refused when there are too many."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()

    @property
    def waits_for(self) -> Mark | None:
        """Tell what the client should do next: send a head or a body, or read.

        It is another tuple once he has done some of it.
        """
        number = id(self.cycle)
        if self.flow.write_paused:
            return "read", number, self.transport.get_write_buffer_size()
        if self.conn.their_state is h11.IDLE:
            return "head", number, 0
        if self.conn.their_state is h11.SEND_BODY:
            return "body", number, 0
        return None

    def cut_off(self) -> None:
        """Close the connection at once."""
        self.transport.abort()


_PATIENCE = {"head": HEAD_SECONDS, "body": BODY_SECONDS, "read": READ_SECONDS}


class Watch:
    """Cuts off clients that take too long."""

    def __init__(self, connections: set[Any]) -> None:
        self._connections = connections
        self._since: dict[Connection, tuple[Mark, float]] = {}

    def look(self, now: float) -> None:
        """Look at everybody once."""
        before, self._since = self._since, {}
        for connection in [*self._connections]:
            mark = connection.waits_for
            if mark is None:
                continue
            known, since = before.get(connection, (mark, now))
            if known != mark:
                since = now
            if now - since > _PATIENCE[mark[0]]:
                connection.cut_off()
            else:
                self._since[connection] = mark, since
