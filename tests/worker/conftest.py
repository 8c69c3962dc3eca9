"""A hub of its own for each test, and somebody who asks it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hubs import HubProcess

from mittelo.hub.client import HubClient


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    with HubProcess(tmp_path / "hub.db") as running:
        yield running


@pytest.fixture
def client(hub: HubProcess) -> Iterator[HubClient]:
    with HubClient("127.0.0.1", hub.port) as asking:
        yield asking
