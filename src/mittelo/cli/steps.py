"""A line on stderr that tells how far long work is, where that is a terminal."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from mittelo.core.clipping import one_line

CLEAR = "\r\x1b[K"


@contextmanager
def progress_line() -> Iterator[Callable[[str], None]]:
    """Yield what redraws the line; it is gone in the end."""
    if not sys.stderr.isatty():
        yield lambda _text: None
        return
    began = time.monotonic()

    def draw(text: str) -> None:
        width = max(20, shutil.get_terminal_size().columns - 1)
        told = one_line(f"{time.monotonic() - began:.0f} s  {text}", width)
        _write(f"{CLEAR}{told}")

    try:
        yield draw
    finally:
        _write(CLEAR)


def _write(text: str) -> None:
    with suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()
