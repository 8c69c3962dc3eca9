"""The task packs that come with mittelo, each a file of tasks."""

import difflib
from collections.abc import Iterator
from pathlib import Path

from mittelo.config.paths import installed_packs
from mittelo.errors import UsageError


def pack_file(name: str) -> str:
    """Return the file of a pack; raises where there is none."""
    known = {path.stem: path for path in _packs()}
    if name in known:
        return str(known[name])
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    raise UsageError(
        f"There is no pack {name!r}.", f"{meant}Known are: {', '.join(sorted(known))}."
    )


def _packs() -> Iterator[Path]:
    for folder in installed_packs():
        yield from folder.glob("*.jsonl")
