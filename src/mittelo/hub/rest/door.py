"""The hub's REST door: uvicorn on the hub's own event loop, opened and drained like the TCP one."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator

import uvicorn
from typing_extensions import override

from mittelo.errors import MitteloError
from mittelo.hub.hub import Hub
from mittelo.hub.lines import MAX_LINE
from mittelo.hub.rest.app import make_app
from mittelo.hub.rest.connections import HEAD_SECONDS, Connection, Watch
from mittelo.hub.rest.desk import Desk
from mittelo.hub.tcp import BACKLOG, bind

LOOK_SECONDS = 2.0
DRAIN_SECONDS = 10.0
END_SECONDS = 2.0


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: a hub has its own."""

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class RestDoor:
    """Listens on one address and answers HTTP there."""

    def __init__(self, hub: Hub, *, max_body: int = MAX_LINE) -> None:
        self._desk = Desk(hub)
        self._app = make_app(self._desk, max_body)
        self._loop = asyncio.get_running_loop()
        self._server: _Server
        self._serving: asyncio.Task[None]
        self._watch: Watch
        self._look: asyncio.TimerHandle | None = None

    async def open(self, bound: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Let clients in."""
        self._server = _Server(_configuration(self._app, tls))
        self._serving = self._loop.create_task(self._server.serve(sockets=[bound]))
        # uvicorn tells by a flag alone; it is set within a few turns of the loop.
        while not self._server.started and not self._serving.done():  # noqa: ASYNC110
            await asyncio.sleep(0)
        if self._serving.done():
            self._serving.result()
        self._watch = Watch(self._server.server_state.connections)
        self._look_around()

    async def stop(self) -> None:
        """Let nobody in, take no new requests, and end the streams."""
        self._desk.closing.set()
        self._server.should_exit = True

    async def close(self) -> None:
        """See everybody out once the answers are written; who does not read them is cut off."""
        await asyncio.wait([self._serving], timeout=DRAIN_SECONDS)
        for connection in [*self._server.server_state.connections]:
            connection.transport.abort()
        await asyncio.wait([self._serving], timeout=END_SECONDS)
        if self._look:
            self._look.cancel()
        self._serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._serving

    def _look_around(self) -> None:
        self._look = self._loop.call_later(LOOK_SECONDS, self._look_around)
        self._watch.look(self._loop.time())


def bind_rest(host: str, port: int) -> socket.socket:
    """Return a socket on an address, or say which options name another."""
    try:
        return bind(host, port)
    except MitteloError as error:
        raise type(error)(error.what, "Name another --rest-host or --rest-port.") from error


def _configuration(app: object, tls: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # litestar has its own words for the same protocol
        http=Connection,
        ws="none",
        lifespan="off",
        backlog=BACKLOG,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="error",
        timeout_keep_alive=int(HEAD_SECONDS),
        ssl_context_factory=(lambda _config, _default: tls) if tls else None,
    )
