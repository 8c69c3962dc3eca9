"""A few lines at the bottom of the terminal that are painted over, whatever its width becomes."""

import os
from contextlib import suppress
from typing import IO

from rich.cells import cell_len, set_cell_size

_UP, _CLEAR_BELOW = "\x1b[{}A", "\x1b[J"
_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"


class StatusLines:
    """Paints lines below all others. A terminal that is gone is not missed."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._lengths: list[int] = []

    def paint(self, *lines: str, urgent: bool = False) -> None:
        """Show these lines in place of the last ones.

        The first is plain, the others are dim; the last one stands out when it is urgent.
        """
        width = self.width
        cut = [_cut(line, width) for line in lines]
        styles = ["", *[_DIM] * (len(cut) - 1)]
        if urgent:
            styles[-1] = _BOLD
        pairs = zip(styles, cut, strict=True)
        text = "\n".join(f"{style}{line}{_PLAIN}" if style else line for style, line in pairs)
        self._write(self._back(width) + text)
        self._lengths = [cell_len(line) for line in cut]

    def clear(self) -> None:
        """Remove the lines."""
        if self._lengths:
            self._write(self._back(self.width))
            self._lengths = []

    def forget(self) -> None:
        """Leave the lines as they are: others have written below them."""
        self._lengths = []

    def _back(self, width: int) -> str:
        """Return what leads back to the first cell: a narrower terminal has wrapped the lines."""
        rows = sum(max(1, -(-length // width)) for length in self._lengths)
        up = _UP.format(rows - 1) if rows > 1 else ""
        return f"\r{up}{_CLEAR_BELOW}"

    @property
    def width(self) -> int:
        """Return how many cells a line has."""
        try:
            return os.get_terminal_size(self._file.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._file.write(text)
            self._file.flush()


def _cut(line: str, width: int) -> str:
    return line if cell_len(line) <= width else set_cell_size(line, max(0, width - 2)) + "…"
