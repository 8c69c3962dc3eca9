"""Results on disk until the hub has them, so that no crash and no outage loses one.

Each worker has a folder for its hub, which it holds locked while it lives. Who comes later
delivers what lies in folders that nobody holds. What the hub refuses for good is kept apart.
"""

import contextlib
import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from mittelo.core.requests import Ack
from mittelo.files import write_whole

VERSION = 1
SUFFIX = ".json"


class Entry(Struct, frozen=True):
    """A result on its way; `refused` says why the hub did not take it."""

    ack: Ack
    v: int = VERSION
    refused: str = ""
    at: float = 0.0


class Outbox:
    """The results of one worker that its hub has not acknowledged yet."""

    def __init__(self, state: Path, hub: str) -> None:
        self._lost = state / "lost" / hub
        self._place = state / "outbox" / hub
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder, self._lock = _own_folder(self._place)

    def close(self) -> None:
        """Let go of the folder; it stays while something is in it."""
        with contextlib.suppress(OSError):
            self.folder.rmdir()
        os.close(self._lock)

    def add(self, ack: Ack) -> Path:
        """Put a result on disk, and return its file.

        It is written in place: half of one, from a crash, is known by that, and a rename would
        make the disk wait twice.
        """
        path = self.folder / f"{ack.task_id}-{uuid.uuid4().hex[:12]}{SUFFIX}"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(Entry(ack)))
            file.flush()
            os.fsync(file.fileno())
        os.fsync(self._lock)
        return path

    def set_aside(self, ack: Ack, refused: str) -> Path:
        """Keep a result that the hub does not want."""
        self._lost.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._lost / f"{ack.task_id}-{uuid.uuid4().hex[:12]}{SUFFIX}"
        entry = Entry(ack, refused=refused, at=time.time())
        write_whole(path, msgspec.json.encode(entry), mode=0o600)
        return path

    def abandoned(self) -> Iterator[tuple[Path, Ack]]:
        """Yield the results of workers that are gone; whoever delivers one removes its file."""
        for folder in sorted(self._place.iterdir()):
            lock = _locked(folder)
            if lock is None:
                continue
            try:
                yield from self._entries(folder)
                with contextlib.suppress(OSError):
                    folder.rmdir()
            finally:
                os.close(lock)

    def _entries(self, folder: Path) -> Iterator[tuple[Path, Ack]]:
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            try:
                yield path, msgspec.json.decode(path.read_bytes(), type=Entry).ack
            except (OSError, ValueError):
                self._lost.mkdir(mode=0o700, parents=True, exist_ok=True)
                with contextlib.suppress(OSError):
                    path.replace(self._lost / f"{path.name}.damaged")


def _own_folder(place: Path) -> tuple[Path, int]:
    """Make a folder and lock it; one that somebody took for abandoned meanwhile is left to him."""
    while True:
        folder = place / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        folder.mkdir(mode=0o700)
        lock = _locked(folder)
        if lock is not None and folder.exists():
            return folder, lock
        if lock is not None:
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """Return a handle that holds a folder; None where somebody else does."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
