"""Run a hub until it is told to stop: open the store and the doors, and drain in the end."""

import asyncio
import contextlib
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from mittelo.errors import Interrupted, UsageError
from mittelo.hub.auth import Tokens, require_token
from mittelo.hub.engine import GRACE_SECONDS
from mittelo.hub.hub import Hub
from mittelo.hub.sqlite.store import SqliteStore
from mittelo.hub.store import Store, StoreError
from mittelo.hub.tcp import Door, bind, server_tls

OPEN_FILES = 65_536
SWITCH_SECONDS = 0.0001
"""The writer's thread waits no longer than this for its turn beside the event loop."""


class Settings(Struct, frozen=True, kw_only=True):
    """What a hub is started with."""

    db: str
    host: str
    port: int
    lease_seconds: float
    keep_days: float
    tokens: Tokens
    tls_cert: Path | None = None
    tls_key: Path | None = None
    rest_host: str = "127.0.0.1"
    rest_port: int | None = None


class OpenDoor(Protocol):
    """A way into a hub that is open."""

    async def stop(self) -> None:
        """Take no new requests."""
        ...

    async def close(self) -> None:
        """See everybody out."""
        ...


class Opened(Struct, frozen=True):
    """A door with the line that tells programs where it is."""

    line: str
    door: OpenDoor


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Run a hub; `announce` is given the line of each door once clients can come in."""
    require_token(settings.host, settings.tokens)
    if settings.rest_port is not None:
        require_token(settings.rest_host, settings.tokens)
    _allow_many_files()
    sys.setswitchinterval(SWITCH_SECONDS)
    store = open_store(settings.db, settings.lease_seconds)
    try:
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            runner.run(_serve(settings, store, announce))
    finally:
        store.close()


def open_store(db: str, lease_seconds: float) -> Store:
    """Return the store that `--db` names."""
    store = _open_postgres(db, lease_seconds) if "://" in db else SqliteStore(db, lease_seconds)
    store.recover(store.clock(), min(GRACE_SECONDS, lease_seconds))
    return store


def _open_postgres(url: str, lease_seconds: float) -> Store:
    try:
        from mittelo.hub.postgres.store import PostgresStore  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError(
            "PostgreSQL needs a library that is not installed.",
            "Install it with: pip install 'mittelo[postgres]'",
        ) from error
    return PostgresStore(url, lease_seconds)


async def open_doors(hub: Hub, settings: Settings) -> list[Opened]:
    """Open every door that the settings name, the TCP one first."""
    tls = server_tls(settings.tls_cert, settings.tls_key) if settings.tls_cert else None
    with contextlib.ExitStack() as opening:
        bound = opening.enter_context(bind(settings.host, settings.port))
        rest = await _open_rest(hub, settings, tls)
        door = Door(hub)
        await door.open(bound, tls)
        opening.pop_all()
    return [Opened(f"MITTELO_HUB tcp://{_address(settings.host, bound)}", door), *rest]


async def _open_rest(hub: Hub, settings: Settings, tls: ssl.SSLContext | None) -> list[Opened]:
    if settings.rest_port is None:
        return []
    from mittelo.hub.rest.door import RestDoor, bind_rest  # noqa: PLC0415 - takes half a second

    bound = bind_rest(settings.rest_host, settings.rest_port)
    door = RestDoor(hub)
    await door.open(bound, tls)
    scheme = "https" if tls else "http"
    return [Opened(f"MITTELO_REST {scheme}://{_address(settings.rest_host, bound)}", door)]


def _address(host: str, bound: socket.socket) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"{name}:{bound.getsockname()[1]}"


async def _serve(settings: Settings, store: Store, announce: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    heard: list[signal.Signals] = []
    lost: list[StoreError] = []

    def give_up(error: StoreError) -> None:
        lost.append(error)
        stop.set()

    with _signals(stop, heard):
        hub = Hub(
            store,
            settings.tokens,
            keep_days=settings.keep_days,
            on_shutdown=stop.set,
            on_failure=give_up,
        )
        try:
            doors = await open_doors(hub, settings)
            for opened in doors:
                announce(opened.line)
            await stop.wait()
            await _drain(hub, [opened.door for opened in doors])
        finally:
            await hub.close()
    if lost:
        raise lost[0]
    if signal.SIGINT in heard:
        raise Interrupted


async def _drain(hub: Hub, doors: list[OpenDoor]) -> None:
    for door in doors:
        await door.stop()
    await hub.drain()
    for door in doors:
        await door.close()
    await hub.drain()


@contextlib.contextmanager
def _signals(stop: asyncio.Event, heard: list[signal.Signals]) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def hear(number: signal.Signals) -> None:
        heard.append(number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, hear, number)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's where it is installed: a hub is about a third faster on it."""
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _allow_many_files() -> None:
    """Let as many clients connect as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < most:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
