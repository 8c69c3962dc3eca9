"""The log of events, `.laps/log.jsonl`, one a line: what comes in, and what is asked for."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from mittelo.core.instants import is_instant, order_key
from mittelo.core.lapfiles import LOG_FILE
from mittelo.files import append_line, write_whole
from mittelo.laps.events import Event
from mittelo.laps.refusals import StoreError
from mittelo.log import warn

MOST_BYTES = 4 << 20


class Wanted(Struct, frozen=True):
    """Which events are asked for; "" is any."""

    file: str = ""
    lap: str = ""
    session: str | None = None
    since: str = ""
    scope: str = ""
    limit: int = 20


class _Known(Struct, frozen=True):
    """What is read of an event."""

    ts: str
    event: str
    cmd: str = ""
    file: str = ""
    lap: str = ""
    title: str = ""
    assignee: str = ""
    scope: str = ""
    detail: dict[str, Any] = {}
    session: str = ""


def read_events(folder: Path, wanted: Wanted) -> list[dict[str, Any]]:
    """Return the newest events that are wanted, the oldest first."""
    if wanted.since and not is_instant(wanted.since):
        raise StoreError(f"{wanted.since!r} is no RFC 3339 time.", "Say 2026-01-31T12:00:00Z.")
    if wanted.limit < 0:
        raise StoreError(f"A limit of {wanted.limit} is below zero.")
    found = [event for event in _events(folder / LOG_FILE) if _is_wanted(event, wanted)]
    return found[max(0, len(found) - wanted.limit) :]


def append_events(folder: Path, events: Sequence[Event]) -> None:
    """Add events to the log, the lock being held; trouble is told of and harms nothing."""
    if not events:
        return
    path = folder / LOG_FILE
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        append_line(path, b"\n".join(map(msgspec.json.encode, events)))
        if path.stat().st_size > MOST_BYTES:
            _halve(path)
    except OSError as error:
        warn(f"the change is made, but not in the log: {path}: {error.strerror}")


def _halve(path: Path) -> None:
    """Drop the older half of the log."""
    raw = path.read_bytes()
    write_whole(path, raw[raw.index(b"\n", len(raw) // 2) + 1 :], 0o600)


def _events(path: Path) -> Iterator[dict[str, Any]]:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return
    bad = 0
    for line in raw.splitlines():
        try:
            event = msgspec.json.decode(line, type=dict[str, Any])
            msgspec.convert(event, _Known)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            bad += bool(line.strip())
            continue
        yield event
    if bad:
        warn(f"{path}: {bad} damaged line(s) passed over.")


def _is_wanted(event: dict[str, Any], wanted: Wanted) -> bool:
    known = msgspec.convert(event, _Known)
    if wanted.session is not None and known.session != wanted.session:
        return False
    since = not wanted.since or (
        is_instant(known.ts) and order_key(known.ts) >= order_key(wanted.since)
    )
    exact = ((wanted.file, known.file), (wanted.lap, known.lap), (wanted.scope, known.scope))
    return since and all(not want or want == have for want, have in exact)
