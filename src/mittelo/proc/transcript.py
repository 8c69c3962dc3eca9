"""Follow a file that an agent writes: new whole lines, in bounded memory and bounded steps."""

import os
from pathlib import Path

CHUNK = 1 << 18
STEP_CHUNKS = 32
MAX_LINE = 16 << 20
"""A longer line stays in the file, but is not read: no event that matters is as long."""


class Follower:
    """Reads the lines that were added to a file; `dropped` counts overlong ones."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None
        self._rest: list[bytes] = []
        self._held = 0
        self._skipping = False
        self._at = 0
        self.size = 0
        self.dropped = 0

    def read(self) -> tuple[list[bytes], bool]:
        """Return the next lines, without their ends, and whether there may be more at once."""
        if self._fd is None and not self._open():
            return [], False
        lines: list[bytes] = []
        for _ in range(STEP_CHUNKS):
            chunk = os.read(self._fd or 0, CHUNK)
            if not chunk:
                self._start_over_if_cut()
                return lines, False
            self.size += len(chunk)
            self._at += len(chunk)
            self._take(chunk, lines)
        return lines, True

    def file_size(self) -> int:
        """Return how many bytes the file has now."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def finish(self) -> list[bytes]:
        """Return a last line that has no end, and close the file."""
        last = [] if self._skipping or not self._held else [b"".join(self._rest)]
        self.dropped += self._skipping
        self._forget()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        return last

    def _start_over_if_cut(self) -> None:
        """Read from the start again when somebody emptied the file."""
        if os.fstat(self._fd or 0).st_size < self._at:
            os.lseek(self._fd or 0, 0, os.SEEK_SET)
            self._at = 0

    def _open(self) -> bool:
        try:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        return True

    def _take(self, chunk: bytes, lines: list[bytes]) -> None:
        first, *others = chunk.split(b"\n")
        self._hold(first)
        for part in others:
            self._end_line(lines)
            self._hold(part)

    def _hold(self, part: bytes) -> None:
        if self._skipping or not part:
            return
        self._rest.append(part)
        self._held += len(part)
        if self._held > MAX_LINE:
            self._forget()
            self._skipping = True

    def _end_line(self, lines: list[bytes]) -> None:
        if self._skipping:
            self.dropped += 1
        else:
            lines.append(b"".join(self._rest))
        self._forget()
        self._skipping = False

    def _forget(self) -> None:
        self._rest, self._held = [], 0


def tail(path: Path, size: int = 65_536) -> bytes:
    """Return the last bytes of a file, from the start of a line; nothing if there is no file."""
    try:
        with path.open("rb") as file:
            whole = file.seek(0, os.SEEK_END)
            file.seek(max(0, whole - size))
            found = file.read(size)
    except FileNotFoundError:
        return b""
    return found if whole <= size else found.partition(b"\n")[2] or found
