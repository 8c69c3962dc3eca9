"""What every store reads out of its rows: tasks and attempts, from columns in one order."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from mittelo.core.requests import Task
from mittelo.core.tasks import Attempt, Head, Status, Usage

SEPARATOR = "\x1f"
"""Between the tags of a task; no tag can hold it."""

NAMES = Head.__struct_fields__
"""The columns of a task's head, in the order in which they are read."""

FIXED = {
    *("id", "priority", "backend", "tags", "created_at", "max_attempts", "timeout_seconds"),
    *("owner", "dedupe_key"),
}
"""Those that never change."""

MOVING = [name for name in NAMES if name not in FIXED]
HEAD_COLUMNS = ", ".join(f"t.{name}" for name in NAMES)
ATTEMPT_COLUMNS = "number, worker_id, began, ended, how, result, error, category, usage, lease_id"

BRIEF = 200
"""A list that is to be brief shows so many characters of a text."""

Row = Sequence[Any]

_STATUS = {str(status): status for status in Status}
_STATUS_AT = NAMES.index("status")
_TAGS_AT = NAMES.index("tags")
_CANCEL_AT = NAMES.index("cancel_requested")
_WIDTH = len(NAMES)


def head_of(row: Row) -> Head:
    """Return a task from its row, whatever stands after the columns of its head."""
    values = list(row[:_WIDTH])
    values[_STATUS_AT] = _STATUS[values[_STATUS_AT]]
    values[_TAGS_AT] = split(values[_TAGS_AT])
    values[_CANCEL_AT] = values[_CANCEL_AT] == 1
    return Head(*values)


def joined(tags: Iterable[str]) -> str:
    """Return tags as a column holds them."""
    return SEPARATOR.join(tags)


def split(tags: str) -> tuple[str, ...]:
    """Return the tags that a column holds."""
    return tuple(tags.split(SEPARATOR)) if tags else ()


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
