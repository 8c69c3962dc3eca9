"""The statements that read and write tasks in SQLite, and the values that they are given."""
# ruff: noqa: S608 - what is put together here are names of our own columns

from collections.abc import Callable, Sequence
from operator import attrgetter

import msgspec

from mittelo.core.tasks import Attempt, Head, Status
from mittelo.hub.rows import ATTEMPT_COLUMNS, BRIEF, HEAD_COLUMNS, MOVING, NAMES, Row, joined

JUST_AFTER = "\x00"
"""What makes of the tags of a task the very next text in order."""

_READY = "status = 'queued' AND blocked = 0 AND not_before IS NULL"
_BODY = "b.prompt, b.after, b.meta"
_IN_ORDER = "ORDER BY priority DESC, id LIMIT ?"

HEAD = f"SELECT {HEAD_COLUMNS} FROM task t WHERE t.id = ?"
HEADS_EXPIRED = (
    f"SELECT {HEAD_COLUMNS} FROM task t INDEXED BY task_leased"
    " WHERE status = 'leased' AND leased_until <= ? ORDER BY leased_until, id LIMIT ?"
)
HEADS_DUE = (
    f"SELECT {HEAD_COLUMNS} FROM task t INDEXED BY task_waiting"
    " WHERE status = 'queued' AND not_before <= ? ORDER BY not_before, id LIMIT ?"
)
HEADS_ENDED_BEFORE = (
    f"SELECT {HEAD_COLUMNS} FROM task t INDEXED BY task_ended_at"
    " WHERE has_ended = 1 AND updated_at <= ? ORDER BY updated_at LIMIT ?"
)
HEADS_FAILED = (
    f"SELECT {HEAD_COLUMNS} FROM task t INDEXED BY task_ended"
    " WHERE has_ended = 1 AND status = 'failed' ORDER BY id LIMIT ?"
)
HEADS_LEASED = f"SELECT {HEAD_COLUMNS} FROM task t INDEXED BY task_leased WHERE status = 'leased'"
HEAD_AND_BODY = (
    f"SELECT {HEAD_COLUMNS}, {_BODY} FROM task t JOIN body b ON b.task_id = t.id WHERE t.id = ?"
)
NEXT_PLAIN = (
    f"SELECT {HEAD_COLUMNS}, {_BODY} FROM task t INDEXED BY task_ready"
    f" JOIN body b ON b.task_id = t.id WHERE {_READY} AND tags = '' AND backend = ? {_IN_ORDER}"
)
NEXT_TAGGED = (
    f"SELECT -priority, id FROM task INDEXED BY task_ready_tagged WHERE {_READY}"
    f" AND tags <> '' AND backend = ? {_IN_ORDER}"
)
NEXT_OF_TAGS = (
    f"SELECT -priority, id FROM task INDEXED BY task_ready_by_tags WHERE {_READY}"
    f" AND tags <> '' AND backend = ? AND tags = ? {_IN_ORDER}"
)
FIRST_TAGS = (
    f"SELECT tags FROM task INDEXED BY task_ready_by_tags WHERE {_READY}"
    " AND tags <> '' AND backend = ? AND tags >= ? ORDER BY tags LIMIT 1"
)
COUNT_TAGGED = (
    f"SELECT count(*) FROM task INDEXED BY task_ready_tagged WHERE {_READY} AND tags <> ''"
)

ATTEMPT_OF_LEASE = f"SELECT {ATTEMPT_COLUMNS} FROM attempt WHERE task_id = ? AND lease_id = ?"
ATTEMPTS = f"SELECT {ATTEMPT_COLUMNS} FROM attempt WHERE task_id = ? ORDER BY number"
OLDEST_QUEUED = (
    "SELECT created_at FROM task INDEXED BY task_open"
    " WHERE has_ended = 0 AND status = 'queued' ORDER BY id LIMIT 1"
)
STATUS = "SELECT status FROM task WHERE id = ?"
WITH_KEY = "SELECT id FROM task WHERE dedupe_key = ?"
BODY = "SELECT prompt, after, meta FROM body WHERE task_id = ?"
WAITING_FOR = "SELECT task_id FROM need WHERE needed = ?"
FORGET = (
    "DELETE FROM attempt WHERE task_id = ?",
    "DELETE FROM body WHERE task_id = ?",
    "DELETE FROM task WHERE id = ?",
)

_SHOWN = f"SELECT {HEAD_COLUMNS}, {_BODY}, a.result, a.error, a.category, a.usage"
_SHOWN_BRIEFLY = (
    f"SELECT {HEAD_COLUMNS}, substr(b.prompt, 1, {BRIEF}), b.after, b.meta,"
    f" substr(a.result, 1, {BRIEF}), substr(a.error, 1, {BRIEF}), a.category, a.usage"
)
_WITH_TEXTS = (
    " JOIN body b ON b.task_id = t.id"
    " LEFT JOIN attempt a ON a.task_id = t.id AND a.number = t.ending"
)
SHOW = f"{_SHOWN} FROM task t {_WITH_TEXTS} WHERE t.id = ?"


def page(status: Status | None, *, brief: bool) -> str:
    """Return the statement for a page of tasks below an id, newest first."""
    index, where = "NOT INDEXED", ""
    if status is Status.LEASED:
        index, where = "INDEXED BY task_leased", "t.status = 'leased' AND"
    elif status is Status.QUEUED:
        index, where = "INDEXED BY task_open", "t.has_ended = 0 AND t.status = 'queued' AND"
    elif status is not None:
        index, where = "INDEXED BY task_ended", f"t.has_ended = 1 AND t.status = '{status}' AND"
    shown = _SHOWN_BRIEFLY if brief else _SHOWN
    return f"{shown} FROM task t {index} {_WITH_TEXTS} WHERE {where} t.id < ? ORDER BY t.id DESC"


# Writing. A task is written down in as few columns as what became of it needs: each column more
# takes time, and so does each index that has to be looked at for it.

_PLAIN = {"status": "status._value_", "has_ended": "status.ended"}
"""How a column is read from a head; sqlite3 takes long over subclasses of str."""

_NEW = [name for name in NAMES[: NAMES.index("spent")] if name != "tags"]
_LEASED = (
    *("status", "updated_at", "spent", "leases", "lease_id", "worker_id", "connection"),
    *("leased_at", "leased_until", "cancel_requested"),
)
_ENDED = ("status", "updated_at", "lease_id", "note", "ending")
_MOVING = (*MOVING, "has_ended")


def _insert(names: Sequence[str]) -> str:
    marks = ", ".join("?" for _ in names)
    return f"INSERT INTO task ({', '.join(names)}, tags) VALUES ({marks}, ?)"


def _update(names: Sequence[str], also: str = "") -> str:
    return f"UPDATE task SET {', '.join(f'{name} = ?' for name in names)}{also} WHERE id = ?"


def _values(names: Sequence[str]) -> Callable[[Head], Row]:
    return attrgetter(*(_PLAIN.get(name, name) for name in names))


class Writing:
    """A statement that writes tasks down, and how it is given a task."""

    __slots__ = ("_values", "is_insert", "statement")

    def __init__(self, names: Sequence[str], *, insert: bool = False, also: str = "") -> None:
        self.statement = _insert(names) if insert else _update(names, also)
        self._values = _values(names if insert else [*names, "id"])
        self.is_insert = insert

    def values(self, head: Head) -> Row:
        """Return the values of a task."""
        values = self._values(head)
        return (*values, joined(head.tags)) if self.is_insert else values


NEW = Writing(_NEW, insert=True)
"""A task that was just added."""

LEASED = Writing(_LEASED, also=", note = NULL, ending = NULL")
"""A task that was ready or leased, and is leased."""

ENDED = Writing(
    _ENDED,
    also=", blocked = 0, not_before = NULL, leased_until = NULL, cancel_requested = 0"
    ", has_ended = 1",
)
"""A task that was not over, and is."""

ANEW = Writing([*(name for name in NAMES if name != "tags"), "has_ended"], insert=True)
"""A task that was added and went on from there."""

ANY = Writing(_MOVING)
"""A task of which anything may have changed."""

INSERT_BODY = "INSERT INTO body (task_id, prompt, after, meta) VALUES (?, ?, ?, ?)"
INSERT_ATTEMPT = (
    "INSERT INTO attempt (task_id, number, lease_id, worker_id, began, ended, how, result, error,"
    " category, usage) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def attempt_values(task_id: int, over: Attempt) -> Row:
    """Return the values for `INSERT_ATTEMPT`."""
    return (
        *(task_id, over.number, over.lease_id, over.worker_id, over.began, over.ended, over.how),
        *(over.result, over.error, over.category),
        msgspec.json.encode(over.usage).decode() if over.usage else None,
    )
