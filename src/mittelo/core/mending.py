"""Read a damaged task file: what is wrong with it, and the queue that can still be had from it.

Whatever would have to be guessed is not mended.
"""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from mittelo.core.instants import ZERO, instant_text, is_instant
from mittelo.core.lapids import new_id
from mittelo.core.merging import merge, separated
from mittelo.core.queues import (
    MOST_ORDER,
    STEP,
    VERSION,
    Lap,
    Queue,
    QueueError,
    is_prefix,
    one_line,
    parse,
    with_entries,
)

_MARK = re.compile(rb"(<{7}|\|{7}|={7}|>{7})(?: .*)?\r?\n?")
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_HEAD = re.compile(r'"(version|prefix|held)"\s*:\s*(\d+|"[a-z0-9]{4}"|true)')
_TASKS = re.compile(r'"tasks"\s*:\s*\[')
_CUT = re.compile(r'\{(?:(?!\}).)*?"(?:id|title)"\s*:.*', re.DOTALL)
_NAMED = re.compile(r'"(?:id|title)"\s*:\s*"((?:[^"\\]|\\.)*)"')
_decoder = json.JSONDecoder(strict=False)

_KEYS = {*Lap.__struct_encode_fields__}
_ENVELOPE = {*Queue.__struct_encode_fields__}
_SWITCHES = {"true": True, "false": False, "1": True, "0": False, "none": False, "": False}


class Hopeless(Exception):  # noqa: N818 - said of a file, and never flies out of here
    """What a file holds cannot be read without guessing."""


class Diagnosis(Struct, frozen=True):
    """What is wrong with a task file, and the queue that it should hold, if that can be told.

    `cut` tells that the file may have held more than can be read. `conflict`: git left it with
    both sides of a merge.
    """

    flaws: tuple[str, ...] = ()
    queue: Queue | None = None
    cut: bool = False
    conflict: bool = False


class Sides(Struct, frozen=True):
    """The versions that a file with conflict markers was made of; the base if it has that."""

    base: bytes | None
    ours: bytes
    theirs: bytes


def diagnose(raw: bytes, prefix: str) -> Diagnosis:
    """Return what is wrong with a task file; ids that are missing get the prefix."""
    try:
        queue = parse(raw, "it")
    except QueueError:
        return _conflict(raw, prefix) or _read(raw, prefix)
    twice = Counter(lap.id for lap in queue.entries)
    flaws = [f"{lap_id} is there {n} times" for lap_id, n in twice.items() if n > 1]
    return Diagnosis((*flaws,), separated(queue))


def mend_sides(
    base: bytes | None, ours: bytes, theirs: bytes, prefix: str, flaw: str
) -> Diagnosis | None:
    """Return what both sides of a merge make together, None if one cannot be read in full."""
    found = [diagnose(raw, prefix) for raw in (base or b'{"version":3,"tasks":[]}', ours, theirs)]
    queues = [one.queue for one in found if one.queue and not (one.cut or one.conflict)]
    if len(queues) < len(found):
        return None
    flaws = [flaw for one in found[1:] for flaw in one.flaws]
    return Diagnosis((flaw, *dict.fromkeys(flaws)), merge(*queues), conflict=True)


def revived(queue: Queue, known: Queue) -> tuple[Queue, list[Lap]]:
    """Return a queue with the laps that it lost, as an older version of it has them."""
    there = {lap.id for lap in queue.entries}
    lost = [lap for lap in known.entries if lap.id not in there]
    whole = replace(queue, prefix=queue.prefix or known.prefix, held=queue.held or known.held)
    return with_entries(whole, (*queue.entries, *lost)), lost


def split(raw: bytes) -> Sides | None:
    """Take a file with conflict markers apart; None if it has none, or not in pairs."""
    parts: dict[bytes, list[bytes]] = {b"<": [], b"|": [], b">": []}
    inside, hunks, bases = b"", 0, 0
    for line in _LINE.findall(raw):
        mark = line[:1] if _MARK.fullmatch(line) else b""
        if not mark:
            for name, part in parts.items():
                if inside in {b"", name}:
                    part.append(line)
        elif mark not in _FOLLOWS[inside]:
            return None
        else:
            hunks += mark == b"<"
            bases += mark == b"|"
            inside = {b"=": b">", b">": b""}.get(mark, mark)
    if inside or not hunks:
        return None
    ours, base, theirs = map(b"".join, parts.values())
    return Sides(base if bases == hunks else None, ours, theirs)


_FOLLOWS = {b"": b"<", b"<": b"|=", b"|": b"=", b">": b">"}


def _conflict(raw: bytes, prefix: str) -> Diagnosis | None:
    if not (sides := split(raw)):
        return None
    flaw = "git left both sides of a merge in it"
    return mend_sides(sides.base, sides.ours, sides.theirs, prefix, flaw)


def _read(raw: bytes, prefix: str) -> Diagnosis:
    """Return the queue of a file that is not in order, read as far as it makes sense."""
    flaws: list[str] = []
    text = raw.removeprefix(b"\xef\xbb\xbf").decode(errors="replace")
    if "\ufffd" in text and b"\xef\xbf\xbd" not in raw:
        flaws.append("it is not UTF-8: some characters are lost")
    try:
        found, cut = _decoded(text, flaws)
        queue = _queue(found, prefix, flaws, cut=cut)
    except Hopeless as error:
        return Diagnosis((*flaws, str(error)))
    return Diagnosis(tuple(flaws) or ("it is not strict JSON",), queue, cut)


def _decoded(text: str, flaws: list[str]) -> tuple[dict[str, Any], bool]:
    """Return what a text holds as JSON, and whether part of it may be missing."""
    body = text.lstrip()
    if not body.strip("\0 \r\n\t"):
        flaws.append("it is empty")
        return {"version": VERSION, "tasks": []}, True
    try:
        found, end = _decoder.raw_decode(body)
    except (ValueError, RecursionError) as error:
        return _salvaged(body, flaws, error), True
    if body[end:].strip():
        flaws.append("something follows after its end")
    if not isinstance(found, dict):
        raise Hopeless("it is JSON, but no task file")
    return found, False


def _salvaged(text: str, flaws: list[str], error: Exception) -> dict[str, Any]:
    """Return the entries that are whole in a text that is not."""
    begin = _TASKS.search(text)
    entries, left = _entries(text, begin.end() if begin else 0)
    if not entries and not begin:
        raise Hopeless("nothing in it can be read")
    line = getattr(error, "lineno", 1)
    flaws.append(f"it is damaged in line {line}: {len(entries)} entries are whole")
    if (torn := _CUT.search(left)) and (named := _NAMED.findall(torn[0])):
        flaws.append(f"an entry is cut off: {one_line(' '.join(named))[:60]}")
    head = {key: json.loads(value) for key, value in _HEAD.findall(text[: begin and begin.start()])}
    return {"version": VERSION, **head, "tasks": entries}


def _entries(text: str, at: int) -> tuple[list[dict[str, Any]], str]:
    """Return the whole entries in a text from some place on, and what is left over behind them."""
    entries = []
    end = at
    while (at := text.find("{", at)) >= 0:
        try:
            found, after = _decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            found, after = {}, at
        if {"id", "title"} <= found.keys():
            entries.append(found)
            at = end = after
        else:
            at += 1
    return entries, text[end:]


def _queue(found: dict[str, Any], prefix: str, flaws: list[str], *, cut: bool) -> Queue:
    version = _version(found, flaws)
    tasks = found.get("tasks")
    if tasks is None and "tasks" in found:
        flaws.append("tasks is null")
        tasks = []
    if not isinstance(tasks, list):
        raise Hopeless("it has no list of tasks, and may be no task file at all")
    flaws += [f"it has the unknown key {key!r}" for key in found if key not in _ENVELOPE]
    own = _prefix(found.get("prefix"), flaws)
    held = _switch(found.get("held", False), "held", flaws)
    laps = _laps(tasks, own or prefix, flaws)
    if version == 1 and not cut:
        laps = [replace(lap, order=i * STEP) for i, lap in enumerate(laps, 1)]
    twice = [lap_id for lap_id, n in Counter(lap.id for lap in laps).items() if n > 1]
    flaws += [f"{lap_id} is there more than once" for lap_id in twice]
    return separated(with_entries(Queue(prefix=own, held=held), laps))


def _version(found: dict[str, Any], flaws: list[str]) -> int:
    version = found.get("version")
    if isinstance(version, str | float) and str(version) in {"1", "2", "3", "1.0", "2.0", "3.0"}:
        flaws.append(f"version is {version!r}")
        return int(float(version))
    if type(version) is int and version > VERSION:
        raise Hopeless(f"it has version {version}: update laps")
    if type(version) is int and version > 0:
        return version
    flaws.append("version is missing" if version is None else f"version is {version!r}")
    entries = found.get("tasks")
    ordered = isinstance(entries, list) and any("order" in e for e in entries if type(e) is dict)
    return VERSION if ordered else 1


def _prefix(given: object, flaws: list[str]) -> str:
    if given is None or given == "":
        return ""
    if isinstance(given, str) and is_prefix(given):
        return given
    flaws.append(f"prefix {given!r} is not four of a-z and 0-9")
    return ""


def _laps(tasks: list[Any], prefix: str, flaws: list[str]) -> list[Lap]:
    """Return entries as laps; the same flaw of many is told once."""
    laps: list[Lap] = []
    seen: Counter[str] = Counter()
    for number, entry in enumerate(tasks):
        told: list[str] = []
        if not isinstance(entry, dict):
            if entry is not None:
                raise Hopeless(f"tasks[{number}] is no entry")
            told.append("an entry is null")
        elif lap := _lap(entry, number, told):
            laps.append(lap)
        seen.update(told)
    taken = {lap.id for lap in laps}
    for at, lap in enumerate(laps):
        if not lap.id:
            found = new_id(prefix, lap.title, lap.created_at, lap.description, taken.__contains__)
            laps[at] = replace(lap, id=found)
            taken.add(found)
    flaws += [f"{flaw} (in {n} entries)" if n > 1 else flaw for flaw, n in seen.items()]
    return laps


def _lap(entry: dict[str, Any], number: int, flaws: list[str]) -> Lap | None:
    if not any(entry.values()):
        flaws.append("an entry is empty")
        return None
    flaws += [f"unknown key {key!r}" for key in entry if key not in _KEYS]
    lap_id = _words(entry, "id", number, flaws).strip()
    if not lap_id:
        flaws.append(f"tasks[{number}] has no id")
    created = _instant(entry, "createdAt", ZERO, flaws)
    updated = _instant(entry, "updatedAt", created, flaws)
    is_done = _switch(entry.get("isDone", False), "isDone", flaws)
    completed = None
    if entry.get("completedAt") is not None:
        completed = _instant(entry, "completedAt", updated if is_done else "", flaws) or None
    return Lap(
        kind=_kind(entry.get("kind"), number, flaws),
        id=lap_id,
        ref=_words(entry, "ref", number, flaws),
        title=_words(entry, "title", number, flaws),
        description=_words(entry, "description", number, flaws),
        assignee=_words(entry, "assignee", number, flaws),
        is_done=is_done,
        order=_order(entry.get("order", 0), number, flaws),
        created_at=created,
        updated_at=updated,
        completed_at=completed,
    )


def _kind(given: object, number: int, flaws: list[str]) -> Literal["lap", "stint"]:
    word = given.strip().lower() if isinstance(given, str) else given
    if word != given:
        flaws.append(f"kind is {given!r}")
    if word is None or word in ("", "lap"):
        return "lap"
    if word == "stint":
        return "stint"
    raise Hopeless(f"tasks[{number}].kind is {given!r}, which is neither lap nor stint")


def _words(entry: dict[str, Any], key: str, number: int, flaws: list[str]) -> str:
    given = entry.get(key, "")
    if isinstance(given, str):
        clean = given.encode(errors="replace").decode()
        if clean != given:
            flaws.append(f"{key} has half a character")
        return clean
    if isinstance(given, dict | list):
        raise Hopeless(f"tasks[{number}].{key} is no text")
    flaws.append(f"{key} is no text")
    return "" if given is None else str(given)


def _switch(given: object, key: str, flaws: list[str]) -> bool:
    if isinstance(given, bool):
        return given
    word = str(given).strip().lower()
    if word not in _SWITCHES:
        raise Hopeless(f"{key} is {given!r}, which is neither true nor false")
    flaws.append(f"{key} is {given!r}")
    return _SWITCHES[word]


def _order(given: object, number: int, flaws: list[str]) -> int:
    if type(given) is int and abs(given) <= MOST_ORDER:
        return given
    flaws.append("order is no whole number, or too large")
    try:
        found = int(float(str(given))) if given is not None else 0
        return max(-MOST_ORDER, min(MOST_ORDER, found))
    except (ValueError, OverflowError) as error:
        raise Hopeless(f"tasks[{number}].order is {given!r}, which is no number") from error


def _instant(entry: dict[str, Any], key: str, otherwise: str, flaws: list[str]) -> str:
    given = entry.get(key, otherwise)
    if given == otherwise or (isinstance(given, str) and is_instant(given)):
        return str(given)
    flaws.append(f"{key} is no RFC 3339 time")
    try:
        at = datetime.fromisoformat(str(given))
    except ValueError:
        return otherwise
    return instant_text(at if at.tzinfo else at.replace(tzinfo=UTC))
