"""One transaction on the tasks: read them, write down what became of them, keep the counters.

The one process that owns the file remembers what it will need next: the leased tasks and the first
of those that are ready. What becomes of tasks is written down at the end of the transaction, or
when something is looked up that it may change, each task once and those alike together.
"""

import heapq
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from mittelo.core import tasks as rules
from mittelo.core.requests import Event
from mittelo.core.tasks import Attempt, Head, Status, Step
from mittelo.hub.changes import Body
from mittelo.hub.rows import Row, attempt_of, head_of
from mittelo.hub.sqlite import rows
from mittelo.hub.sqlite.picking import pick_tagged
from mittelo.hub.sqlite.rows import Writing
from mittelo.hub.sqlite.schema import LAST_ID, NEEDS
from mittelo.hub.sqlite.shelves import Found, Rank, Shelf, rank_of
from mittelo.hub.store import SWEEP_AT_ONCE, Outcome

_LEASED = Status.LEASED
AT_ONCE = 256
FILL_CHARACTERS = 1024 * 1024
"""A shelf is filled with so many tasks at most, or until their prompts pass so many characters."""

MOST_SHELVES = 1000
"""So many backends are remembered at most; anybody may name one."""

_NEXT_DUE = (
    "SELECT (SELECT min(leased_until) FROM task INDEXED BY task_leased WHERE status = 'leased'),"
    " (SELECT min(not_before) FROM task INDEXED BY task_waiting"
    " WHERE status = 'queued' AND not_before IS NOT NULL)"
)


class Books(Struct, frozen=True):
    """What is known of the file without looking. `tagged` counts the ready tasks with tags."""

    counts: dict[str, int]
    paused: frozenset[str]
    tagged: int
    next_due: float | None


def read_books(cursor: sqlite3.Cursor) -> Books:
    """Return the books of a file that was just opened."""
    counts = dict(cursor.execute("SELECT name, n FROM counter").fetchall())
    paused = cursor.execute("SELECT backend FROM paused").fetchall()
    (tagged,) = cursor.execute(rows.COUNT_TAGGED).fetchone()
    due = cursor.execute(_NEXT_DUE).fetchone()
    return Books(counts, frozenset(name for (name,) in paused), tagged, _earliest(due))


class Memory(Struct):
    """Tasks as they lie in the file: those leased, and the first ready ones of each backend.

    It is only ever ahead of the file within a transaction; when that fails, it is emptied.
    """

    held: dict[int, Head] = field(default_factory=dict)
    shelves: dict[str, Shelf] = field(default_factory=dict)

    def forget(self) -> None:
        """Know nothing; everything is looked up again."""
        self.held.clear()
        self.shelves.clear()


class Ledger:
    """The tasks as one transaction sees and changes them."""

    def __init__(
        self,
        cursor: sqlite3.Cursor,
        books: Books,
        memory: Memory,
        now: float,
        lease_seconds: float,
    ) -> None:
        self.now = now
        self.lease_seconds = lease_seconds
        self.salt = os.urandom(8).hex()
        self.outcome = Outcome([])
        self.paused = books.paused
        self._cursor = cursor
        self._books = books
        self._memory = memory
        self._counts = dict(books.counts)
        self._tagged = books.tagged
        self._changed: dict[int, tuple[Writing, Head]] = {}
        self._bodies: list[Row] = []
        self._attempts: list[Row] = []

    def close(self) -> Books:
        """Write down what is left; return the books as they are once this is durable."""
        self._write_down()
        was = self._books.counts
        changed = [(n, name) for name, n in self._counts.items() if n != was[name]]
        if changed:
            self._cursor.executemany("UPDATE counter SET n = ? WHERE name = ?", changed)
        if len(self._memory.shelves) > MOST_SHELVES:
            self._memory.shelves.clear()
        due = self._cursor.execute(_NEXT_DUE).fetchone()
        return Books(self._counts, self.paused, self._tagged, _earliest(due))

    def sweep(self) -> None:
        """Let leases expire whose time is over, and tasks go whose time has come."""
        if self._books.next_due is None or self._books.next_due > self.now:
            return
        for head in self._heads(rows.HEADS_EXPIRED, self.now, SWEEP_AT_ONCE):
            self.take(head, rules.expire(head, self.now))
        for head in self._heads(rows.HEADS_DUE, self.now, SWEEP_AT_ONCE):
            self.take(head, rules.due(head, self.now))

    def prolong(self, seconds: float) -> None:
        """Let all leases live on for so long at least."""
        for head in self._heads(rows.HEADS_LEASED):
            self._change(head, rules.keep_after_restart(head, self.now, seconds))

    # Reading

    def head(self, task_id: int) -> Head | None:
        """Return one task."""
        if changed := self._changed.get(task_id):
            return changed[1]
        if held := self._memory.held.get(task_id):
            return held
        row = self._cursor.execute(rows.HEAD, (task_id,)).fetchone()
        return head_of(row) if row else None

    def status(self, task_id: int) -> Status | None:
        """Return where a task stands; None when there is no such task."""
        if changed := self._changed.get(task_id):
            return changed[1].status
        row = self._cursor.execute(rows.STATUS, (task_id,)).fetchone()
        return Status(row[0]) if row else None

    def with_key(self, key: str) -> int | None:
        """Return the task that has a dedupe key."""
        row = self._look_up(rows.WITH_KEY, key).fetchone()
        return int(row[0]) if row else None

    def needs(self, task_id: int) -> list[int]:
        """Return what a task was enqueued to run after."""
        _, after, _ = self._body(task_id)
        return msgspec.json.decode(after, type=list[int]) if after else []

    def attempt(self, task_id: int, lease_id: str | None) -> Attempt | None:
        """Return how a lease ended, if it has."""
        row = self._look_up(rows.ATTEMPT_OF_LEASE, task_id, lease_id).fetchone()
        return attempt_of(row) if row else None

    def failed(self, limit: int) -> list[Head]:
        """Return the first failed tasks."""
        return self._heads(rows.HEADS_FAILED, limit)

    def ended_before(self, instant: float, limit: int) -> list[Head]:
        """Return tasks that ended until then, the longest ago first."""
        return self._heads(rows.HEADS_ENDED_BEFORE, instant, limit)

    def _heads(self, statement: str, *values: object) -> list[Head]:
        return [head_of(row) for row in self._look_up(statement, *values).fetchall()]

    def _body(self, task_id: int) -> Body:
        body: Body = self._look_up(rows.BODY, task_id).fetchone()
        return body

    def _look_up(self, statement: str, *values: object) -> sqlite3.Cursor:
        """Look into the file, once everything up to now is written down there."""
        self._write_down()
        return self._cursor.execute(statement, values)

    # Picking

    def pick(
        self, backends: Sequence[str], tags: Sequence[str] | None, limit: int
    ) -> Iterator[tuple[Head, Body]]:
        """Yield ready tasks of these backends that suit these tags, the first in order first.

        Whoever asks for the next one has leased the one before.
        """
        tagged = self._pick_tagged(backends, tags, limit)
        for _ in range(limit):
            found = self._first(backends)
            if tagged and (found is None or tagged[0] < found[0]):
                _, task_id = heapq.heappop(tagged)
                row = self._cursor.execute(rows.HEAD_AND_BODY, (task_id,)).fetchone()
                yield head_of(row), row[-3:]
            elif found:
                _, head, body = found
                yield head, body or self._body(head.id)
            else:
                return

    def _pick_tagged(
        self, backends: Sequence[str], tags: Sequence[str] | None, limit: int
    ) -> list[Rank]:
        """Return those with tags, in order; mostly there are none."""
        if not self._tagged or not (tags or tags is None):
            return []
        self._write_down()
        return pick_tagged(self._cursor, backends, tags, limit)

    def _first(self, backends: Sequence[str]) -> Found | None:
        """Return what goes next of the tasks without tags."""
        first: Found | None = None
        for backend in backends:
            shelf = self._memory.shelves.get(backend) or self._fill(backend)
            if shelf.is_used_up:
                shelf = self._fill(backend)
            found = shelf.first()
            if found and (first is None or found[0] < first[0]):
                first = found
        return first

    def _fill(self, backend: str) -> Shelf:
        """Put up the next tasks of a backend."""
        found: list[Found] = []
        characters = 0
        for row in self._look_up(rows.NEXT_PLAIN, backend, AT_ONCE):
            head = head_of(row)
            found.append((rank_of(head), head, row[-3:]))
            characters += len(row[-3])
            if characters > FILL_CHARACTERS:
                break
        is_all = len(found) < AT_ONCE and characters <= FILL_CHARACTERS
        shelf = self._memory.shelves[backend] = Shelf(found, is_all=is_all)
        return shelf

    # Writing

    def next_id(self) -> int:
        """Return the id of a new task; none is ever used again."""
        self._counts[LAST_ID] += 1
        return self._counts[LAST_ID]

    def add(self, head: Head, body: Body) -> None:
        """Put a new task on record."""
        self._changed[head.id] = rows.NEW, head
        self._bodies.append((head.id, *body))
        if head.ready:
            self._put_up(head, body)
        self._note("enqueued", head, None)

    def wait_for(self, task_id: int, needs: Sequence[int]) -> None:
        """Let a task wait for others."""
        if needs:
            pairs = [(needed, task_id) for needed in needs]
            self._cursor.executemany("INSERT OR IGNORE INTO need VALUES (?, ?)", pairs)
            self._counts[NEEDS] += self._cursor.rowcount

    def pause(self, backend: str) -> None:
        """Hand out no more tasks for a backend, "" for all."""
        self._cursor.execute("INSERT OR IGNORE INTO paused VALUES (?)", (backend,))
        self.paused |= {backend}

    def resume(self, backend: str) -> None:
        """Hand out tasks for a backend again; "" ends every pause."""
        self._cursor.execute("DELETE FROM paused WHERE ? IN ('', backend)", (backend,))
        self.paused = self.paused - {backend} if backend else frozenset()
        self.outcome.resumed = True

    def forget(self, head: Head) -> None:
        """Take a task off the record."""
        for statement in rows.FORGET:
            self._look_up(statement, head.id)
        self._counts[head.status._value_] -= 1

    def take(self, before: Head, step: Step) -> Head:
        """Write down what became of a task, and of those that wait for it."""
        head = self._take_one(before, step)
        if self._counts[NEEDS]:
            ended = [head] if head.status.ended else []
            while ended:
                ended += self._tell_waiting(ended.pop())
        return head

    def _tell_waiting(self, over: Head) -> list[Head]:
        """Tell the tasks that wait for one that has ended; return those that end by that."""
        waiting = self._cursor.execute(rows.WAITING_FOR, (over.id,)).fetchall()
        if not waiting:
            return []
        self._cursor.execute("DELETE FROM need WHERE needed = ?", (over.id,))
        self._counts[NEEDS] -= self._cursor.rowcount
        heads = (self.head(task_id) for (task_id,) in waiting)
        told = [
            self._take_one(head, rules.other_ended(head, over.id, over.status, self.now))
            for head in heads
            if head and head.status is Status.QUEUED
        ]
        return [head for head in told if head.status.ended]

    def _take_one(self, before: Head, step: Step) -> Head:
        head, over = step.head, step.over
        if over:
            self._attempts.append(rows.attempt_values(head.id, over))
            if head.status.ended:
                head = replace(head, ending=over.number)
        self._change(before, head)
        self._counts[before.status._value_] -= 1
        worker = over.worker_id if over else head.worker_id
        self._note(step.kind, head, worker)
        return head

    def _change(self, before: Head, head: Head) -> None:
        """Remember what a task is now, and that it is to be written down."""
        self._changed[head.id] = self._writing(before, head), head
        was_ready, is_ready = before.ready, head.ready
        if was_ready and not is_ready:
            self._take_off(before)
        elif is_ready and not was_ready:
            self._put_up(head, None)
        if head.status is _LEASED:
            self._memory.held[head.id] = head
        elif before.status is _LEASED:
            self._memory.held.pop(head.id, None)

    def _writing(self, before: Head, head: Head) -> Writing:
        """Choose how to write a task down that may have changed before in this transaction."""
        if changed := self._changed.get(head.id):
            return rows.ANEW if changed[0].is_insert else rows.ANY
        if head.status is _LEASED:
            return rows.LEASED
        return rows.ENDED if head.status.ended and not before.status.ended else rows.ANY

    def _put_up(self, head: Head, body: Body | None) -> None:
        self.outcome.ready[head.backend, head.tags] += 1
        if head.tags:
            self._tagged += 1
        elif shelf := self._memory.shelves.get(head.backend):
            shelf.put(head, body)

    def _take_off(self, head: Head) -> None:
        if head.tags:
            self._tagged -= 1
        elif shelf := self._memory.shelves.get(head.backend):
            shelf.pull(head)

    def _note(self, kind: str, head: Head, worker: str | None) -> None:
        self._counts[head.status._value_] += 1
        if kind != "renewed":
            event = Event(
                kind=kind,
                task_id=head.id,
                status=head.status,
                at=self.now,
                worker_id=worker or None,
            )
            self.outcome.events.append(event)

    def _write_down(self) -> None:
        """Write what has changed, those alike together."""
        if not self._changed:
            return
        alike: defaultdict[Writing, list[Row]] = defaultdict(list)
        for writing, head in self._changed.values():
            alike[writing].append(writing.values(head))
        self._changed.clear()
        for writing, values in alike.items():
            self._cursor.executemany(writing.statement, values)
        if self._bodies:
            self._cursor.executemany(rows.INSERT_BODY, self._bodies)
            self._bodies.clear()
        if self._attempts:
            self._cursor.executemany(rows.INSERT_ATTEMPT, self._attempts)
            self._attempts.clear()


def _earliest(instants: tuple[float | None, ...]) -> float | None:
    return min((at for at in instants if at is not None), default=None)
