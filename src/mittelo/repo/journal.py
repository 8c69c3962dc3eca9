"""Records as JSON lines: read with forgiveness, appended in one piece, mended when damaged."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from mittelo.core.records import VERSION
from mittelo.files import append_line, write_whole
from mittelo.log import warn

Record = TypeVar("Record", bound=Struct)
BLOCK = 1 << 18


class _Versioned(Struct):
    """The one field that every version of every line has."""

    v: int = VERSION


class Journal(Generic[Record]):
    """One file of records of one kind. A torn or foreign line never stops a reader."""

    def __init__(self, path: Path, kind: type[Record]) -> None:
        self.path = path
        self._decoder = msgspec.json.Decoder(kind)

    def read(self) -> list[Record]:
        """Return the records that can be read; damaged lines are told of once."""
        try:
            return self._read_sound()
        except (msgspec.DecodeError, UnicodeDecodeError):
            records, damaged, _ = self._sort_out()
        self._tell_of(len(damaged))
        return records

    def _tell_of(self, damaged: int) -> None:
        if damaged:
            warn(
                f"{self.path}: {damaged} damaged line(s) ignored; "
                "the next `rally start` sets them aside."
            )

    def _read_sound(self) -> list[Record]:
        """Return all records at once, where no line is damaged: many times faster."""
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return []
        if raw:
            self._note_newer(raw[raw.rfind(b"\n", 0, -1) + 1 :])
        return self._decoder.decode_lines(raw)

    def read_last(self, wanted: Callable[[Record], bool]) -> list[Record]:
        """Return the records at the end that are wanted, without reading what lies before them."""
        found: list[Record] = []
        damaged = 0
        for line in _lines_from_the_end(self.path):
            try:
                record = self._decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                damaged += 1
                continue
            if not wanted(record):
                break
            found.append(record)
        self._tell_of(damaged)
        return found[::-1]

    def append(self, record: Record) -> None:
        """Add a record at the end, on disk when this returns."""
        append_line(self.path, msgspec.json.encode(record))

    def rewrite(self, records: list[Record]) -> None:
        """Replace the whole file in one step."""
        lines = [msgspec.json.encode(record) + b"\n" for record in records]
        write_whole(self.path, b"".join(lines))

    def mend(self) -> None:
        """Move damaged lines into a file beside this one, byte for byte."""
        _, damaged, sound = self._sort_out()
        if not damaged:
            return
        aside = self.path.with_name(f"{self.path.name}.damaged")
        for line in damaged:
            append_line(aside, line)
        write_whole(self.path, b"".join(line + b"\n" for line in sound))
        warn(f"{self.path}: {len(damaged)} damaged line(s) moved to {aside.name}.")

    def _sort_out(self) -> tuple[list[Record], list[bytes], list[bytes]]:
        """Return the records, the lines that hold none, and the lines that hold one."""
        records: list[Record] = []
        damaged: list[bytes] = []
        sound: list[bytes] = []
        for line in self._lines():
            try:
                records.append(self._decoder.decode(line))
                sound.append(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                damaged.append(line)
        if sound:
            self._note_newer(sound[-1])
        return records, damaged, sound

    def _lines(self) -> list[bytes]:
        try:
            return [line for line in self.path.read_bytes().split(b"\n") if line.strip()]
        except FileNotFoundError:
            return []

    def _note_newer(self, line: bytes) -> None:
        found = msgspec.json.decode(line, type=_Versioned).v
        if found > VERSION:
            warn(f"{self.path} was written by a newer mittelo (version {found} of its lines).")


def _lines_from_the_end(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, the last one first."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        at = file.seek(0, 2)
        rest = b""
        while at > 0:
            size = min(BLOCK, at)
            at -= size
            file.seek(at)
            rest, *lines = (file.read(size) + rest).split(b"\n")
            yield from (line for line in reversed(lines) if line.strip())
    if rest.strip():
        yield rest
