"""Make a repository ready for laps, and tell its agents of it."""

import stat
from pathlib import Path

from msgspec import Struct, field

from mittelo.core.lapfiles import CLAIM_FILE, LOG_FILE, ROOT_FILE
from mittelo.core.queues import Queue
from mittelo.errors import MitteloError
from mittelo.files import write_whole
from mittelo.laps.instructions import ALWAYS, IF_THERE, drop_block, is_damaged, put_block
from mittelo.laps.place import FOLDER, Place
from mittelo.laps.store import Store
from mittelo.log import warn
from mittelo.repo.git import Repository
from mittelo.repo.workspace import find_workspace

MESSAGE = "chore: laps init"
IGNORED = (f"{FOLDER}/{CLAIM_FILE}", f"{FOLDER}/{LOG_FILE}")


class Made(Struct, frozen=True):
    """What `init` did: the files that it made, and whether it changed the ignore file."""

    created: list[str]
    ignore_changed: bool = field(name="gitignoreModified")


def initialize(place: Place, *, commit: bool) -> Made:
    """Make the root queue and let git ignore our local files; commit just that, if asked."""
    root, ignore = place.folder / ROOT_FILE, place.root / ".gitignore"
    text = _read(ignore)
    wanted = _ignoring(text or "")
    changed = [*([] if root.exists() else [root]), *([] if wanted == text else [ignore])]
    git, dirty = _repository(place) if commit and changed else (None, [])
    with Store(place).changing() as book:
        if root in changed:
            book.put(ROOT_FILE, Queue())
    if ignore in changed:
        _rewrite(ignore, wanted)
    if git:
        _commit(git, [path for path in changed if path not in dirty])
    return Made([f"{FOLDER}/{ROOT_FILE}"] if root in changed else [], ignore in changed)


def switch(place: Place, *, on: bool) -> None:
    """Put the block for agents into the files that they read, or take it out."""
    for name in (ALWAYS, *IF_THERE):
        path = place.work_tree / name
        text = _read(path)
        if text is None and not (on and name == ALWAYS):
            continue
        if is_damaged(text or ""):
            warn(f"{path}: a damaged block of laps is mended; look whether old text is left over.")
        wanted = put_block(text or "") if on else drop_block(text or "")
        if wanted != text:
            _rewrite(path, wanted)


def _ignoring(text: str) -> str:
    """Return the text of an ignore file with our local files in it."""
    end = "\r\n" if "\r\n" in text else "\n"
    there = {line.strip().removeprefix("/") for line in text.splitlines()}
    missing = [name for name in IGNORED if name not in there]
    if missing and text and not text.endswith("\n"):
        text += end
    return text + "".join(f"{name}{end}" for name in missing)


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode(errors="surrogateescape")
    except FileNotFoundError:
        return None


def _rewrite(path: Path, text: str) -> None:
    """Write a file of the user's anew: a link to it stays one, and its mode stays."""
    real = path.resolve()
    mode = stat.S_IMODE(real.stat().st_mode) if real.exists() else 0o644
    write_whole(real, text.encode(errors="surrogateescape"), mode)


def _repository(place: Place) -> tuple[Repository | None, list[Path]]:
    """Return the repository, and what is changed in it already: that is for others to commit."""
    try:
        git = find_workspace(place.root).repository
        return git, [git.root / path for path in git.changes()] if git else []
    except MitteloError as error:
        warn(f"nothing is committed: {error.what}")
        return None, []


def _commit(git: Repository, paths: list[Path]) -> None:
    try:
        known = git.changes()
        ours = {name: known[name] for name in known if git.root / name in paths}
        if ours:
            git.commit(ours, MESSAGE)
    except MitteloError as error:
        warn(f"nothing is committed: {error.what}")
