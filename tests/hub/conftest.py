"""Queues on every store that there is; each test of the contract runs on all of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hubs import Queue, RunningHub

from mittelo.hub.sqlite.store import SqliteStore
from mittelo.hub.store import Store

Opener = Callable[[Path], Store]
STORES: dict[str, Opener] = {
    "sqlite": lambda folder: SqliteStore(str(folder / "hub.db")),
    "memory": lambda _folder: SqliteStore(":memory:"),
}
"""Whoever adds a store adds it here."""


@pytest.fixture(params=STORES, scope="session")
def open_store(request: pytest.FixtureRequest) -> Opener:
    return STORES[request.param]


@pytest.fixture
def queue(open_store: Opener, tmp_path: Path) -> Iterator[Queue]:
    store = open_store(tmp_path)
    yield Queue(store)
    store.close()


@pytest.fixture
def hub() -> Iterator[RunningHub]:
    with RunningHub() as running:
        yield running
