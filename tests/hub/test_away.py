"""A hub whose machine slept gives the leases it finds time to be renewed."""

import time

import pytest
from hubs import RunningHub

from mittelo.hub.client import LeaseLostError
from mittelo.hub.sqlite.store import SqliteStore

NIGHT = 8 * 3600.0


class Clock:
    """The clock of a machine that can sleep."""

    def __init__(self) -> None:
        self.slept = 0.0

    def now(self) -> float:
        return time.time() + self.slept


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(SqliteStore, "clock", lambda _store: made.now())
    return made


def test_a_lease_can_be_renewed_after_a_night_of_sleep(clock: Clock) -> None:
    with RunningHub() as hub, hub.client() as client:
        task_id = client.enqueue("x")
        (task,) = client.lease("w", lease_seconds=60)
        clock.slept = NIGHT
        assert client.renew(task).leased_until > clock.now() + 30
        client.ack(task, "done")
        assert (client.get(task_id).status, client.get(task_id).attempt) == ("done", 1)


def test_a_lease_that_nobody_renews_after_a_sleep_ends(clock: Clock) -> None:
    with RunningHub() as hub, hub.client() as client:
        client.enqueue("x")
        (task,) = client.lease("w", lease_seconds=60)
        clock.slept = NIGHT
        taken, awake = client.lease("other"), 0
        while not taken and awake < 100:
            awake += 1
            clock.slept += 1
            taken = client.lease("other")
        assert 20 < awake < 100
        assert taken[0].attempt == 2
        with pytest.raises(LeaseLostError):
            client.renew(task)
