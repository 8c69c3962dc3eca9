"""How tasks lie in the rows of SQLite, and the statements that read and write them."""
# ruff: noqa: S608 - what is put together here are names of our own columns

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from mittelo.core.requests import Task
from mittelo.core.tasks import Attempt, Head, Status, Usage

SEPARATOR = "\x1f"
"""Between the tags of a task; no tag can hold it."""

JUST_AFTER = "\x00"
"""What makes of the tags of a task the very next text in order."""

_NAMES = Head.__struct_fields__
_FIXED = {
    *("id", "priority", "backend", "tags", "created_at", "max_attempts", "timeout_seconds"),
    *("owner", "dedupe_key"),
}
_MOVING = [name for name in _NAMES if name not in _FIXED]
_HEAD = ", ".join(f"t.{name}" for name in _NAMES)
_READY = "status = 'queued' AND blocked = 0 AND not_before IS NULL"

HEAD = f"SELECT {_HEAD} FROM task t WHERE t.id = ?"
HEADS_EXPIRED = (
    f"SELECT {_HEAD} FROM task t INDEXED BY task_leased"
    " WHERE status = 'leased' AND leased_until <= ? ORDER BY leased_until, id LIMIT ?"
)
HEADS_DUE = (
    f"SELECT {_HEAD} FROM task t INDEXED BY task_waiting"
    " WHERE status = 'queued' AND not_before <= ? ORDER BY not_before, id LIMIT ?"
)
HEADS_ENDED_BEFORE = (
    f"SELECT {_HEAD} FROM task t INDEXED BY task_ended"
    " WHERE status < 'leased' AND updated_at <= ? ORDER BY updated_at LIMIT ?"
)
HEADS_FAILED = f"SELECT {_HEAD} FROM task t WHERE status = 'failed' ORDER BY id LIMIT ?"
HEADS_LEASED = f"SELECT {_HEAD} FROM task t WHERE status = 'leased'"
HEAD_AND_BODY = (
    f"SELECT {_HEAD}, b.prompt, b.after, b.meta"
    " FROM task t JOIN body b ON b.task_id = t.id WHERE t.id = ?"
)
NEXT_READY = (
    f"SELECT -priority, id FROM task INDEXED BY task_ready WHERE {_READY}"
    " AND backend = ? ORDER BY priority DESC, id LIMIT ?"
)
NEXT_READY_TAGGED = (
    f"SELECT -priority, id FROM task INDEXED BY task_ready_tagged WHERE {_READY}"
    " AND backend = ? AND tags = ? ORDER BY priority DESC, id LIMIT ?"
)
FIRST_TAGS = (
    f"SELECT tags FROM task INDEXED BY task_ready_tagged WHERE {_READY}"
    " AND backend = ? AND tags >= ? ORDER BY tags LIMIT 1"
)
INSERT_HEAD = f"INSERT INTO task ({', '.join(_NAMES)}) VALUES ({', '.join('?' for _ in _NAMES)})"
SAVE_HEAD = f"UPDATE task SET {', '.join(f'{name} = ?' for name in _MOVING)} WHERE id = ?"
INSERT_ATTEMPT = (
    "INSERT INTO attempt (task_id, number, lease_id, worker_id, began, ended, how, result, error,"
    " category, usage) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ATTEMPT = "number, worker_id, began, ended, how, result, error, category, usage, lease_id"
ATTEMPT_OF_LEASE = f"SELECT {_ATTEMPT} FROM attempt WHERE task_id = ? AND lease_id = ?"
ATTEMPTS = f"SELECT {_ATTEMPT} FROM attempt WHERE task_id = ? ORDER BY number, id"

OLDEST_QUEUED = "SELECT created_at FROM task WHERE status = 'queued' ORDER BY id LIMIT 1"
WITH_KEY = "SELECT id FROM task WHERE dedupe_key = ?"
INSERT_BODY = "INSERT INTO body (task_id, prompt, after, meta) VALUES (?, ?, ?, ?)"
AFTER = "SELECT after FROM body WHERE task_id = ?"
WAITING_FOR = "SELECT task_id FROM need WHERE needed = ?"
FORGET = (
    "DELETE FROM attempt WHERE task_id = ?",
    "DELETE FROM body WHERE task_id = ?",
    "DELETE FROM task WHERE id = ?",
)

BRIEF = 200
"""A list that is to be brief shows so many characters of a text."""

_SHOWN = f"SELECT {_HEAD}, b.prompt, b.after, b.meta, a.result, a.error, a.category, a.usage"
_SHOWN_BRIEFLY = (
    f"SELECT {_HEAD}, substr(b.prompt, 1, {BRIEF}), b.after, b.meta,"
    f" substr(a.result, 1, {BRIEF}), substr(a.error, 1, {BRIEF}), a.category, a.usage"
)
_FROM = " FROM task t JOIN body b ON b.task_id = t.id LEFT JOIN attempt a ON a.id = t.ending"
SHOW = f"{_SHOWN}{_FROM} WHERE t.id = ?"


def page(*, by_status: bool, brief: bool) -> str:
    """Return the statement for a page of tasks below an id, newest first."""
    shown = _SHOWN_BRIEFLY if brief else _SHOWN
    status = " AND t.status = ?" if by_status else ""
    return f"{shown}{_FROM} WHERE t.id < ?{status} ORDER BY t.id DESC"


Row = Sequence[Any]

_STATUS = {str(status): status for status in Status}
_STATUS_AT = _NAMES.index("status")
_TAGS_AT = _NAMES.index("tags")
_CANCEL_AT = _NAMES.index("cancel_requested")
_WIDTH = len(_NAMES)
_PLAIN = {"status": "status._value_"}  # sqlite3 takes long over subclasses of str
_moving = attrgetter(*(_PLAIN.get(name, name) for name in (*_MOVING, "id")))


def head_of(row: Row) -> Head:
    """Return a task from its row, whatever stands after the columns of its head."""
    values = list(row[:_WIDTH])
    values[_STATUS_AT] = _STATUS[values[_STATUS_AT]]
    values[_TAGS_AT] = split(values[_TAGS_AT])
    values[_CANCEL_AT] = values[_CANCEL_AT] == 1
    return Head(*values)


def moving(head: Head) -> Row:
    """Return the values for `SAVE_HEAD`."""
    values: Row = _moving(head)
    return values


def whole(head: Head) -> Row:
    """Return the values for `INSERT_HEAD`."""
    values = [getattr(head, name) for name in _NAMES]
    values[_STATUS_AT] = str(head.status)
    values[_TAGS_AT] = joined(head.tags)
    return values


def joined(tags: Iterable[str]) -> str:
    """Return tags as a column holds them."""
    return SEPARATOR.join(tags)


def split(tags: str) -> tuple[str, ...]:
    """Return the tags that a column holds."""
    return tuple(tags.split(SEPARATOR)) if tags else ()


def attempt_values(task_id: int, over: Attempt) -> Row:
    """Return the values for `INSERT_ATTEMPT`."""
    return (
        *(task_id, over.number, over.lease_id, over.worker_id, over.began, over.ended, over.how),
        *(over.result, over.error, over.category),
        msgspec.json.encode(over.usage).decode() if over.usage else None,
    )


def attempt_of(row: Row) -> Attempt:
    """Return an attempt from its row."""
    number, worker_id, began, ended, how, result, error, category, usage, lease_id = row
    return Attempt(
        number=number,
        worker_id=worker_id,
        began=began,
        ended=ended,
        how=how,
        result=result,
        error=error,
        category=category,
        usage=_usage(usage),
        lease_id=lease_id,
    )


def _usage(text: str | None) -> Usage | None:
    return msgspec.json.decode(text, type=Usage) if text else None


def leased_task(head: Head, body: Row) -> Task:
    """Return a task as the worker gets it who leased it."""
    task = _task(head, body)
    task.lease_id = head.lease_id
    return task


def shown_task(row: Row) -> Task:
    """Return a task as those see it who look, without its lease id: that is its worker's."""
    head = head_of(row)
    task = _task(head, row[_WIDTH : _WIDTH + 3])
    task.result, error, task.category, usage = row[_WIDTH + 3 :]
    task.error = error or head.note
    task.usage = _usage(usage)
    return task


def _task(head: Head, body: Row) -> Task:
    prompt, after, meta = body
    return Task(
        task_id=head.id,
        prompt=prompt,
        status=head.status,
        created_at=head.created_at,
        updated_at=head.updated_at,
        leased_until=head.leased_until,
        worker_id=head.worker_id,
        result=None,
        error=None,
        attempt=head.spent,
        max_attempts=head.max_attempts,
        priority=head.priority,
        backend=head.backend or None,
        tags=list(head.tags),
        timeout_seconds=head.timeout_seconds,
        not_before=head.not_before,
        dedupe_key=head.dedupe_key,
        after=msgspec.json.decode(after) if after else [],
        waits_for=head.blocked,
        meta=Raw(meta.encode()) if meta else UNSET,
        cancel_requested=head.cancel_requested,
        owner=head.owner or None,
    )
