"""What a hub can be asked, and what it answers: one Struct for each, every limit with a name."""

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from mittelo.core.tasks import Attempt, Count, Status, Usage

MAX_NAME = 200
MAX_KEY = 500
MAX_TAGS = 32
MAX_BACKENDS = 64
MAX_AFTER = 1000
MAX_AT_ONCE = 10_000
"""How many tasks one request may enqueue."""

MAX_LEASED_AT_ONCE = 1000
MAX_ATTEMPTS = 1000
MAX_PRIORITY = 1_000_000_000
MAX_SECONDS = 30 * 86400.0
MAX_WAIT_SECONDS = 600.0
MAX_META_BYTES = 64 * 1024
MAX_EVENTS = 1000
MAX_DAYS = 36_500.0
LAST_SECOND = 253_402_300_799.0
"""The end of the year 9999, as an epoch second."""

LIST_LIMIT = 50
LEASE_BYTES = 32 * 1024 * 1024
"""A lease of several tasks ends after the one whose prompt passes this sum."""

_PRINTABLE = r"^[^\x00-\x1f\x7f]+(?![\s\S])"
Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME, pattern=_PRINTABLE)]
Key = Annotated[str, Meta(min_length=1, max_length=MAX_KEY, pattern=_PRINTABLE)]
TaskId = Annotated[int, Meta(ge=1, le=2**53)]
Seconds = Annotated[float, Meta(ge=0, le=MAX_SECONDS)]
Wait = Annotated[float, Meta(ge=0, le=MAX_WAIT_SECONDS)]
Epoch = Annotated[float, Meta(ge=0, le=LAST_SECOND)]
Tags = Annotated[list[Name], Meta(max_length=MAX_TAGS)]
Backends = Annotated[list[Name], Meta(max_length=MAX_BACKENDS)]


class Code(StrEnum):
    """What kind of refusal it is."""

    BAD_JSON = "bad_json"
    BAD_REQUEST = "bad_request"
    UNKNOWN_METHOD = "unknown_method"
    NOT_FOUND = "not_found"
    LEASE_LOST = "lease_lost"
    CONFLICT = "conflict"
    UNAUTHORIZED = "unauthorized"
    TOO_LARGE = "too_large"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class Refusal(Struct, frozen=True, omit_defaults=True):
    """Why a request was not carried out; it changed nothing. `path` names the wrong field."""

    message: str
    code: Code
    path: str = ""


# Requests


class Enqueue(Struct, frozen=True, kw_only=True):
    """Add a task. `after`: it runs when all of these are done."""

    prompt: str
    priority: Annotated[int, Meta(ge=-MAX_PRIORITY, le=MAX_PRIORITY)] = 0
    backend: Name | None = None
    tags: Tags = []
    max_attempts: Annotated[int, Meta(ge=1, le=MAX_ATTEMPTS)] = 3
    timeout_seconds: Annotated[float, Meta(gt=0, le=MAX_SECONDS)] | None = None
    dedupe_key: Key | None = None
    not_before: Epoch | None = None
    after: Annotated[list[TaskId], Meta(max_length=MAX_AFTER)] = []
    meta: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if self.meta and len(msgspec.json.encode(self.meta)) > MAX_META_BYTES:
            raise ValueError(f"`meta` is larger than {MAX_META_BYTES} bytes")


class EnqueueMany(Struct, frozen=True, kw_only=True):
    """Add all of these tasks, or none."""

    tasks: Annotated[list[Enqueue], Meta(max_length=MAX_AT_ONCE)]


class Lease(Struct, frozen=True, kw_only=True):
    """Take tasks to run. A worker that names `tags` takes no task with another tag.

    A task of a backend is given only to workers that name it in `backends`.
    """

    worker_id: Name
    max_tasks: Annotated[int, Meta(ge=1, le=MAX_LEASED_AT_ONCE)] = 1
    lease_seconds: Seconds | None = None
    wait_seconds: Wait = 0.0
    backends: Backends = []
    tags: Tags | None = None


class Renew(Struct, frozen=True, kw_only=True):
    """Keep a lease for longer."""

    task_id: TaskId
    lease_id: str
    lease_seconds: Seconds | None = None


class Ack(Struct, frozen=True, kw_only=True):
    """End a lease. `lease` asks for the next tasks in the same write, without waiting for them.

    `retry_after` lets a failed task run again after so many seconds while it has attempts left,
    and holds a released one back. Clients older than `lease_id` are known by their connection.
    """

    task_id: TaskId
    status: Literal["done", "failed", "released"]
    result: str | None = None
    error: str | None = None
    lease_id: str | None = None
    worker_id: str | None = None
    usage: Usage | None = None
    category: Name | None = None
    retry_after: Seconds | None = None
    lease: Lease | None = None


class Cancel(Struct, frozen=True, kw_only=True):
    """End a task that is queued; ask the worker of one that is leased to end it."""

    task_id: TaskId


class Retry(Struct, frozen=True, kw_only=True):
    """Queue a task again that failed or was cancelled."""

    task_id: TaskId


class RetryFailed(Struct, frozen=True):
    """Queue all failed tasks again."""


class Purge(Struct, frozen=True, kw_only=True):
    """Forget tasks that ended more than so many days ago."""

    days: Annotated[float, Meta(ge=0, le=MAX_DAYS)]


class Pause(Struct, frozen=True, kw_only=True):
    """Hand out no more leases: to anybody, or for one backend."""

    backend: Name | None = None


class Resume(Struct, frozen=True, kw_only=True):
    """Hand out leases again: for one backend, or whatever else was paused, too."""

    backend: Name | None = None


class List(Struct, frozen=True, kw_only=True):
    """Tell of tasks, newest first. `before` goes on after an id; `brief` shortens long texts.

    A `limit` of 0 or less is none.
    """

    status: Status | None = None
    limit: Annotated[int, Meta(ge=-(2**53), le=2**53)] = LIST_LIMIT
    before: TaskId | None = None
    brief: bool = False


class Get(Struct, frozen=True, kw_only=True):
    """Tell all of one task."""

    task_id: TaskId


class Stats(Struct, frozen=True):
    """Count the tasks."""


class Follow(Struct, frozen=True, kw_only=True):
    """Tell what changed after an event number; without one, where the events stand now."""

    after: Count | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_EVENTS)] = 100
    wait_seconds: Wait = 0.0


class Workers(Struct, frozen=True):
    """Tell who works."""


class Hello(Struct, frozen=True, kw_only=True):
    """Say who calls."""

    token: str = ""
    client: str = ""
    protocol: int = 1


class Shutdown(Struct, frozen=True):
    """End the hub when its replies are out."""


Change = Enqueue | EnqueueMany | Lease | Renew | Ack | Cancel | Retry | RetryFailed | Purge
Write = Change | Pause | Resume
Read = List | Get | Stats
Request = Write | Read | Follow | Workers | Hello | Shutdown

METHODS: dict[str, type[Request]] = {
    "enqueue": Enqueue,
    "enqueue_many": EnqueueMany,
    "lease": Lease,
    "renew": Renew,
    "ack": Ack,
    "cancel": Cancel,
    "retry": Retry,
    "retry_failed": RetryFailed,
    "purge": Purge,
    "pause": Pause,
    "resume": Resume,
    "list": List,
    "get": Get,
    "stats": Stats,
    "events": Follow,
    "workers": Workers,
    "hello": Hello,
    "shutdown": Shutdown,
}


# Results


class Task(Struct, kw_only=True, omit_defaults=True):
    """A task as clients see it; fields with a default are left out when they hold it."""

    task_id: int
    prompt: str
    status: Status
    created_at: float
    updated_at: float
    leased_until: float | None
    worker_id: str | None
    result: str | None
    error: str | None
    lease_id: str | None = None
    attempt: int = 0
    max_attempts: int = 0
    priority: int = 0
    backend: str | None = None
    tags: list[str] = []
    timeout_seconds: float | None = None
    not_before: float | None = None
    dedupe_key: str | None = None
    after: list[int] = []
    waits_for: int = 0
    meta: msgspec.Raw | UnsetType = UNSET
    cancel_requested: bool = False
    category: str | None = None
    usage: Usage | None = None
    owner: str | None = None
    attempts: list[Attempt] = []


class Enqueued(Struct, frozen=True):
    """The answer to `enqueue`."""

    task_id: int


class EnqueuedMany(Struct, frozen=True):
    """The answer to `enqueue_many`, in the order of its tasks."""

    task_ids: list[int]


class Leased(Struct, frozen=True):
    """The answer to `lease`."""

    tasks: list[Task]


class Renewed(Struct, frozen=True):
    """The answer to `renew`. `cancel_requested`: end the run, then ack it."""

    leased_until: float
    cancel_requested: bool


class Done(Struct, frozen=True):
    """The answer to requests that have nothing to tell."""

    ok: bool = True


class Acked(Struct, frozen=True):
    """The answer to `ack`, with the next tasks if it asked for some."""

    ok: bool = True
    tasks: list[Task] | UnsetType = UNSET


class Cancelled(Struct, frozen=True):
    """The answer to `cancel`; a task that stays leased ends when its worker hears of it."""

    status: Status
    cancel_requested: bool = False


class Retried(Struct, frozen=True):
    """The answer to `retry_failed`."""

    retried: int


class Purged(Struct, frozen=True):
    """The answer to `purge`."""

    purged: int


class Counts(Struct, frozen=True):
    """How many tasks there are, and how long the oldest queued one is there."""

    queued: int
    leased: int
    done: int
    failed: int
    cancelled: int
    total: int
    oldest_queued_seconds: float | None


class Counted(Struct, frozen=True):
    """The answer to `stats`. `paused` holds the paused backends; "" stands for all."""

    stats: Counts
    paused: list[str] = []


class Listed(Struct, frozen=True, omit_defaults=True):
    """The answer to `list`; `next` is the `before` of the next page."""

    tasks: list[Task]
    stats: Counts
    next: int | None = None


class Event(Struct, kw_only=True, omit_defaults=True):
    """Something that happened to a task; the number is given when it is on record."""

    number: int = 0
    kind: str
    task_id: int
    status: Status
    at: float
    worker_id: str | None = None


class Events(Struct, frozen=True):
    """The answer to `events`. `next` is the next `after`.

    `missed`: older events are not kept any more, so look at the tasks themselves.
    """

    events: list[Event]
    next: int
    missed: bool = False


class Worker(Struct, kw_only=True):
    """Somebody who leased tasks from this hub since it started."""

    worker_id: str
    backends: list[str]
    tags: list[str] | None
    connected: bool
    last_seen: float
    tasks: list[int]


class Working(Struct, frozen=True):
    """The answer to `workers`."""

    workers: list[Worker]


class Greeting(Struct, frozen=True):
    """The answer to `hello`."""

    server: str
    version: str
    protocol: int
    role: str


Result = (
    Enqueued
    | EnqueuedMany
    | Leased
    | Renewed
    | Acked
    | Cancelled
    | Retried
    | Purged
    | Done
    | Counted
    | Listed
    | Task
    | Events
    | Working
    | Greeting
)
Answer = Result | Refusal
