"""Which ready tasks with tags a worker is given: by priority, then age."""

import heapq
import sqlite3
from collections.abc import Iterator, Sequence

from mittelo.core.tasks import serves
from mittelo.hub.rows import split
from mittelo.hub.sqlite import rows
from mittelo.hub.sqlite.shelves import Rank


def pick_tagged(
    cursor: sqlite3.Cursor, backends: Sequence[str], tags: Sequence[str] | None, limit: int
) -> list[Rank]:
    """Return the first ready tasks of these backends that have tags, and only these.

    Each backend is looked up by itself, so tasks that nobody here can run are not passed over.
    """
    lists = [ranks for backend in backends for ranks in _ready(cursor, backend, tags, limit)]
    return heapq.nsmallest(limit, heapq.merge(*lists))


def _ready(
    cursor: sqlite3.Cursor, backend: str, tags: Sequence[str] | None, limit: int
) -> Iterator[list[Rank]]:
    if tags is None:
        yield cursor.execute(rows.NEXT_TAGGED, (backend, limit)).fetchall()
        return
    for kind in _kinds(cursor, backend):
        if serves(tags, split(kind)):
            yield cursor.execute(rows.NEXT_OF_TAGS, (backend, kind, limit)).fetchall()


def _kinds(cursor: sqlite3.Cursor, backend: str) -> Iterator[str]:
    """Yield each set of tags that ready tasks have; leaps from one to the next in the index."""
    after = ""
    while row := cursor.execute(rows.FIRST_TAGS, (backend, after)).fetchone():
        yield (kind := str(row[0]))
        after = f"{kind}{rows.JUST_AFTER}"
