"""How tasks lie in the rows of PostgreSQL, and the statements that read and write them.

Whatever is written goes as JSON in one parameter, so that a statement is the same for one row and
for a thousand.

Plans of the writer are made once, perhaps when the tables are empty, so each statement must leave
PostgreSQL one way only that is not forbidden (`address.py`): a look-up by `= ANY` of an array, a
reading in the order of one index, or a LATERAL that `OFFSET 0` keeps from becoming a join. `min()`
is no such thing, nor is one status beside `ORDER BY id`.
"""
# ruff: noqa: S608 - what is put together here are names of our own columns

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from mittelo.core.tasks import Attempt
from mittelo.hub.changes import Body
from mittelo.hub.rows import ATTEMPT_COLUMNS, BRIEF, HEAD_COLUMNS, MOVING, NAMES, Row

_TYPES = {
    "priority": "int",
    "blocked": "int",
    "max_attempts": "int",
    "spent": "int",
    "leases": "int",
    "ending": "int",
    "id": "bigint",
    "connection": "bigint",
    "cancel_requested": "boolean",
    "tags": "text[]",
    **dict.fromkeys(
        (
            *("created_at", "updated_at", "not_before", "timeout_seconds"),
            *("leased_at", "leased_until"),
        ),
        "double precision",
    ),
}


def _typed(names: Iterable[str]) -> str:
    return ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in names)


_READY = "status = 'queued' AND blocked = 0 AND not_before IS NULL"
_PLACES = {"tags": "array_to_string(v.tags, E'\\x1f')"}
_VALUES = ", ".join(_PLACES.get(name, f"v.{name}") for name in NAMES)
_SHORT_PROMPT = 16_384

# Reading and locking

LOCK_HEADS = (
    f"SELECT {HEAD_COLUMNS} FROM task t WHERE t.id = ANY(%s::bigint[]) ORDER BY t.id FOR UPDATE"
)
"""In the order of their ids: two hubs that want the same tasks wait, and do not block."""

WAITING_FOR = "SELECT needed, task_id FROM need WHERE needed = ANY(%s::bigint[])"
WITH_KEYS = (
    "SELECT dedupe_key, id FROM task"
    " WHERE dedupe_key = ANY(ARRAY(SELECT json_array_elements_text(%s::json)))"
)
PAUSED = "SELECT backend FROM paused"
PAUSED_AND_NEW_IDS = (
    "SELECT ARRAY(SELECT backend FROM paused),"
    " ARRAY(SELECT nextval('task_id') FROM generate_series(1, %s::int))"
)
HEADS_EXPIRED = (
    f"SELECT {HEAD_COLUMNS} FROM task t WHERE status = 'leased' AND leased_until <= %s"
    " ORDER BY leased_until LIMIT %s FOR UPDATE SKIP LOCKED"
)
HEADS_DUE = (
    f"SELECT {HEAD_COLUMNS} FROM task t WHERE status = 'queued' AND not_before <= %s"
    " ORDER BY not_before LIMIT %s FOR UPDATE SKIP LOCKED"
)
HEADS_ENDED_BEFORE = (
    f"SELECT {HEAD_COLUMNS} FROM task t"
    " WHERE status IN ('done', 'failed', 'cancelled') AND updated_at <= %s"
    " ORDER BY updated_at LIMIT %s FOR UPDATE SKIP LOCKED"
)
HEADS_FAILED = (
    f"SELECT {HEAD_COLUMNS} FROM task t"
    " WHERE (status, id) > ('failed', 0) AND status <= 'failed'"
    " ORDER BY status, id LIMIT %s FOR UPDATE SKIP LOCKED"
)
HEADS_LEASED_UNTIL = (
    f"SELECT {HEAD_COLUMNS} FROM task t WHERE status = 'leased' AND leased_until < %s"
    " ORDER BY leased_until FOR UPDATE SKIP LOCKED"
)
NEXT_DUE = (
    "SELECT least((SELECT leased_until FROM task WHERE status = 'leased'"
    " ORDER BY leased_until LIMIT 1),"
    " (SELECT not_before FROM task WHERE status = 'queued' AND not_before IS NOT NULL"
    " ORDER BY not_before LIMIT 1))"
)
BODIES = "SELECT task_id, prompt, after, meta FROM body WHERE task_id = ANY(%s::bigint[])"
ATTEMPT_OF_LEASE = f"SELECT {ATTEMPT_COLUMNS} FROM attempt WHERE task_id = %s AND lease_id = %s"
_WITH_SHORT_BODY = (
    "SELECT c.*, b.prompt IS NOT NULL, b.prompt, b.after, b.meta FROM c"
    " LEFT JOIN LATERAL (SELECT prompt, after, meta FROM body WHERE task_id = c.id"
    f" AND octet_length(prompt) <= {_SHORT_PROMPT} OFFSET 0) b ON true"
)
PICK = (
    "WITH c AS MATERIALIZED"
    " (SELECT r.* FROM json_to_recordset(%s::json) AS w (backend text, n int),"
    f" LATERAL (SELECT {HEAD_COLUMNS} FROM task t WHERE {_READY} AND t.backend = w.backend"
    " ORDER BY t.priority DESC, t.id LIMIT w.n FOR UPDATE SKIP LOCKED) r) "
) + _WITH_SHORT_BODY
PICK_TAGGED = (
    "WITH c AS MATERIALIZED"
    " (SELECT r.* FROM json_to_recordset(%s::json) AS w (backend text, tags text, n int),"
    f" LATERAL (SELECT {HEAD_COLUMNS} FROM task t"
    f" WHERE {_READY} AND t.backend = w.backend AND t.tags = w.tags"
    " ORDER BY t.priority DESC, t.id LIMIT w.n FOR UPDATE SKIP LOCKED) r) "
) + _WITH_SHORT_BODY
KINDS = (
    "WITH RECURSIVE k AS (SELECT w.backend, (SELECT t.tags FROM task t"
    f" WHERE {_READY} AND t.backend = w.backend ORDER BY t.tags LIMIT 1) AS tags"
    " FROM json_array_elements_text(%s::json) AS w (backend)"
    " UNION ALL SELECT k.backend, (SELECT t.tags FROM task t"
    f" WHERE {_READY} AND t.backend = k.backend AND t.tags > k.tags ORDER BY t.tags LIMIT 1)"
    " FROM k WHERE k.tags IS NOT NULL) SELECT backend, tags FROM k WHERE tags IS NOT NULL"
)
"""Leaps in the index from one set of tags to the next."""

# Writing

INSERT_HEADS = (
    f"INSERT INTO task ({', '.join(NAMES)}) SELECT {_VALUES}"
    f" FROM json_to_recordset(%s::json) AS v ({_typed(NAMES)})"
)
SAVE_HEADS = (
    f"UPDATE task t SET {', '.join(f'{name} = v.{name}' for name in MOVING)}"
    f" FROM json_to_recordset(%s::json) AS v ({_typed(['id', *MOVING])}),"
    " LATERAL (SELECT ctid AS place FROM task WHERE id = v.id OFFSET 0) p WHERE t.ctid = p.place"
)
"""All of them are locked by us, so none moves to another place meanwhile."""

INSERT_BODIES = (
    "INSERT INTO body (task_id, prompt, after, meta)"
    " SELECT * FROM json_to_recordset(%s::json)"
    " AS v (task_id bigint, prompt text, after text, meta text)"
)
INSERT_ATTEMPTS = (
    f"INSERT INTO attempt (task_id, {ATTEMPT_COLUMNS})"
    " SELECT * FROM json_to_recordset(%s::json) AS v (task_id bigint, number int, worker_id text,"
    " began double precision, ended double precision, how text, result text, error text,"
    " category text, usage text, lease_id text)"
)
WRITE_ALL = (
    f"WITH h AS ({INSERT_HEADS}), b AS ({INSERT_BODIES}), a AS ({INSERT_ATTEMPTS}) {SAVE_HEADS}"
)
"""These four in one, with their values in this order: one statement is cheaper than three."""

INSERT_NEEDS = (
    "INSERT INTO need (needed, task_id) SELECT * FROM json_to_recordset(%s::json)"
    " AS v (needed bigint, task_id bigint) ON CONFLICT DO NOTHING"
)
DELETE_NEEDS = "DELETE FROM need WHERE needed = ANY(%s::bigint[])"
FORGET = (
    "DELETE FROM attempt WHERE task_id = ANY(%s::bigint[])",
    "DELETE FROM body WHERE task_id = ANY(%s::bigint[])",
    "DELETE FROM task WHERE id = ANY(%s::bigint[])",
)
PAUSE = "INSERT INTO paused VALUES (%s) ON CONFLICT DO NOTHING"
RESUME = "DELETE FROM paused WHERE %s IN ('', backend)"

_COUNT = (
    "INSERT INTO hub AS h (id, marker, seen, queued, leased, done, failed, cancelled, last_event)"
    " SELECT %s, %s::bigint, 0, %s::int, %s::int, %s::int, %s::int, %s::int, {last}"
    " ON CONFLICT (id) DO UPDATE SET marker = excluded.marker, last_event = excluded.last_event,"
    " queued = h.queued + excluded.queued, leased = h.leased + excluded.leased,"
    " done = h.done + excluded.done, failed = h.failed + excluded.failed,"
    " cancelled = h.cancelled + excluded.cancelled RETURNING last_event"
)
COUNT = _COUNT.format(last="0")
COUNT_AND_TELL = (
    "WITH f AS (UPDATE feed SET last = last + %s RETURNING last),"
    " e AS (INSERT INTO event (last, count, events) SELECT f.last, %s, %s FROM f) "
) + _COUNT.format(last="f.last FROM f")
"""Gives the events their numbers. From here to the end of the transaction every other hub waits
that wants to do the same, so numbers come to light in their order and without gaps."""

# Looking

OVERVIEW = (
    "SELECT coalesce(sum(queued), 0)::bigint, coalesce(sum(leased), 0)::bigint,"
    " coalesce(sum(done), 0)::bigint, coalesce(sum(failed), 0)::bigint,"
    " coalesce(sum(cancelled), 0)::bigint,"
    " (SELECT created_at FROM task WHERE (status, id) > ('queued', 0) AND status <= 'queued'"
    " ORDER BY status, id LIMIT 1),"
    " (SELECT coalesce(array_agg(backend ORDER BY backend), '{}') FROM paused) FROM hub"
)
ATTEMPTS = f"SELECT {ATTEMPT_COLUMNS} FROM attempt WHERE task_id = %s ORDER BY number"
_TEXTS = "b.prompt, b.after, b.meta, a.result, a.error, a.category, a.usage"
_BRIEF_TEXTS = (
    f"left(b.prompt, {BRIEF}), b.after, b.meta,"
    f" left(a.result, {BRIEF}), left(a.error, {BRIEF}), a.category, a.usage"
)
_JOINS = (
    " JOIN body b ON b.task_id = t.id"
    " LEFT JOIN attempt a ON a.task_id = t.id AND a.number = t.ending"
)
SHOW = f"SELECT {HEAD_COLUMNS}, {_TEXTS} FROM task t{_JOINS} WHERE t.id = %s"


def page(*, by_status: bool, brief: bool) -> str:
    """Return the statement for a page of tasks below an id, newest first.

    Its size is looked at before any text is read. Each row begins with how many were found.
    """
    where = "t.id < %s"
    order = "t.id DESC"
    if by_status:
        where = "(t.status, t.id) < (%s, %s) AND t.status >= %s"
        order = "t.status DESC, t.id DESC"
    return (
        f"SELECT p.found, {HEAD_COLUMNS}, {_BRIEF_TEXTS if brief else _TEXTS}"
        " FROM (SELECT id, count(*) OVER () AS found, sum(size) OVER (ORDER BY id DESC) - size"
        " AS before FROM (SELECT t.id, octet_length(b.prompt) + coalesce(octet_length(a.result), 0)"
        f" AS size FROM task t{_JOINS} WHERE {where} ORDER BY {order} LIMIT %s) s) p"
        f" JOIN task t ON t.id = p.id{_JOINS} WHERE p.before < %s ORDER BY t.id DESC"
    )


# Other hubs

SEEN = "UPDATE hub SET seen = %s WHERE id = %s"
OTHERS = "SELECT count(*) FROM hub WHERE seen > %s AND id <> %s"
LAST_EVENT = "SELECT last FROM feed"
EVENTS_AFTER = "SELECT last, count, events FROM event WHERE last > %s ORDER BY last LIMIT %s"
TRIM_EVENTS = "DELETE FROM event WHERE last <= (SELECT last FROM feed) - %s"
READY_KINDS = (
    f"WITH RECURSIVE k AS ((SELECT backend, tags FROM task WHERE {_READY}"
    " ORDER BY backend, tags LIMIT 1) UNION ALL SELECT n.* FROM k, LATERAL"
    f" (SELECT backend, tags FROM task t WHERE {_READY}"
    " AND (t.backend, t.tags) > (k.backend, k.tags) ORDER BY backend, tags LIMIT 1) n)"
    " SELECT k.backend, k.tags, (SELECT count(*) FROM (SELECT FROM task t"
    f" WHERE {_READY} AND t.backend = k.backend AND t.tags = k.tags LIMIT 100) c)"
    " FROM k LIMIT 1000"
)
MARKER = "SELECT marker, last_event FROM hub WHERE id = %s"
BACKEND = "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()"
END_BACKEND = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE pid = %s AND backend_start::text = %s"
)


class Place(Struct, frozen=True):
    """Where ready tasks are looked for, and how many."""

    backend: str
    n: int
    tags: str | None = None


class NewBody(Struct, frozen=True):
    """The texts of a new task on their way into its row."""

    task_id: int
    prompt: str
    after: str | None
    meta: str | None


class NewAttempt(Struct, frozen=True):
    """An attempt on its way into its row."""

    task_id: int
    number: int
    worker_id: str
    began: float
    ended: float
    how: str
    result: str | None
    error: str | None
    category: str | None
    usage: msgspec.Raw | None
    lease_id: str | None


class NewNeed(Struct, frozen=True):
    """A task that waits for another."""

    needed: int
    task_id: int


encode = msgspec.json.Encoder().encode


def as_json(values: object) -> str:
    """Return rows on their way into a table."""
    return encode(values).decode()


def as_array(ids: Iterable[int]) -> str:
    """Return ids as the text of an array: always of one type, so a statement is prepared once."""
    return f"{{{','.join(map(str, ids))}}}"


def new_body(task_id: int, body: Body) -> NewBody:
    """Return the texts of a new task for its row."""
    prompt, after, meta = body
    return NewBody(task_id, armoured(prompt), after, meta)


def new_attempt(task_id: int, over: Attempt) -> NewAttempt:
    """Return an attempt for its row."""
    return NewAttempt(
        task_id=task_id,
        number=over.number,
        worker_id=over.worker_id,
        began=over.began,
        ended=over.ended,
        how=over.how,
        result=armoured(over.result) if over.result else over.result,
        error=armoured(over.error) if over.error else over.error,
        category=over.category,
        usage=msgspec.Raw(encode(over.usage)) if over.usage else None,
        lease_id=over.lease_id,
    )


# PostgreSQL's text holds every character but the NUL, so that is written as two others.
_MARK = "\x01"


def armoured(text: str) -> str:
    """Return a text without NUL that stands for any text."""
    if "\x00" in text or _MARK in text:
        return text.replace(_MARK, _MARK + "1").replace("\x00", _MARK + "0")
    return text


def bared(text: str | None) -> str | None:
    """Return the text that an armoured one stands for; it may have been cut off."""
    if text is None or _MARK not in text:
        return text
    whole = text.removesuffix(_MARK) if text.endswith(_MARK) else text
    return whole.replace(_MARK + "0", "\x00").replace(_MARK + "1", _MARK)


def body_of(row: Row) -> Body:
    """Return the texts of a task from its row."""
    prompt, after, meta = row
    return bared(prompt) or "", after, meta


def bared_row(row: Row) -> Row:
    """Return a row of `SHOW` or of a page with its texts as they were given."""
    values = list(row)
    at = len(NAMES)
    for place in (at, at + 3, at + 4):
        values[place] = bared(values[place])
    return values


def bared_attempt(row: Row) -> Row:
    """Return the row of an attempt with its texts as they were given."""
    values = list(row)
    for place in (5, 6):
        values[place] = bared(values[place])
    return values
