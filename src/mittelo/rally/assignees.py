"""To whom the open laps of a repository are assigned, as far as the files of `.laps` tell."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from mittelo.errors import UsageError


def open_assignees(root: Path) -> set[str]:
    """Return every assignee of a lap that is not done, wherever it stands in its file."""
    folder = root / ".laps"
    paths = [folder / "laps.json", *sorted(folder.glob("stints/*.laps.json"))]
    return {name for path in paths for name in _open_in(path)}


def _open_in(path: Path) -> set[str]:
    try:
        return {name for name in _assignees(msgspec.json.decode(path.read_bytes())) if name}
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", "Mend it.") from error


def _assignees(held: object) -> Iterator[str]:
    if isinstance(held, list):
        for item in held:
            yield from _assignees(item)
    elif isinstance(held, dict) and not held.get("isDone"):
        if isinstance(name := held.get("assignee"), str):
            yield name.strip()
        for value in held.values():
            yield from _assignees(value)
