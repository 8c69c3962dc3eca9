"""The queue of a task file: its entries in their order, and every change that is made to it.

An entry is a lap, or of kind `stint`: a reference to a queue of its own.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Literal

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from mittelo.core.instants import ZERO, instant_text, is_instant, order_key
from mittelo.errors import MitteloError

VERSION = 3
STEP = 65536
MOST_ORDER = 1 << 62
_BOM = b"\xef\xbb\xbf"
_CONFLICT = re.compile(rb"^(<{7} |={7}\r?$|>{7} )", re.MULTILINE)
_BYTE = re.compile(r" \(byte (\d+)\)")


class QueueError(MitteloError):
    """A task file cannot be read as one."""

    exit_code = 2


class Lap(
    Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename="camel",
    forbid_unknown_fields=True,
):
    """One entry of a queue. Times are kept as they were written."""

    kind: Literal["lap", "stint", ""] = field(default_factory=lambda: "lap")
    id: str
    ref: str = ""
    title: str = field(default_factory=lambda: "")
    description: str = field(default_factory=lambda: "")
    assignee: str = ""
    is_done: bool = field(default_factory=lambda: False)
    order: int = field(default_factory=lambda: 0)
    created_at: str = field(default_factory=lambda: ZERO)
    updated_at: str = field(default_factory=lambda: ZERO)
    completed_at: str | None = field(default_factory=lambda: None)

    @property
    def is_ref(self) -> bool:
        """Tell whether this entry stands for a stint."""
        return self.kind == "stint"

    @property
    def line(self) -> str:
        """Return the title in one line."""
        return one_line(self.title)


class Queue(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The entries of one file, in canonical order: what is done, then what is to do."""

    version: int = field(default_factory=lambda: VERSION)
    prefix: str = ""
    held: bool = False
    entries: tuple[Lap, ...] = field(default_factory=lambda: (), name="tasks")

    @property
    def todo(self) -> list[Lap]:
        """Return what is to do, the head first."""
        return [lap for lap in self.entries if not lap.is_done]

    @property
    def done(self) -> list[Lap]:
        """Return what is done, the oldest first."""
        return [lap for lap in self.entries if lap.is_done]

    def find(self, lap_id: str) -> Lap | None:
        """Return the entry of this id."""
        return next((lap for lap in self.entries if lap.id == lap_id), None)


class Position(StrEnum):
    """Where an entry is put."""

    HEAD = "head"
    TAIL = "tail"
    AFTER = "after"


class Where(Struct, frozen=True):
    """A position; `anchor` is the id that `after` needs."""

    position: Position
    anchor: str = ""


HEAD = Where(Position.HEAD)
TAIL = Where(Position.TAIL)


class _File(Queue, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file must hold: unlike in memory, nothing is taken for granted."""

    version: int
    entries: tuple[Lap, ...] = field(name="tasks")


class _Versioned(Struct):
    version: int


_decoder = msgspec.json.Decoder(_File)


def one_line(text: str) -> str:
    """Return a text without line breaks and without blanks around it."""
    return " ".join(filter(None, (part.strip() for part in text.splitlines())))


def parse(raw: bytes, name: str) -> Queue:
    """Return the queue that a file holds, brought to the present version."""
    try:
        found = _decoder.decode(raw.removeprefix(_BOM))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(raw, name, str(error)) from error
    if found.version not in range(1, VERSION + 1):
        raise _wrong_version(name, found.version)
    if found.prefix and not is_prefix(found.prefix):
        raise _invalid(name, f"prefix {found.prefix!r} is not four of a-z and 0-9")
    if flaw := next(_flaws(found.entries), ""):
        raise _invalid(name, flaw)
    entries = found.entries
    if found.version == 1:
        entries = tuple(replace(lap, order=i * STEP) for i, lap in enumerate(entries, 1))
    entries = tuple(lap if lap.kind else replace(lap, kind="lap") for lap in entries)
    return Queue(prefix=found.prefix, held=found.held, entries=_ordered(entries))


def encode(queue: Queue) -> bytes:
    """Return a queue as a file holds it."""
    return msgspec.json.format(msgspec.json.encode(queue), indent=2) + b"\n"


def is_prefix(text: str) -> bool:
    """Tell whether a text can begin ids."""
    return bool(re.fullmatch(r"[a-z0-9]{4}", text))


def with_entries(queue: Queue, entries: Iterable[Lap]) -> Queue:
    """Return a queue with other entries, in their order."""
    return replace(queue, version=VERSION, entries=_ordered(entries))


def with_lap(queue: Queue, lap: Lap) -> Queue:
    """Return a queue in which an entry takes the place of the one with its id."""
    return with_entries(queue, (lap if held.id == lap.id else held for held in queue.entries))


def insert(queue: Queue, laps: Sequence[Lap], where: Where) -> Queue:
    """Put laps in, in the order given; after one that is done, the head is meant.

    `where.anchor` must be in the queue, and none of the laps.
    """
    todo, done = queue.todo, queue.done
    at = _index(todo, where)
    orders = _orders(todo, at, len(laps))
    if orders is None:
        todo = _renumbered(todo, STEP * (1 + len(laps) // STEP))
        orders = _orders(todo, at, len(laps))
    placed = (replace(lap, order=o) for lap, o in zip(laps, orders or (), strict=True))
    return with_entries(queue, [*done, *todo, *placed])


def move(queue: Queue, lap_id: str, where: Where, now: datetime) -> Queue:
    """Give a todo another place."""
    lap = _required(queue, lap_id)
    moved = replace(lap, updated_at=instant_text(now))
    return insert(remove(queue, {lap_id}), [moved], where)


def finish(queue: Queue, lap_id: str, now: datetime) -> Queue:
    """Mark an entry as done."""
    at = instant_text(now)
    lap = replace(_required(queue, lap_id), is_done=True, completed_at=at, updated_at=at)
    return with_lap(queue, lap)


def reopen(queue: Queue, lap_id: str, now: datetime) -> Queue:
    """Mark an entry as to do again, at the place that it had."""
    lap = _required(queue, lap_id)
    at = instant_text(now)
    return with_lap(queue, replace(lap, is_done=False, completed_at=None, updated_at=at))


def remove(queue: Queue, ids: Collection[str]) -> Queue:
    """Take entries out."""
    return with_entries(queue, (lap for lap in queue.entries if lap.id not in ids))


def prune(queue: Queue, keep: int) -> tuple[Queue, list[Lap]]:
    """Take out what is done but for the newest, and return what was taken."""
    done = queue.done
    gone = done[: max(0, len(done) - keep)]
    kept = {id(lap) for lap in gone}
    return with_entries(queue, (lap for lap in queue.entries if id(lap) not in kept)), gone


def _ordered(entries: Iterable[Lap]) -> tuple[Lap, ...]:
    todo: list[Lap] = []
    done: list[Lap] = []
    for lap in entries:
        (done if lap.is_done else todo).append(lap)
    done.sort(key=lambda lap: (order_key(lap.completed_at or ZERO), lap.order, lap.id))
    todo.sort(key=lambda lap: (lap.order, lap.id))
    return (*done, *todo)


def _index(todo: list[Lap], where: Where) -> int:
    """Return before which todo a lap goes."""
    if where.position is Position.TAIL:
        return len(todo)
    ids = [lap.id for lap in todo]
    if where.position is Position.AFTER and where.anchor in ids:
        return ids.index(where.anchor) + 1
    return 0


def _orders(todo: list[Lap], at: int, count: int) -> list[int] | None:
    """Return keys for `count` laps before the todo at `at`; None if there is no room."""
    before = todo[at - 1].order if at else None
    after = todo[at].order if at < len(todo) else None
    if before is None:
        begin, step = ((after or 0) - STEP * count if todo else STEP), STEP
    elif after is None:
        begin, step = before + STEP, STEP
    else:
        step = (after - before) // (count + 1)
        begin = before + step
    last = begin + step * max(0, count - 1)
    if step < 1 or begin < -MOST_ORDER or last > MOST_ORDER:
        return None
    return [begin + step * i for i in range(count)]


def _renumbered(todo: list[Lap], step: int) -> list[Lap]:
    return [replace(lap, order=step * i) for i, lap in enumerate(todo, 1)]


def _required(queue: Queue, lap_id: str) -> Lap:
    lap = queue.find(lap_id)
    if lap is None:
        raise KeyError(lap_id)
    return lap


def _flaws(entries: tuple[Lap, ...]) -> Iterator[str]:
    """Yield what is wrong with entries of the right shape."""
    for i, lap in enumerate(entries):
        if not lap.id.strip():
            yield f"tasks[{i}].id is empty"
        for key, text in (("createdAt", lap.created_at), ("updatedAt", lap.updated_at)):
            if not is_instant(text):
                yield f"tasks[{i}].{key} is no RFC 3339 time"
        if lap.completed_at is not None and not is_instant(lap.completed_at):
            yield f"tasks[{i}].completedAt is no RFC 3339 time"


def _broken(raw: bytes, name: str, why: str) -> QueueError:
    if conflict := _CONFLICT.search(raw):
        told = f"{name} has a merge conflict (line {_line(raw, conflict.start())})."
        return QueueError(told, "Bring it in order with: laps doctor")
    try:
        version = msgspec.json.decode(raw.removeprefix(_BOM), type=_Versioned).version
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        version = VERSION
    if version > VERSION:
        return _wrong_version(name, version)
    if at := _BYTE.search(why):
        why = f"line {_line(raw, int(at[1]))}: {_BYTE.sub('', why)}"
    if (stray := _stray_byte(raw)) is not None:
        why = f"line {_line(raw, stray)}: not UTF-8"
    return _invalid(name, why.replace("`", "").replace("$.", ""))


def _line(raw: bytes, at: int) -> int:
    return raw.count(b"\n", 0, at) + 1


def _stray_byte(raw: bytes) -> int | None:
    """Return where a text is not UTF-8."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return error.start
    return None


def _wrong_version(name: str, version: int) -> QueueError:
    if version > VERSION:
        told = f"{name} has version {version}, and this laps knows versions up to {VERSION}."
        return QueueError(told, "Update laps.")
    return _invalid(name, f"version {version} is none of 1, 2 and 3")


def _invalid(name: str, why: str) -> QueueError:
    told = f"{name} is not a valid laps task file: {why}."
    return QueueError(told, "Bring it in order with: laps doctor")
