"""One transaction on the tasks: read them, write down what became of them, keep the counters."""

import os
import sqlite3
from collections.abc import Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mittelo.core import tasks as rules
from mittelo.core.requests import Event
from mittelo.core.tasks import Attempt, Head, Status, Step
from mittelo.hub.sqlite import rows
from mittelo.hub.sqlite.schema import LAST_ID, NEEDS
from mittelo.hub.store import SWEEP_AT_ONCE, Outcome

_NEXT_DUE = (
    "SELECT (SELECT min(leased_until) FROM task INDEXED BY task_leased WHERE status = 'leased'),"
    " (SELECT min(not_before) FROM task INDEXED BY task_waiting"
    " WHERE status = 'queued' AND not_before IS NOT NULL)"
)


class Books(Struct, frozen=True):
    """What the one process that owns the file knows of it without looking."""

    counts: dict[str, int]
    paused: frozenset[str]
    next_due: float | None


def read_books(cursor: sqlite3.Cursor) -> Books:
    """Return the books of a file that was just opened."""
    counts = dict(cursor.execute("SELECT name, n FROM counter").fetchall())
    paused = cursor.execute("SELECT backend FROM paused").fetchall()
    due = cursor.execute(_NEXT_DUE).fetchone()
    return Books(counts, frozenset(name for (name,) in paused), _earliest(due))


class Ledger:
    """The tasks as one transaction sees and changes them.

    `held` are the leased tasks as they lie in the file, which nobody else changes: an ack need
    not read them again.
    """

    def __init__(
        self,
        cursor: sqlite3.Cursor,
        books: Books,
        held: dict[int, Head],
        now: float,
        lease_seconds: float,
    ) -> None:
        self.cursor = cursor
        self.now = now
        self.lease_seconds = lease_seconds
        self.salt = os.urandom(8).hex()
        self.outcome = Outcome([])
        self.paused = books.paused
        self._books = books
        self._held = held
        self._counts = dict(books.counts)

    def close(self) -> Books:
        """Write the counters that changed; return the books as they are once this is durable."""
        was = self._books.counts
        changed = [(n, name) for name, n in self._counts.items() if n != was[name]]
        if changed:
            self.cursor.executemany("UPDATE counter SET n = ? WHERE name = ?", changed)
        self.cursor.execute(_NEXT_DUE)
        return Books(self._counts, self.paused, _earliest(self.cursor.fetchone()))

    def sweep(self) -> None:
        """Let leases expire whose time is over, and tasks go whose time has come."""
        if self._books.next_due is None or self._books.next_due > self.now:
            return
        for head in self.heads(rows.HEADS_EXPIRED, self.now, SWEEP_AT_ONCE):
            self.take(head, rules.expire(head, self.now))
        for head in self.heads(rows.HEADS_DUE, self.now, SWEEP_AT_ONCE):
            self.take(head, rules.due(head, self.now))

    def heads(self, statement: str, *values: object) -> list[Head]:
        """Return the tasks that a statement finds."""
        return [rows.head_of(row) for row in self.cursor.execute(statement, values).fetchall()]

    def head(self, task_id: int) -> Head | None:
        """Return one task."""
        if held := self._held.get(task_id):
            return held
        row = self.cursor.execute(rows.HEAD, (task_id,)).fetchone()
        return rows.head_of(row) if row else None

    def status(self, task_id: int) -> Status | None:
        """Return where a task stands; None when there is no such task."""
        row = self.cursor.execute("SELECT status FROM task WHERE id = ?", (task_id,)).fetchone()
        return Status(row[0]) if row else None

    def next_id(self) -> int:
        """Return the id of a new task; none is ever used again."""
        self._counts[LAST_ID] += 1
        return self._counts[LAST_ID]

    def add(self, head: Head) -> None:
        """Put a new task on record."""
        self.cursor.execute(rows.INSERT_HEAD, rows.whole(head))
        self._note("enqueued", head, None, was_ready=False)

    def wait_for(self, task_id: int, needs: Sequence[int]) -> None:
        """Let a task wait for others."""
        if needs:
            pairs = [(needed, task_id) for needed in needs]
            self.cursor.executemany("INSERT OR IGNORE INTO need VALUES (?, ?)", pairs)
            self._counts[NEEDS] += self.cursor.rowcount

    def needs(self, task_id: int) -> list[int]:
        """Return what a task was enqueued to run after."""
        (after,) = self.cursor.execute(rows.AFTER, (task_id,)).fetchone()
        return msgspec.json.decode(after, type=list[int]) if after else []

    def attempt(self, task_id: int, lease_id: str | None) -> Attempt | None:
        """Return how a lease ended, if it has."""
        row = self.cursor.execute(rows.ATTEMPT_OF_LEASE, (task_id, lease_id)).fetchone()
        return rows.attempt_of(row) if row else None

    def pause(self, backend: str) -> None:
        """Hand out no more tasks for a backend, "" for all."""
        self.cursor.execute("INSERT OR IGNORE INTO paused VALUES (?)", (backend,))
        self.paused |= {backend}

    def resume(self, backend: str) -> None:
        """Hand out tasks for a backend again; "" ends every pause."""
        self.cursor.execute("DELETE FROM paused WHERE ? IN ('', backend)", (backend,))
        self.paused = self.paused - {backend} if backend else frozenset()
        self.outcome.resumed = True

    def prolong(self, seconds: float) -> None:
        """Let all leases live on for so long at least."""
        for head in self.heads(rows.HEADS_LEASED):
            kept = rules.keep_after_restart(head, self.now, seconds)
            self.cursor.execute(rows.SAVE_HEAD, rows.moving(kept))
        self._held.clear()

    def forget(self, head: Head) -> None:
        """Take a task off the record."""
        for statement in rows.FORGET:
            self.cursor.execute(statement, (head.id,))
        self._counts[head.status._value_] -= 1

    def take(self, before: Head, step: Step) -> Head:
        """Write down what became of a task, and of those that wait for it."""
        head = self._write(before, step)
        ended = [head] if head.status.ended else []
        while ended:
            ended += self._tell_waiting(ended.pop())
        return head

    def _tell_waiting(self, over: Head) -> list[Head]:
        """Tell the tasks that wait for one that has ended; return those that end by that."""
        if not self._counts[NEEDS]:
            return []
        waiting = self.cursor.execute(rows.WAITING_FOR, (over.id,)).fetchall()
        if not waiting:
            return []
        self.cursor.execute("DELETE FROM need WHERE needed = ?", (over.id,))
        self._counts[NEEDS] -= self.cursor.rowcount
        heads = (self.head(task_id) for (task_id,) in waiting)
        told = [
            self._write(head, rules.other_ended(head, over.id, over.status, self.now))
            for head in heads
            if head and head.status is Status.QUEUED
        ]
        return [head for head in told if head.status.ended]

    def _write(self, before: Head, step: Step) -> Head:
        head = step.head
        if step.over:
            self.cursor.execute(rows.INSERT_ATTEMPT, rows.attempt_values(head.id, step.over))
            if head.status.ended:
                head = replace(head, ending=self.cursor.lastrowid)
        self.cursor.execute(rows.SAVE_HEAD, rows.moving(head))
        if head.status is Status.LEASED:
            self._held[head.id] = head
        elif before.status is Status.LEASED:
            self._held.pop(head.id, None)
        self._counts[before.status._value_] -= 1
        worker = step.over.worker_id if step.over else head.worker_id
        self._note(step.kind, head, worker, was_ready=before.ready)
        return head

    def _note(self, kind: str, head: Head, worker: str | None, *, was_ready: bool) -> None:
        self._counts[head.status._value_] += 1
        if head.ready and not was_ready:
            self.outcome.ready[head.backend, head.tags] += 1
        if kind != "renewed":
            event = Event(
                kind=kind,
                task_id=head.id,
                status=head.status,
                at=self.now,
                worker_id=worker or None,
            )
            self.outcome.events.append(event)


def _earliest(instants: tuple[float | None, ...]) -> float | None:
    return min((at for at in instants if at is not None), default=None)
