"""Diagnostics for the person at the terminal: on stderr, each said once."""

import contextlib
import sys

_said: set[str] = set()


def warn(text: str) -> None:
    """Say a warning, unless it was said before in this process."""
    if text not in _said:
        _said.add(text)
        with contextlib.suppress(OSError):
            sys.stderr.write(f"warning: {text}\n")
            sys.stderr.flush()
