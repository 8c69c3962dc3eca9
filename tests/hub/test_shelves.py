"""What a hub remembers of the tasks that go next is what lies in its file."""

import random

import pytest
from hubs import Queue

from mittelo.core import requests as req
from mittelo.core.requests import Ack, Enqueue, Lease
from mittelo.hub.sqlite import ledger, shelves
from mittelo.hub.sqlite.store import SqliteStore

BACKENDS = (None, "a", "b")
BROKEN = Enqueue(prompt="lone \ud800 surrogate")


def first(ready: dict[int, tuple[int, str | None, list[str]]], lease: Lease) -> list[int]:
    """Return what a lease must be given."""
    tags = lease.tags
    fitting = [
        (-priority, task_id)
        for task_id, (priority, backend, needed) in ready.items()
        if backend in {None, *lease.backends} and (tags is None or set(needed) <= set(tags))
    ]
    return [task_id for _, task_id in sorted(fitting)[: lease.max_tasks]]


@pytest.mark.parametrize("seed", range(12))
def test_leases_go_by_priority_and_age_however_little_is_remembered(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(shelves, "MOST", 6)
    monkeypatch.setattr(shelves, "LONG", 3)
    monkeypatch.setattr(ledger, "AT_ONCE", 4)
    monkeypatch.setattr(ledger, "FILL_CHARACTERS", 12)
    monkeypatch.setattr(ledger, "MOST_SHELVES", 2)
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    queue = Queue(SqliteStore(":memory:"))
    ready: dict[int, tuple[int, str | None, list[str]]] = {}
    held: dict[int, tuple[str, tuple[int, str | None, list[str]]]] = {}
    for _ in range(400):
        match chance.randrange(8):
            case 0 | 1 | 2:
                kind = (
                    chance.randrange(3),
                    chance.choice(BACKENDS),
                    chance.choice([[], [], ["t"]]),
                )
                tasks = [
                    Enqueue(prompt="x" * n, priority=kind[0], backend=kind[1], tags=kind[2])
                    for n in (1, 9)
                ]
                found = queue.ask(*tasks)
                ready.update({answer.task_id: kind for answer in found})
            case 3 | 4:
                lease = Lease(
                    worker_id="w",
                    max_tasks=chance.randint(1, 9),
                    backends=chance.choice([[], ["a"], ["a", "b"]]),
                    tags=chance.choice([None, [], ["t"]]),
                )
                tasks = queue.ask(lease).tasks
                assert [task.task_id for task in tasks] == first(ready, lease)
                for task in tasks:
                    assert set(task.prompt) == {"x"}
                    held[task.task_id] = (task.lease_id, ready.pop(task.task_id))
            case 5 if held:
                task_id, (lease_id, kind) = chance.choice([*held.items()])
                del held[task_id]
                if chance.random() < 0.5:
                    queue.ask(Ack(task_id=task_id, status="done", lease_id=lease_id))
                else:
                    queue.ask(Ack(task_id=task_id, status="released", lease_id=lease_id))
                    ready[task_id] = kind
            case 6 if ready:
                task_id = chance.choice([*ready])
                queue.ask(req.Cancel(task_id=task_id))
                del ready[task_id]
            case 7:
                good, _ = queue.ask(Enqueue(prompt="x"), BROKEN)
                ready[good.task_id] = (0, None, [])
    queue.store.close()
