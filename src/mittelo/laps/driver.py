"""Merge queues for git: what its merge driver does, and how that is set up."""

import re
from pathlib import Path

from mittelo.core.lapfiles import ARCHIVE, ROOT_FILE
from mittelo.core.merging import merge
from mittelo.core.queues import Queue, QueueError, encode, parse
from mittelo.files import write_whole
from mittelo.laps.place import Place
from mittelo.laps.refusals import StoreError
from mittelo.laps.versions import Versions

ATTRIBUTES = ".gitattributes"
SETTINGS = {
    "merge.laps.name": "laps merges queues",
    "merge.laps.driver": "laps merge-driver %O %A %B %P",
}
_FILES = (ROOT_FILE, "stints/*.laps.json", f"{ARCHIVE}/*.laps.json")


def merge_files(base: Path, ours: Path, theirs: Path, name: str) -> Queue:
    """Put the merged queue in place of ours; if one cannot be read, leave ours as it is.

    Git gives an empty base where both sides made the file.
    """
    raw = base.read_bytes()
    start = parse(raw, f"{name} (base)") if raw.strip() else Queue()
    sides = [
        _side(path, f"{name} ({whose})", start)
        for path, whose in ((ours, "ours"), (theirs, "theirs"))
    ]
    merged = merge(start, *sides)
    write_whole(ours, encode(merged), ours.stat().st_mode & 0o777)
    return merged


def _side(path: Path, name: str, base: Queue) -> Queue:
    raw = path.read_bytes()
    if raw.strip() in {b"", b"{}"}:
        if base.entries:
            raise QueueError(f"{name} is empty, and was not before.", "Merge it by hand.")
        return Queue()
    return parse(raw, name)


def install_merge_driver(place: Place) -> list[str]:
    """Let git merge the queues of a place with laps; return what was done for it."""
    top = place.folder.parent
    git = Versions(place.folder)
    if not git.is_work_tree():
        raise StoreError(f"{top} is not in a git repository.", "Run: git init")
    done = []
    if added := _add_attributes(top / ATTRIBUTES, place.folder.name):
        done.append(f"{ATTRIBUTES}: added {', '.join(added)}")
    for key, value in SETTINGS.items():
        if git.setting(key) != value:
            if not git.set(key, value):
                raise StoreError(f"Git cannot set {key}.", "Look at: git config --local --list")
            done.append(f"git config: {key} = {value}")
    return done


def _add_attributes(path: Path, folder: str) -> list[str]:
    """Add what is missing to a file of attributes; its other lines and line ends stay."""
    path = path.resolve()
    try:
        raw, mode = path.read_bytes(), path.stat().st_mode & 0o777
    except FileNotFoundError:
        raw, mode = b"", 0o644
    there = [line.split() for line in raw.decode(errors="surrogateescape").splitlines()]
    wanted = [f"{_pattern(f'{folder}/{file}')} merge=laps" for file in _FILES]
    missing = [line for line in wanted if line.split() not in there]
    if missing:
        end = b"\r\n" if re.search(rb"\r\n", raw) else b"\n"
        before = raw + end if raw and not raw.endswith(b"\n") else raw
        added = b"".join(line.encode(errors="surrogateescape") + end for line in missing)
        write_whole(path, before + added, mode)
    return missing


def _pattern(path: str) -> str:
    """Return a path as a file of attributes names it."""
    return f'"{path}"' if re.search(r"\s", path) else path
