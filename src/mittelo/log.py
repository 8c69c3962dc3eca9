"""Diagnostics for the person at the terminal: on stderr, each said once."""

import sys

_said: set[str] = set()


def warn(text: str) -> None:
    """Say a warning, unless it was said before in this process."""
    if text not in _said:
        _said.add(text)
        sys.stderr.write(f"warning: {text}\n")
        sys.stderr.flush()
