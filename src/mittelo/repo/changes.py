"""A changed path of a work tree: what git says of it, and what it holds."""

import hashlib
import os
import stat
from pathlib import Path

from msgspec import Struct

HASHED_BYTES = 1 << 20
"""A larger file is known by its size and times instead of its content."""

_OWN_FOLDERS = (".rally/", ".laps/")
_TRANSIENT = ".claude/settings.local.json"

Known = dict[str, tuple[tuple[int, ...], str]]


class Change(Struct, frozen=True):
    """A changed path: git's two status letters, and a word for what the path holds now.

    Where `content` is equal, nobody changed the path in between; "" stands for no file.
    """

    letters: str
    content: str = ""

    @property
    def is_untracked(self) -> bool:
        """Tell whether git does not know the path yet."""
        return self.letters == "??"

    @property
    def is_inside(self) -> bool:
        """Tell whether a submodule holds changes that only its own repository can commit."""
        return self.content.startswith("S") and "C" not in self.content[:4]

    @property
    def is_gone(self) -> bool:
        """Tell whether the work tree lacks the path; behind a link to a folder it does."""
        return not self.content or self.letters.endswith("D")


def is_ours(path: str) -> bool:
    """Tell whether a path holds our own records, or something as passing."""
    return path.startswith(_OWN_FOLDERS) or path == _TRANSIENT


def shown(path: str) -> str:
    """Return a path as text; bytes of it that are no UTF-8 are written as escapes."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")


def parse_status(raw: str, root: Path, known: Known) -> dict[str, Change]:
    """Read `git status --porcelain=v2 -z`; `known` spares reading files that did not change."""
    found: dict[str, Change] = {}
    for line in raw.split("\0"):
        if line.startswith("? ") and not line.endswith("/"):
            found[line[2:]] = Change("??", _content(root, line[2:], known))
        elif line[:1] in {"1", "u"}:
            letters, submodule, *rest = line.split(" ", 8 if line[0] == "1" else 10)[1:]
            path = rest[-1]
            if submodule.startswith("S"):
                found[path] = Change(letters, f"{submodule} {' '.join(rest[:-1])}")
            else:
                found[path] = Change(letters, _content(root, path, known))
    return found


def _content(root: Path, path: str, known: Known) -> str:
    """Return a word for what a path holds: a hash, or size and times of a large file."""
    file = root / path
    try:
        about = file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    mark = (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_mode)
    if path in known and known[path][0] == mark:
        return known[path][1]
    word = _word(file, about)
    known[path] = (mark, word)
    return word


def _word(file: Path, about: os.stat_result) -> str:
    kind = oct(about.st_mode)
    try:
        if stat.S_ISLNK(about.st_mode):
            return f"{kind} {shown(str(file.readlink()))}"
        if stat.S_ISREG(about.st_mode) and about.st_size <= HASHED_BYTES:
            return f"{kind} {hashlib.sha256(file.read_bytes()).hexdigest()}"
    except OSError:
        pass
    return f"{kind} {about.st_size} {about.st_mtime_ns} {about.st_ctime_ns}"
