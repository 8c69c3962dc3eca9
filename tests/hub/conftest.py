"""Queues on every store that there is; each test of the contract runs on all of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hubs import Queue, RunningHub
from postgres import NoServerError, PostgresServer

from mittelo.hub.sqlite.store import SqliteStore
from mittelo.hub.store import Store

Opener = Callable[[Path], Store]
"""Opens what is stored in a folder; in one that is new, nothing is."""

STORES = ["sqlite", "memory", "postgresql"]
"""Whoever adds a store adds it here."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server of our own for all tests of this process."""
    try:
        server = PostgresServer()
    except NoServerError as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture(params=STORES, scope="session")
def open_store(request: pytest.FixtureRequest) -> Opener:
    match request.param:
        case "sqlite":
            return lambda folder: SqliteStore(str(folder / "hub.db"))
        case "memory":
            return lambda _folder: SqliteStore(":memory:")
        case _:
            server: PostgresServer = request.getfixturevalue("postgres")
            return server.open_store


@pytest.fixture
def queue(open_store: Opener, tmp_path: Path) -> Iterator[Queue]:
    store = open_store(tmp_path)
    yield Queue(store)
    store.close()


@pytest.fixture
def hub() -> Iterator[RunningHub]:
    with RunningHub() as running:
        yield running
