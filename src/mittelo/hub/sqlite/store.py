"""The store in one file: changes by one connection, reads by another that never waits for it."""

import sqlite3
import threading
import time
import traceback
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from mittelo.core.requests import Code, Counted, Counts, Listed, Refusal, Task
from mittelo.core.tasks import Status
from mittelo.hub.changes import carry_out
from mittelo.hub.rows import attempt_of, shown_task
from mittelo.hub.sqlite import rows
from mittelo.hub.sqlite.file import MEMORY, connect, connect_to_read, in_words, own, trouble
from mittelo.hub.sqlite.ledger import Ledger, Memory, read_books
from mittelo.hub.store import PAGE_BYTES, PAGE_TASKS, Call, Heard, Outcome
from mittelo.log import warn

LAST_POSSIBLE = 2**62


class SqliteStore:
    """A durable queue in one file, or in memory for tests and trials."""

    BLOCKS_BRIEFLY = True

    def __init__(self, path: str, lease_seconds: float = 60.0) -> None:
        self.path = path
        self._lease_seconds = lease_seconds
        self._lock = own(path)
        try:
            self._writer = connect(path)
            self._reader = self._writer if path == MEMORY else connect_to_read(path)
            self._cursor = self._writer.cursor()
            with in_words(path):
                self._books = read_books(self._cursor)
        except BaseException:
            self._release()
            raise
        self._memory = Memory()
        self._writing = threading.RLock()
        self._reading = self._writing if path == MEMORY else threading.RLock()

    def apply(self, batch: Sequence[Call], now: float) -> Outcome:
        """Carry out calls in one transaction; one that fails is refused by itself."""
        with self._writing:
            try:
                return self._transact(lambda ledger: _all(ledger, batch), now)
            except Exception as error:  # one call must not sink the others
                if not batch or _is_damage(error):
                    raise self._trouble(error) from error
            whole = Outcome([])
            for call in batch:
                whole.join(self._apply_alone(call, now))
            return whole

    def _apply_alone(self, call: Call, now: float) -> Outcome:
        try:
            return self._transact(lambda ledger: _all(ledger, [call]), now)
        except Exception as error:  # noqa: BLE001 - its asker is told, and the hub goes on
            return Outcome([self._refusal(error)])

    def _transact(self, work: Callable[[Ledger], None], now: float) -> Outcome:
        """Do all of it durably, or nothing."""
        self._cursor.execute("BEGIN IMMEDIATE")
        try:
            ledger = Ledger(self._cursor, self._books, self._memory, now, self._lease_seconds)
            work(ledger)
            books = ledger.close()
            self._cursor.execute("COMMIT")
        except BaseException:
            self._memory.forget()
            if self._writer.in_transaction:
                self._cursor.execute("ROLLBACK")
            raise
        self._books = books
        return ledger.outcome

    def _refusal(self, error: Exception) -> Refusal:
        if isinstance(error, sqlite3.DatabaseError) and not _is_our_fault(error):
            said = trouble(self.path, error)
            return Refusal(f"{said.what} {said.todo}".strip(), Code.UNAVAILABLE)
        warn("".join(traceback.format_exception(error)))
        return Refusal("The hub failed at this; its log tells how.", Code.INTERNAL)

    def _trouble(self, error: Exception) -> Exception:
        if isinstance(error, sqlite3.DatabaseError) and not _is_our_fault(error):
            return trouble(self.path, error)
        return error

    def next_due(self) -> float | None:
        """Return when the next lease expires or task falls due."""
        return self._books.next_due

    def recover(self, now: float, grace: float) -> Outcome:
        """Let leases that nobody could renew live on for so many seconds at least."""
        with self._writing, in_words(self.path):
            return self._transact(lambda ledger: ledger.prolong(grace), now)

    def clock(self) -> float:
        """Return the time by which leases end: that of this machine."""
        return time.time()

    def listen(self, hear: Callable[[Heard], None], last: Callable[[], int]) -> None:
        """Do nothing: nobody else changes the file."""

    def counted(self, now: float) -> Counted:
        """Count the tasks."""
        with self._reading, in_words(self.path):
            counts = dict(self._reader.execute("SELECT name, n FROM counter").fetchall())
            oldest = self._reader.execute(rows.OLDEST_QUEUED).fetchone()
            paused = self._reader.execute("SELECT backend FROM paused").fetchall()
        by_status = {str(status): counts[status] for status in Status}
        age = max(0.0, now - oldest[0]) if oldest else None
        totals = Counts(**by_status, total=sum(by_status.values()), oldest_queued_seconds=age)
        return Counted(totals, [name for (name,) in paused])

    def page(self, status: Status | None, before: int | None, limit: int, *, brief: bool) -> Listed:
        """Return a page of tasks, newest first, and where the next begins."""
        statement = rows.page(status, brief=brief)
        values = (before or LAST_POSSIBLE,)
        most = min(limit, PAGE_TASKS)
        tasks: list[Task] = []
        with self._reading, in_words(self.path):
            size = 0
            for row in self._reader.execute(f"{statement} LIMIT {most:d}", values):
                tasks.append(shown_task(row))
                size += len(tasks[-1].prompt) + len(tasks[-1].result or "")
                if size >= PAGE_BYTES:
                    break
        more = len(tasks) == most or size >= PAGE_BYTES
        return Listed(tasks, self.counted(time.time()).stats, tasks[-1].task_id if more else None)

    def task(self, task_id: int) -> Task | None:
        """Return all of one task with its attempts."""
        with self._reading, in_words(self.path):
            row = self._reader.execute(rows.SHOW, (task_id,)).fetchone()
            if row is None:
                return None
            found = self._reader.execute(rows.ATTEMPTS, (task_id,)).fetchall()
        task = shown_task(row)
        attempts = (attempt_of(attempt) for attempt in found)
        task.attempts = [replace(made, lease_id=None) for made in attempts]
        return task

    def close(self) -> None:
        """Put everything in place and let go of it."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()
        self._release()

    def _release(self) -> None:
        if self._lock:
            self._lock.release()


def _all(ledger: Ledger, batch: Sequence[Call]) -> None:
    ledger.sweep()
    ledger.outcome.answers.extend(carry_out(ledger, call) for call in batch)


def _is_damage(error: Exception) -> bool:
    return isinstance(error, sqlite3.DatabaseError) and trouble("", error).damaged


def _is_our_fault(error: sqlite3.DatabaseError) -> bool:
    return isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError)
