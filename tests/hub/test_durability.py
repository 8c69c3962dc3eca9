"""What was acknowledged is there after the hub was killed at any moment; nothing ends twice."""

import random
import threading
from pathlib import Path

import pytest
from hubs import HubProcess
from support import wait_until

from mittelo.core.requests import Enqueue
from mittelo.core.tasks import Status
from mittelo.hub.client import HubAwayError, HubClient, HubError

CLIENTS = 4


class Account:
    """What clients were told by the hub."""

    def __init__(self) -> None:
        self.enqueued: dict[int, str] = {}
        self.done: dict[int, str] = {}
        self.refused: list[str] = []


def work(port: int, name: str, account: Account) -> None:
    """Enqueue and end tasks until the hub is gone."""
    number = 0
    try:
        with HubClient(port=port, pauses=()) as client:
            while True:
                prompt = f"{name}-{number}"
                number += 1
                account.enqueued[client.enqueue(Enqueue(prompt=prompt))] = prompt
                for task in client.lease(name, lease_seconds=60):
                    client.ack(task, "done", result=f"{name} did {task.prompt}")
                    if task.task_id in account.done:
                        account.refused.append(f"{task.task_id} ended twice")
                    account.done[task.task_id] = f"{name} did {task.prompt}"
    except HubAwayError:
        return
    except HubError as error:
        account.refused.append(str(error))


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_hub_keeps_what_it_acknowledged(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - the same moments each time
    account = Account()
    for life in range(2):
        with HubProcess(tmp_path / "hub.db") as hub:
            threads = [
                threading.Thread(target=work, args=(hub.port, f"{life}.{number}", account))
                for number in range(CLIENTS)
            ]
            for thread in threads:
                thread.start()
            least = len(account.done) + dice.randint(1, 60)
            wait_until(lambda: len(account.done) >= least, "some work")  # noqa: B023 - at once
            hub.kill()
            for thread in threads:
                thread.join()
    assert account.refused == []
    with HubProcess(tmp_path / "hub.db") as hub, HubClient(port=hub.port) as client:
        for task_id, prompt in account.enqueued.items():
            assert client.get(task_id).prompt == prompt
        for task_id, result in account.done.items():
            task = client.get(task_id)
            assert (task.status, task.result) == (Status.DONE, result)
            assert [made.how for made in task.attempts] == ["done"]
        stats = client.stats().stats
        assert stats.total == stats.queued + stats.leased + stats.done
        assert len(client.list(limit=0).tasks) == stats.total
