"""The store in a PostgreSQL database: as many hubs as are wanted, each task to one of them.

Changes go over one connection, reads over another, word of other hubs over a third.
"""

import contextlib
import random
import secrets
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from msgspec import Struct
from msgspec.structs import replace
from psycopg import Connection

from mittelo.core.requests import Ack, Code, Counted, Counts, Listed, Refusal, Task
from mittelo.core.tasks import Status
from mittelo.hub.changes import carry_out
from mittelo.hub.postgres import rows
from mittelo.hub.postgres.address import Address
from mittelo.hub.postgres.bell import Bell
from mittelo.hub.postgres.clock import DatabaseClock
from mittelo.hub.postgres.ledger import Ledger
from mittelo.hub.postgres.link import Link
from mittelo.hub.postgres.numbers import Numbers
from mittelo.hub.postgres.schema import enter, prepare
from mittelo.hub.postgres.trips import Statement, Trips
from mittelo.hub.postgres.wants import wants_of
from mittelo.hub.rows import attempt_of, shown_task
from mittelo.hub.store import PAGE_BYTES, PAGE_TASKS, Call, Caller, Heard, Kind, Outcome, StoreError
from mittelo.log import warn

LAST_POSSIBLE = 2**62
TRIES = 10
"""So often a transaction is tried that got in the way of another hub's."""

END_SECONDS = 10.0
"""So long the end of a broken connection's transaction is waited for."""

_IN_THE_WAY = {"40001", "40P01"}
_ONE_CALL = {"55P03", "57014"}
"""A lock or a statement took too long: perhaps one call's alone."""

_OURS_NO_MORE = {"42501", "42P01"}
"""The tables, or our rights to them, are gone."""

_DEDUPE = "task_dedupe"
_COMMIT = Statement("COMMIT")
_ROLLBACK = Statement("ROLLBACK")
_NEXT_DUE = Statement(rows.NEXT_DUE)


class _Doubt(Struct):
    """A transaction whose commit was asked for and not answered, by one of our connections.

    `told`: those who asked for it were told that the database is away.
    """

    marker: int
    backend: tuple[Any, ...]
    outcome: Outcome
    leased: dict[int, str]
    told: bool = False


class PostgresStore:
    """A durable queue that hubs share. Its database keeps the time."""

    def __init__(self, url: str, lease_seconds: float = 60.0) -> None:
        self.address = Address(url)
        self.hub = secrets.token_hex(8)
        self._lease_seconds = lease_seconds
        self._clock = DatabaseClock()
        self._numbers = Numbers()
        self._marker = 0
        self._backend: tuple[Any, ...] = ()
        self._doubt: _Doubt | None = None
        self._unheard: list[Call] = []
        self._due: float | None = 0.0
        self._grace = 0.0
        self._prolong = False
        self._bell: Bell | None = None
        self._writing = threading.RLock()
        self._reading = threading.RLock()
        self._trips: Trips
        self._writer = Link(self.address, self._on_connect)
        self._reader = Link(self.address, _read_with_new_plans)
        self._writer.connection()

    def _on_connect(self, connection: Connection) -> None:
        """Make sure of our tables; the server may be another one now, or may have crashed."""
        prepare(connection, self.address.name)
        self._clock.compare(connection)
        enter(connection, self.hub, self._clock.now())
        self._numbers.forget()
        self._backend = connection.execute(rows.BACKEND).fetchone() or ()
        self._trips = Trips(connection)
        self._due = 0.0
        self._prolong = self._grace > 0

    # Changes

    def clock(self) -> float:
        """Return the time that counts: the database's."""
        return self._clock.now()

    def apply(self, batch: Sequence[Call], now: float) -> Outcome:
        """Carry out calls in one transaction; one that fails is refused by itself."""
        with self._writing:
            try:
                return self._transact(batch, now)
            except StoreError:
                raise
            except Exception as error:  # one call must not sink the others
                if not batch:
                    raise self._trouble(error) from error
            whole = Outcome([])
            for call in batch:
                whole.join(self._apply_alone(call, now))
            return whole

    def _apply_alone(self, call: Call, now: float) -> Outcome:
        try:
            return self._transact([call], now)
        except psycopg.OperationalError as error:
            return Outcome([_unavailable(self.address.trouble(error))])
        except StoreError as error:
            return Outcome([_unavailable(error)])
        except Exception as error:  # noqa: BLE001 - its asker is told, and the hub goes on
            warn("".join(traceback.format_exception(error)))
            return Outcome([Refusal("The hub failed at this; its log tells how.", Code.INTERNAL)])

    def _transact(self, batch: Sequence[Call], now: float) -> Outcome:
        """Do all of it durably, or nothing; try again what failed for no fault of its own."""
        if self._doubt:
            self._doubt.told = True
        began = time.monotonic()
        error: psycopg.Error | None = None
        for number in range(TRIES):
            connection = self._writer.connection()
            try:
                if done := self._settle(connection):
                    return done
                return self._try(connection, batch, now + (time.monotonic() - began) * bool(number))
            except psycopg.Error as failed:
                error = failed
                if not (connection.closed or _is_in_the_way(error)):
                    if _is_environment(error):
                        break
                    raise
            time.sleep(random.uniform(0, 0.01 * number))  # noqa: S311 - two hubs must not keep step
        raise self._trouble(error or RuntimeError()) from error

    def _try(self, connection: Connection, batch: Sequence[Call], now: float) -> Outcome:
        ledger = Ledger(self._trips, self._numbers, now, self._lease_seconds)
        calls = [*self._unheard, *batch]
        is_due = self._due is not None and self._due <= now
        try:
            ledger.begin(wants_of(calls))
            if self._prolong:
                ledger.prolong(self._grace)
            if is_due:
                ledger.sweep()
            ledger.outcome.answers.extend(carry_out(ledger, call) for call in calls)
            due = self._commit(ledger, find_due=is_due or self._prolong)
        except BaseException:
            self._undo(connection)
            raise
        self._numbers.keep()
        self._due = due
        self._prolong = False
        outcome = ledger.outcome
        del outcome.answers[: len(self._unheard)]
        self._unheard = []
        if ledger.has_changes:
            self._ring(outcome.ready + ledger.left(), look=outcome.resumed)
        return outcome

    def _commit(self, ledger: Ledger, *, find_due: bool) -> float | None:
        """Write everything and commit, in one trip. Return when something is due."""
        statements = ledger.to_write()
        if find_due:
            statements.append(_NEXT_DUE)
        if ledger.has_changes:
            self._marker += 1
            statements.append(ledger.to_write_last(self._marker, self.hub))
            self._doubt = _Doubt(self._marker, self._backend, ledger.outcome, ledger.leased)
        *_, last, _ = found = [[], *self._trips.make([*statements, _COMMIT])]
        self._doubt = None
        if ledger.has_changes:
            _number(ledger.outcome, last[0][0])
        if find_due:
            ((due,),) = found[statements.index(_NEXT_DUE) + 1]
            return None if due is None else float(due)
        return min((at for at in (self._due, ledger.due) if at is not None), default=None)

    def _undo(self, connection: Connection) -> None:
        if connection.closed:
            return  # if the commit was under way, `_doubt` tells; else nothing is on record
        self._doubt = None
        self._numbers.put_back()
        with contextlib.suppress(psycopg.Error):
            self._trips.make([_ROLLBACK])

    def _settle(self, connection: Connection) -> Outcome | None:
        """Find out whether a commit happened that was not answered; return what came of it then.

        If its askers were told that it failed already, they know of no lease that it gave: those
        are given back.
        """
        doubt = self._doubt
        if doubt is None:
            return None
        self._wait_for_end(connection, doubt.backend)
        row = connection.execute(rows.MARKER, (self.hub,)).fetchone()
        self._doubt = None
        if row is None or row[0] != doubt.marker:
            return None
        if doubt.told:
            self._unheard = [
                Call(Ack(task_id=task_id, status="released", lease_id=lease_id), Caller(0))
                for task_id, lease_id in doubt.leased.items()
            ]
            return None
        _number(doubt.outcome, row[1])
        self._ring(doubt.outcome.ready)
        return doubt.outcome

    def _wait_for_end(self, connection: Connection, backend: tuple[Any, ...]) -> None:
        """End the server's side of a broken connection: it may be busy with our commit still."""
        deadline = time.monotonic() + END_SECONDS
        while connection.execute(rows.END_BACKEND, backend).fetchone():
            if time.monotonic() > deadline:
                raise StoreError(
                    f"{self.address.name} is still busy with what was asked before.",
                    "Try again in a while.",
                )
            time.sleep(0.02)

    def _trouble(self, error: Exception) -> Exception:
        return self.address.trouble(error) if isinstance(error, psycopg.Error) else error

    def next_due(self) -> float | None:
        """Return when the next lease expires or task falls due, as far as is known."""
        return self._due

    def recover(self, now: float, grace: float) -> Outcome:
        """Let leases live on for so many seconds, after restarts of the database, too."""
        with self._writing:
            self._grace = max(self._grace, grace)
            self._prolong = grace > 0
            return self._transact([], now)

    # Other hubs

    def listen(self, hear: Callable[[Heard], None], last: Callable[[], int]) -> None:
        """Hear of what other hubs do, and let them hear of us."""
        self._bell = Bell(
            self.address, self.hub, self._clock, hear=hear, last=last, remind=self._remind
        )
        self._bell.start()

    def _ring(self, ready: Counter[Kind], *, look: bool = False) -> None:
        if self._bell:
            self._bell.ring(ready, look=look)

    def _remind(self, at: float) -> None:
        due = self._due
        if due is None or at < due:
            self._due = at

    # Reads

    def counted(self, now: float) -> Counted:
        """Count the tasks."""
        ((*counts, oldest, paused),) = self._read(rows.OVERVIEW)
        age = None if oldest is None else max(0.0, now - oldest)
        by_status = dict(zip(map(str, Status), counts, strict=True))
        totals = Counts(**by_status, total=sum(counts), oldest_queued_seconds=age)
        return Counted(totals, paused)

    def page(self, status: Status | None, before: int | None, limit: int, *, brief: bool) -> Listed:
        """Return a page of tasks, newest first, and where the next begins."""
        below = before or LAST_POSSIBLE
        where = [str(status), below, str(status)] if status else [below]
        most = min(limit, PAGE_TASKS)
        statement = rows.page(by_status=status is not None, brief=brief)
        found = self._read(statement, *where, most, PAGE_BYTES)
        tasks = [shown_task(rows.bared_row(row[1:])) for row in found]
        more = bool(found) and (found[0][0] == most or len(found) < found[0][0])
        stats = self.counted(self._clock.now()).stats
        return Listed(tasks, stats, tasks[-1].task_id if more else None)

    def task(self, task_id: int) -> Task | None:
        """Return all of one task with its attempts."""
        found = self._read(rows.SHOW, task_id)
        if not found:
            return None
        task = shown_task(rows.bared_row(found[0]))
        made = [attempt_of(rows.bared_attempt(row)) for row in self._read(rows.ATTEMPTS, task_id)]
        task.attempts = [replace(attempt, lease_id=None) for attempt in made]
        return task

    def _read(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return what a statement finds; ask again if the connection broke under it."""
        with self._reading:
            for _ in range(TRIES):
                connection = self._reader.connection()
                try:
                    return connection.execute(statement, values).fetchall()
                except psycopg.Error as error:
                    if not connection.closed:
                        raise self._trouble(error) from error
            raise StoreError(f"{self.address.name} breaks off again and again.", "Look at its log.")

    def close(self) -> None:
        """Put everything in place and let go of it."""
        if self._bell:
            self._bell.close()
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()


def _read_with_new_plans(connection: Connection) -> None:
    """Let lists be planned each time: their joins depend on how much there is."""
    connection.execute("SET plan_cache_mode = force_custom_plan")


def _unavailable(error: StoreError) -> Refusal:
    return Refusal(f"{error.what} {error.todo}".strip(), Code.UNAVAILABLE)


def _number(outcome: Outcome, last: int) -> None:
    """Give events the numbers that the database gave them, of which this is the last."""
    for number, event in enumerate(outcome.events, last - len(outcome.events) + 1):
        event.number = number


def _is_in_the_way(error: psycopg.Error) -> bool:
    """Tell whether another hub was faster: then it goes well the next time."""
    if error.sqlstate == "23505":
        return error.diag.constraint_name == _DEDUPE
    return error.sqlstate in _IN_THE_WAY


def _is_environment(error: psycopg.Error) -> bool:
    """Tell whether any call would fail like this one."""
    if error.sqlstate in _ONE_CALL:
        return False
    kinds = (psycopg.OperationalError, psycopg.InternalError, psycopg.InterfaceError)
    return isinstance(error, kinds) or error.sqlstate in _OURS_NO_MORE
