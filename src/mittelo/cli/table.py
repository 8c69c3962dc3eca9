"""Lines of a table that can be printed before all rows are known, and times as people read them."""

import os
import sys
import time

from mittelo.cli.output import say
from mittelo.core.clipping import one_line

LONGEST_CELL = 200
NARROWEST_LAST = 10
_UNITS = ((86_400, "d"), (3600, "h"), (60, "m"))


class Table:
    """Columns of fixed widths; the last one takes what the terminal has left, or is not cut."""

    def __init__(self, last: str, **columns: int) -> None:
        self._widths = [*columns.values()]
        self._room = max(_columns() - sum(self._widths) - 2 * len(self._widths), NARROWEST_LAST)
        self.row(*columns, last)

    def row(self, *cells: str) -> None:
        """Print a row. What the cells say is not trusted: a terminal must not obey it."""
        *first, last = (one_line(cell, LONGEST_CELL) for cell in cells)
        fitted = [_fit(cell, width) for cell, width in zip(first, self._widths, strict=True)]
        if sys.stdout.isatty():
            last = _fit(last, self._room)
        say("  ".join([*fitted, last]).rstrip())


def age(instant: float) -> str:
    """Return how long ago an epoch second was, in its largest unit: `42s`, `5m`, `3h`, `12d`."""
    seconds = max(0, int(time.time() - instant))
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def clock(instant: float) -> str:
    """Return an epoch second as date and time of this place."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(instant))
    except (OverflowError, ValueError, OSError):  # whoever answers may say any number
        return str(instant)


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _fit(text: str, width: int) -> str:
    """Fill or cut a text to so many cells of a terminal."""
    if text.isascii():
        return text.ljust(width) if len(text) <= width else f"{text[: width - 1]}…"
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return f"{set_cell_size(text, width - 1)}…"
