"""The tables of a hub's SQLite file, and how older files come to have them."""

import math
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime

from mittelo.core.tasks import Status
from mittelo.hub.store import StoreError

VERSION = 2
APPLICATION = 0x4D49_5445
"""What marks a file as ours: MITE."""

TABLES = """
CREATE TABLE task (
  id INTEGER PRIMARY KEY,
  status TEXT NOT NULL,
  priority INTEGER NOT NULL,
  backend TEXT NOT NULL,
  tags TEXT NOT NULL,
  created_at REAL NOT NULL,
  updated_at REAL NOT NULL,
  not_before REAL,
  blocked INTEGER NOT NULL,
  max_attempts INTEGER NOT NULL,
  timeout_seconds REAL,
  owner TEXT NOT NULL,
  dedupe_key TEXT,
  spent INTEGER NOT NULL DEFAULT 0,
  leases INTEGER NOT NULL DEFAULT 0,
  lease_id TEXT,
  worker_id TEXT,
  connection INTEGER NOT NULL DEFAULT 0,
  leased_at REAL,
  leased_until REAL,
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  note TEXT,
  ending INTEGER,
  has_ended INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE body (
  task_id INTEGER PRIMARY KEY,
  prompt TEXT NOT NULL,
  after TEXT,
  meta TEXT
) STRICT;
CREATE TABLE attempt (
  task_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  lease_id TEXT,
  worker_id TEXT NOT NULL,
  began REAL NOT NULL,
  ended REAL NOT NULL,
  how TEXT NOT NULL,
  result TEXT,
  error TEXT,
  category TEXT,
  usage TEXT,
  PRIMARY KEY (task_id, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE need (
  needed INTEGER NOT NULL,
  task_id INTEGER NOT NULL,
  PRIMARY KEY (needed, task_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE paused (backend TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE counter (name TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX task_ready ON task (backend, priority DESC, id)
  WHERE status = 'queued' AND blocked = 0 AND not_before IS NULL AND tags = '';
CREATE INDEX task_ready_tagged ON task (backend, priority DESC, id)
  WHERE status = 'queued' AND blocked = 0 AND not_before IS NULL AND tags <> '';
CREATE INDEX task_ready_by_tags ON task (backend, tags, priority DESC, id)
  WHERE status = 'queued' AND blocked = 0 AND not_before IS NULL AND tags <> '';
CREATE INDEX task_leased ON task (leased_until) WHERE status = 'leased';
CREATE INDEX task_waiting ON task (not_before) WHERE status = 'queued' AND not_before IS NOT NULL;
CREATE INDEX task_open ON task (id) WHERE has_ended = 0;
CREATE INDEX task_ended ON task (status, id) WHERE has_ended = 1;
CREATE INDEX task_ended_at ON task (updated_at) WHERE has_ended = 1;
CREATE UNIQUE INDEX task_dedupe ON task (dedupe_key) WHERE dedupe_key IS NOT NULL;
"""
# `has_ended` stays as it is when a task is leased, so that its index need not be touched then.
LAST_ID = "last_id"
NEEDS = "needs"
"""Beside a counter for each status: the last id given, and how many rows `need` has."""
OLD_TABLE = "tasks"


def prepare(connection: sqlite3.Connection, path: str) -> None:
    """Give a file our tables: a new one, an older one, or one of the first implementation."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        _prepare(connection, path)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    tables = {name for (name,) in connection.execute(_TABLE_NAMES)}
    if application == APPLICATION and version > VERSION:
        raise StoreError(
            f"{path} was written by a newer mittelo (schema {version}, this one knows {VERSION}).",
            "Update mittelo, or name another file with --db.",
        )
    if application == APPLICATION and version == VERSION:
        return
    if application == APPLICATION and version == 1:
        _renew(connection)
        return
    if application or version or tables - {OLD_TABLE, "sqlite_sequence"}:
        raise StoreError(
            f"{path} is a database of another program.", "Name another file with --db."
        )
    _create(connection)
    if OLD_TABLE in tables:
        _take_over(connection)


_TABLE_NAMES = "SELECT name FROM sqlite_master WHERE type = 'table'"


def _create(connection: sqlite3.Connection) -> None:
    for statement in filter(None, map(str.strip, TABLES.split(";"))):
        connection.execute(statement)
    names = [(name, 0) for name in (*Status, LAST_ID, NEEDS)]
    connection.executemany("INSERT INTO counter (name, n) VALUES (?, ?)", names)
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute(f"PRAGMA application_id = {APPLICATION}")


def _renew(connection: sqlite3.Connection) -> None:
    """Take the tasks over from the tables of version 1."""
    old = connection.execute("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE%INDEX%'")
    for (name,) in old.fetchall():
        connection.execute(f"DROP INDEX {name}")
    kept = ("task", "body", "attempt", "need", "paused")
    for table in (*kept, "counter"):
        connection.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    _create(connection)
    for table in kept:
        names = [row[1] for row in connection.execute(f"PRAGMA table_info(old_{table})")]
        columns = ", ".join(name for name in names if table != "attempt" or name != "id")
        connection.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM old_{table}")  # noqa: S608
    connection.execute(
        "UPDATE task SET has_ended = status < 'leased',"
        " ending = (SELECT number FROM old_attempt a WHERE a.id = ending)"
    )
    connection.execute("INSERT OR REPLACE INTO counter SELECT * FROM old_counter")
    for table in (*kept, "counter"):
        connection.execute(f"DROP TABLE old_{table}")


def _take_over(connection: sqlite3.Connection) -> None:
    """Take the tasks of the first implementation over, whichever columns its table has."""
    cursor = connection.execute(f"SELECT rowid, * FROM {OLD_TABLE} ORDER BY rowid")  # noqa: S608
    columns = [column[0] for column in cursor.description]
    names = columns[1:]
    for row in cursor:
        old = dict(zip(names, row[1:], strict=True))
        old["rowid"] = row[0]
        _take_over_one(connection, old)
    connection.execute(f"DROP TABLE {OLD_TABLE}")
    counted = connection.execute("SELECT status, count(*) FROM task GROUP BY status")
    connection.executemany(
        "UPDATE counter SET n = ? WHERE name = ?", [(n, status) for status, n in counted]
    )
    connection.execute(
        "UPDATE counter SET n = (SELECT coalesce(max(id), 0) FROM task) WHERE name = ?", (LAST_ID,)
    )


def _take_over_one(connection: sqlite3.Connection, old: dict[str, object]) -> None:
    task_id = next(
        (value for name in ("task_id", "id", "rowid") if isinstance(value := old.get(name), int)),
        None,
    )
    created = _instant(old.get("created_at"), time.time())
    updated = _instant(old.get("updated_at"), created)
    status, note = _status(old.get("status"))
    leased = status is Status.LEASED
    worker = _text(old.get("worker_id"))
    has_ended = status in {Status.DONE, Status.FAILED}
    result, error = _text(old.get("result")), _text(old.get("error")) or note
    if has_ended:
        connection.execute(
            "INSERT INTO attempt (task_id, number, worker_id, began, ended, how, result, error)"
            " VALUES (?, 1, ?, ?, ?, ?, ?, ?)",
            (task_id, worker or "", created, updated, status, result, error),
        )
    tried = int(leased or has_ended)
    connection.execute(
        "INSERT INTO task (id, status, priority, backend, tags, created_at, updated_at, blocked,"
        " max_attempts, owner, spent, leases, worker_id, leased_at, leased_until, ending,"
        " has_ended) VALUES (?, ?, 0, '', '', ?, ?, 0, 3, '', ?, ?, ?, ?, ?, ?, ?)",
        (
            *(task_id, status, created, updated, tried, tried),
            None if status is Status.QUEUED else worker,
            updated if leased else None,
            _instant(old.get("leased_until"), updated) if leased else None,
            *(1 if has_ended else None, has_ended),
        ),
    )
    prompt = _text(old.get("prompt")) or ""
    connection.execute("INSERT INTO body (task_id, prompt) VALUES (?, ?)", (task_id, prompt))


def _status(found: object) -> tuple[Status, str | None]:
    if isinstance(found, str) and found in {*Status}:
        return Status(found), None
    return Status.FAILED, f"An older mittelo left it in a state that is not known: {found!r}."


def _text(found: object) -> str | None:
    if isinstance(found, bytes):
        return found.decode(errors="replace")
    return None if found is None else str(found)


def _instant(found: object, default: float) -> float:
    """Return an epoch second, from a number or from what people write."""
    if isinstance(found, int | float):
        return float(found)
    if not isinstance(found, str):
        return default
    for read in _READINGS:
        try:
            seconds = read(found)
        except ValueError:
            continue
        return seconds if math.isfinite(seconds) else default
    return default


def _written(text: str) -> float:
    read = datetime.fromisoformat(text)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


_READINGS: tuple[Callable[[str], float], ...] = (float, _written)
