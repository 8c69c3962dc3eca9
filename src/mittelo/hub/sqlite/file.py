"""Open the file of a hub, alone among all processes, and say in words what is wrong with it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from mittelo.hub.sqlite.schema import prepare
from mittelo.hub.store import StoreError

MEMORY = ":memory:"
BUSY_SECONDS = 5.0
STATEMENTS = 256
CHECKPOINT_PAGES = 4000
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_CLOSED = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}


def own(path: str) -> FileLock | None:
    """Take the file for this process, until it ends; the system frees it when we die."""
    if path == MEMORY:
        return None
    file = Path(path).resolve()
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(f"{file}.lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise StoreError(
            f"Another hub owns {path}.", "Stop it with `mittelo shutdown`, or name another --db."
        ) from error
    except OSError as error:
        raise StoreError(
            f"{error.filename or path}: {error.strerror}.", "Name a --db that can be written."
        ) from error
    return lock


def connect(path: str) -> sqlite3.Connection:
    """Open the file to write, with our tables in it."""
    with in_words(path):
        connection = _open(path if path == MEMORY else Path(path).resolve().as_uri() + "?mode=rwc")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            connection.execute("PRAGMA cache_size = -16384")
            prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_to_read(path: str) -> sqlite3.Connection:
    """Open the file a second time, to read."""
    with in_words(path):
        return _open(Path(path).resolve().as_uri() + "?mode=ro")


def _open(name: str) -> sqlite3.Connection:
    return sqlite3.connect(
        name,
        uri=name != MEMORY,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=STATEMENTS,
    )


@contextlib.contextmanager
def in_words(path: str) -> Iterator[None]:
    """Turn what SQLite says into what happened and what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise trouble(path, error) from error


def trouble(path: str, error: sqlite3.DatabaseError) -> StoreError:
    """Return in words what SQLite says."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGED:
        return StoreError(
            f"{path} is damaged or no database of mittelo ({error}).",
            "Move it away or bring back a copy, then start the hub again.",
            damaged=True,
        )
    if code in _LOCKED:
        return StoreError(f"Another program holds {path} ({error}).", "End that program.")
    if code in _CLOSED:
        return StoreError(
            f"{path} cannot be written ({error}).", "Give us the right to write there."
        )
    if code == sqlite3.SQLITE_FULL:
        return StoreError(f"The disk of {path} is full; nothing was stored.", "Make room on it.")
    return StoreError(f"The database {path} failed: {error}.", "Look at its disk, then try again.")
