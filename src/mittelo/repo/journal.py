"""Records as JSON lines: read with forgiveness, appended in one piece, mended when damaged."""

from pathlib import Path
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from mittelo.core.records import VERSION
from mittelo.files import append_line, write_whole
from mittelo.log import warn

Record = TypeVar("Record", bound=Struct)


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
        records, damaged, _ = self._sort_out()
        if damaged:
            warn(
                f"{self.path}: {len(damaged)} damaged line(s) ignored; "
                "the next `rally start` sets them aside."
            )
        return records

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
