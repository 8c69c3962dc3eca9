"""The folder of one report: its name, and its files, which are whole at every moment."""

import itertools
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from mittelo.files import write_whole

LONGEST_NAME = 80
IGNORED = "*\n"


def now() -> str:
    """Return the instant as reports write it, in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Folder:
    """A new folder `<UTC stamp>_<name>` below a base, of which git takes no notice."""

    def __init__(self, base: Path, name: str) -> None:
        base = base.absolute()
        if not base.exists():
            base.mkdir(parents=True, exist_ok=True)
            (base / ".gitignore").write_text(IGNORED)
        self.path = _new(base, name)

    def write_json(self, name: str, facts: object) -> None:
        """Write facts to a file of the report."""
        text = msgspec.json.format(msgspec.json.encode(facts), indent=2)
        write_whole(self.path / name, text + b"\n")

    def write(self, name: str, text: str) -> None:
        """Write a text to a file of the report."""
        write_whole(self.path / name, text.encode(errors="replace"))

    def below(self, name: str) -> "Folder":
        """Return a part of the report, a folder in its folder."""
        part = Folder.__new__(Folder)
        part.path = self.path / file_name(name)
        part.path.mkdir()
        return part


def file_name(name: str) -> str:
    """Return a name as a file can have it."""
    return re.sub(r"[^\w.+-]|^\.+", "_", name)[:LONGEST_NAME] or "_"


def _new(base: Path, name: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for number in itertools.count(1):
        path = base / f"{stamp}{f'-{number}' if number > 1 else ''}_{file_name(name)}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise AssertionError
