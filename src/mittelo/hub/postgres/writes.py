"""What a transaction will write, kept together so that each table is written once."""

from collections import Counter
from collections.abc import Iterator, Mapping

from mittelo.core.requests import Event
from mittelo.core.tasks import Attempt, Head, Status
from mittelo.hub.changes import Body
from mittelo.hub.postgres import rows
from mittelo.hub.postgres.rows import NewAttempt, NewBody, NewNeed, as_array, as_json
from mittelo.hub.postgres.trips import Statement

MOST_BYTES = 64 * 1024 * 1024
"""Texts of about so many bytes are written before more are gathered."""


class Writes:
    """Rows to insert, to update and to delete."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.told: set[int] = set()
        self._size = 0
        self._new: set[int] = set()
        self._changed: set[int] = set()
        self._bodies: list[NewBody] = []
        self._attempts: list[NewAttempt] = []
        self._needs: list[NewNeed] = []
        self._forgotten: list[int] = []

    @property
    def is_large(self) -> bool:
        """Tell whether it is time to write."""
        return self._size > MOST_BYTES

    def add(self, task_id: int, body: Body) -> None:
        """Insert a task."""
        self._new.add(task_id)
        self._bodies.append(rows.new_body(task_id, body))
        self._size += len(body[0])

    def change(self, task_id: int) -> None:
        """Save a task as it is when all is written."""
        self._changed.add(task_id)

    def end(self, task_id: int, over: Attempt) -> None:
        """Insert an attempt."""
        self._attempts.append(rows.new_attempt(task_id, over))
        self._size += len(over.result or "") + len(over.error or "")

    def wait_for(self, task_id: int, needed: int) -> None:
        """Let a task wait for another."""
        self._needs.append(NewNeed(needed, task_id))

    def tell(self, needed: int) -> None:
        """Let nobody wait for a task."""
        self.told.add(needed)

    def forget(self, task_id: int) -> None:
        """Delete a task."""
        self._forgotten.append(task_id)

    def statements(self, heads: Mapping[int, Head | None]) -> Iterator[Statement]:
        """Yield what writes all this, with the tasks as they are now; begin anew.

        What is forgotten was written before, and its key may be that of a new task: it goes first.
        """
        if self._forgotten:
            for statement in rows.FORGET:
                yield Statement(statement, as_array(self._forgotten))
        new = [head for task_id in self._new if (head := heads[task_id])]
        changed = [head for i in sorted(self._changed - self._new) if (head := heads[i])]
        if new or self._attempts:
            lists = (new, self._bodies, self._attempts, changed)
            yield Statement(rows.WRITE_ALL, *map(as_json, lists))
        elif changed:
            yield Statement(rows.SAVE_HEADS, as_json(changed))
        if self._needs:
            yield Statement(rows.INSERT_NEEDS, as_json(self._needs))
        if self.told:
            yield Statement(rows.DELETE_NEEDS, as_array(self.told))
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._size = 0
        self._new, self._changed, self.told = set(), set(), set()
        self._bodies, self._attempts = [], []
        self._needs, self._forgotten = [], []

    def last(self, events: list[Event], marker: int, hub: str) -> Statement:
        """Return what writes the counters and the events: the last thing before the commit."""
        counts = [self.counts[status._value_] for status in Status]
        if not events:
            return Statement(rows.COUNT, hub, marker, *counts)
        told, count = as_json(events), len(events)
        return Statement(rows.COUNT_AND_TELL, count, count, told, hub, marker, *counts)
