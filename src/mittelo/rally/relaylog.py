"""The log of a relay: what we did and why, one line each, never the agent's own output."""

from pathlib import Path

from mittelo.files import append_line
from mittelo.log import warn
from mittelo.repo.workspace import now


class RelayLog:
    """Appends lines with their instant to one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def say(self, text: str) -> None:
        """Add a line. A log that cannot be written is told of and does not stop a relay."""
        flat = " ".join(text.split())
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            append_line(self._path, f"{now()} {flat}".encode(errors="replace"))
        except OSError as error:
            warn(f"the relay log cannot be written: {error.strerror}")
