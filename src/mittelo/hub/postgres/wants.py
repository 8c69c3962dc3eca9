"""What the calls of a batch will want from the database, so that it is fetched in one go."""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct, field

from mittelo.core import requests as ask
from mittelo.hub.store import Call

AT_ONCE = 1024
"""So many ready tasks are locked at a time; whoever needs more asks again."""


class Wants(Struct):
    """Ids of tasks to lock, and of those that may end; keys; new ids; ready tasks by backend."""

    heads: set[int] = field(default_factory=set)
    ending: set[int] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    new: int = 0
    ready: Counter[str] = field(default_factory=Counter)
    leases: int = 0


def wants_of(batch: Iterable[Call]) -> Wants:
    """Return what a batch will want."""
    wants = Wants()
    for call in batch:
        match call.request:
            case ask.Enqueue() as enqueue:
                _enqueue(wants, enqueue)
            case ask.EnqueueMany(tasks=tasks):
                for task in tasks:
                    _enqueue(wants, task)
            case ask.Lease() as lease:
                _lease(wants, lease)
            case ask.Ack(task_id=task_id, lease=lease):
                wants.heads.add(task_id)
                wants.ending.add(task_id)
                if lease:
                    _lease(wants, lease)
            case ask.Cancel(task_id=task_id):
                wants.heads.add(task_id)
                wants.ending.add(task_id)
            case ask.Renew(task_id=task_id) | ask.Retry(task_id=task_id):
                wants.heads.add(task_id)
            case _:
                pass
    return wants


def _enqueue(wants: Wants, request: ask.Enqueue) -> None:
    wants.new += 1
    wants.heads.update(request.after)
    if request.dedupe_key is not None:
        wants.keys.add(request.dedupe_key)


def _lease(wants: Wants, request: ask.Lease) -> None:
    wants.leases += request.max_tasks
    if request.tags is None:
        for backend in {"", *request.backends}:
            wants.ready[backend] += request.max_tasks
