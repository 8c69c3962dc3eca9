"""Which ready tasks a worker is given: by priority, then age, at a cost that does not grow."""

import heapq
import sqlite3
from collections.abc import Iterator, Sequence

from mittelo.core.tasks import serves
from mittelo.hub.sqlite import rows

Rank = tuple[int, int]
"""The negative priority and the id of a task: the smallest goes first."""


def pick(
    cursor: sqlite3.Cursor, backends: Sequence[str], tags: Sequence[str] | None, limit: int
) -> list[int]:
    """Return the ids of the first ready tasks of these backends that suit these tags.

    Each backend is looked up by itself, so tasks that nobody here can run are not passed over.
    """
    lists = [ranks for backend in backends for ranks in _ready(cursor, backend, tags, limit)]
    best = lists[0] if len(lists) == 1 else heapq.nsmallest(limit, heapq.merge(*lists))
    return [task_id for _, task_id in best]


def _ready(
    cursor: sqlite3.Cursor, backend: str, tags: Sequence[str] | None, limit: int
) -> Iterator[list[Rank]]:
    if tags is None:
        yield cursor.execute(rows.NEXT_READY, (backend, limit)).fetchall()
        return
    for kind in _kinds(cursor, backend):
        if serves(tags, rows.split(kind)):
            yield cursor.execute(rows.NEXT_READY_TAGGED, (backend, kind, limit)).fetchall()


def _kinds(cursor: sqlite3.Cursor, backend: str) -> Iterator[str]:
    """Yield each set of tags that ready tasks have; leaps from one to the next in the index."""
    after = ""
    while row := cursor.execute(rows.FIRST_TAGS, (backend, after)).fetchone():
        yield (kind := str(row[0]))
        after = f"{kind}{rows.JUST_AFTER}"
