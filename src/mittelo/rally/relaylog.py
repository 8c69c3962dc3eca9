"""The log of a relay: what we did and why, one line each, never the agent's own output."""

from pathlib import Path

from mittelo.files import append_line
from mittelo.repo.workspace import now


class RelayLog:
    """Appends lines with their instant to one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def say(self, text: str) -> None:
        """Add a line."""
        flat = " ".join(text.split())
        append_line(self._path, f"{now()} {flat}".encode(errors="replace"))
