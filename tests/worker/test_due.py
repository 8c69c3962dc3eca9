"""Check what a worker waits for while its machine sleeps."""

import time

import pytest
from hubs import RunningHub
from support import wait_until

from mittelo.answering.run import Answer
from mittelo.core.faults import Category
from mittelo.worker import due, renewing
from mittelo.worker.contact import LONGEST_PAUSE, Address, Contact
from mittelo.worker.renewing import Renewer
from mittelo.worker.resting import Resting

HOUR = 3600.0


class Clocks:
    """The clocks of a machine that can sleep, and be set."""

    def __init__(self) -> None:
        self.slept = self.set = 0.0

    def time(self) -> float:
        return time.time() + self.slept + self.set

    def monotonic(self) -> float:
        return time.monotonic()


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    made = Clocks()
    monkeypatch.setattr(due, "time", made)
    return made


def test_a_rest_ends_in_a_sleep(clocks: Clocks) -> None:
    resting = Resting()
    resting.learn(Answer(reason="no", category=Category.USAGE_LIMIT, retry_after=2 * HOUR))
    assert resting.seconds > 1.9 * HOUR
    clocks.slept = 8 * HOUR
    assert resting.seconds == 0


def test_a_clock_that_is_set_back_does_not_prolong_a_rest(clocks: Clocks) -> None:
    resting = Resting()
    resting.learn(Answer(reason="no", category=Category.USAGE_LIMIT, retry_after=2 * HOUR))
    clocks.set = -24 * HOUR
    assert resting.seconds < 2.1 * HOUR


def test_a_lease_is_renewed_at_once_after_a_sleep(
    clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewing, "LONGEST_WAIT", 0.01)
    with RunningHub() as hub, hub.client() as client:
        task_id = client.enqueue("x")
        (task,) = client.lease("w", lease_seconds=HOUR)
        address = Address("127.0.0.1", hub.port)
        failures: list[Exception] = []
        renewer = Renewer(address, Contact(address, print), HOUR, failures.append)
        renewer.hold(task)

        def sleep(until: float) -> None:
            before = client.get(task_id).leased_until or 0.0
            clocks.slept = until
            wait_until(lambda: (client.get(task_id).leased_until or 0.0) > before, "a renewal")

        sleep(8 * HOUR)
        sleep(16 * HOUR)
        renewer.close()
        renewer._thread.join(20)
        renewer._line.close()
        assert failures == []


def test_a_hub_that_is_back_is_found_soon_however_long_the_lease() -> None:
    pause = renewing._pause(24 * HOUR)
    assert max(pause.take() for _ in range(20)) <= LONGEST_PAUSE
