"""The queues below `.laps` and the claims on them, read and changed by many processes at once.

Reading makes and writes nothing. A change holds a lock on the folder, and is there as a whole or
not at all.
"""

import contextlib
import fcntl
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from mittelo.core.claims import Claims, encode_claims, parse_claims
from mittelo.core.lapfiles import (
    ARCHIVE,
    CLAIM_FILE,
    HOOKS_FILE,
    ROOT_FILE,
    archive_file,
    archived_stint_of,
    stint_file,
    stint_of,
)
from mittelo.core.lapids import prefix_of
from mittelo.core.queues import Queue, encode, parse
from mittelo.core.scopes import Context, MissingStintError
from mittelo.laps.events import Event
from mittelo.laps.folder import Contents, inside, locked, pending, read
from mittelo.laps.place import Place
from mittelo.laps.refusals import NotFoundError, StoreError

_ID = re.compile(rb'"id":\s*"([\w-]+)"', re.ASCII)


class Lapbook:
    """All queues of one folder and the claims on their laps, at one moment.

    What is put in is seen by those who read from here at once, and is in the files when the
    change ends.
    """

    def __init__(self, place: Place, pending: Contents) -> None:
        self.place = place
        self.events: list[Event] = []
        self._pending = pending
        self._read: Contents = {}
        self._queues: dict[str, Queue] = {}
        self._staged: dict[str, Queue | None] = {}
        self._claims: Claims | None = None
        self._claims_staged = False

    def has(self, file: str) -> bool:
        """Tell whether there is such a file."""
        if file in self._staged:
            return self._staged[file] is not None
        return self.raw(file) is not None

    def queue(self, file: str) -> Queue:
        """Return the queue in a file. The root queue is always there, if only empty."""
        if file in self._staged:
            staged = self._staged[file]
        else:
            staged = self._queues.get(file) or self._load(file)
        if staged is None:
            raise NotFoundError(f"There is no {file} in {self.place.folder}.")
        return staged

    def stint(self, name: str) -> Queue:
        """Return the queue of an active stint."""
        if not self.has(stint_file(name)):
            gone = ": it is archived" if self.has(archive_file(name)) else ""
            raise MissingStintError(f"There is no stint {name!r}{gone}.", "See: laps stints ls")
        return self.queue(stint_file(name))

    @property
    def root(self) -> Context:
        """Return the root queue in its place."""
        return Context(ROOT_FILE, "root", self.queue(ROOT_FILE))

    @property
    def prefix(self) -> str:
        """Return the prefix of ids in root and in raw files."""
        return prefix_of(self.place.root.resolve().name)

    def stints(self) -> list[str]:
        """Return the names of the active stints."""
        return sorted(filter(None, map(stint_of, self._names("stints"))))

    def archived(self) -> list[str]:
        """Return the names of the archived stints."""
        return sorted(filter(None, map(archived_stint_of, self._names(ARCHIVE))))

    def raw_files(self) -> list[str]:
        """Return the names of the files that `-f` may have made: all but root and stints."""
        found = []
        for path in self.place.folder.rglob("*.json"):
            name = path.relative_to(self.place.folder).as_posix()
            if name not in {ROOT_FILE, HOOKS_FILE} and not stint_of(name):
                found.append(name)
        return sorted(name for name in found if not archived_stint_of(name))

    def ids(self) -> set[str]:
        """Return the ids in all files, in damaged ones too."""
        names = [*map(stint_file, self.stints()), *map(archive_file, self.archived())]
        staged = (queue for queue in self._staged.values() if queue)
        found = {lap.id for queue in staged for lap in queue.entries}
        for name in (ROOT_FILE, *names, *self.raw_files()):
            found |= {word.decode() for word in _ID.findall(self.raw(name) or b"")}
        return found

    def raw(self, name: str) -> bytes | None:
        """Return the bytes of a file as it was found, None if it is not there."""
        if name in self._pending:
            return self._pending[name]
        if name not in self._read:
            self._read[name] = read(inside(self.place.folder, name))
        return self._read[name]

    def put(self, file: str, queue: Queue) -> None:
        """Put a queue into a file."""
        self._staged[file] = queue

    def drop(self, file: str) -> None:
        """Remove a file."""
        self._staged[file] = None

    @property
    def claims(self) -> Claims:
        """Return all claims."""
        if self._claims is None:
            raw = self.raw(CLAIM_FILE)
            self._claims = parse_claims(raw, self._written(CLAIM_FILE)) if raw else Claims()
        return self._claims

    def put_claims(self, claims: Claims) -> None:
        """Put the claims in place of those that were."""
        self._claims_staged = self._claims_staged or claims != self.claims
        self._claims = claims

    def record(self, event: Event) -> None:
        """Note an event; it is logged when the change is in the files."""
        self.events.append(event)

    def changes(self) -> Contents:
        """Return what files must hold that they do not yet."""
        wanted: Contents = {
            name: encode(queue) if queue else None for name, queue in self._staged.items()
        }
        if self._claims_staged:
            wanted[CLAIM_FILE] = encode_claims(self.claims)
        return {name: held for name, held in wanted.items() if held != self.raw(name)}

    def _load(self, file: str) -> Queue | None:
        raw = self.raw(file)
        if file == ROOT_FILE and _is_blank(raw or b""):
            found = Queue()
        elif raw is None:
            return None
        else:
            found = parse(raw, f"{self.place.folder.name}/{file}")
            _require_prefix(file, found)
        self._queues[file] = found
        return found

    def _names(self, folder: str) -> set[str]:
        try:
            found = {f"{folder}/{path.name}" for path in (self.place.folder / folder).iterdir()}
        except (FileNotFoundError, NotADirectoryError):
            found = set()
        for name, held in (self._pending | self._staged).items():
            (found.discard if held is None else found.add)(name)
        return {name for name in found if Path(name).parent.as_posix() == folder}

    def _written(self, name: str) -> datetime:
        try:
            at = (self.place.folder / name).stat().st_mtime
        except FileNotFoundError:
            at = time.time()
        return datetime.fromtimestamp(at, UTC)


class Store:
    """The folder of a place, as it is read and changed."""

    def __init__(self, place: Place) -> None:
        self.place = place

    @contextlib.contextmanager
    def reading(self) -> Iterator[Lapbook]:
        """Give the queues as they are; nothing is made or written."""
        if not self.place.folder.is_dir():
            yield Lapbook(self.place, {})
            return
        with locked(self.place.folder, fcntl.LOCK_SH):
            yield Lapbook(self.place, pending(self.place.folder) or {})

    @contextlib.contextmanager
    def changing(self) -> Iterator[Lapbook]:
        """Give the queues to change, alone among all processes; saved if the body ends well."""
        from mittelo.laps.journal import append_events  # noqa: PLC0415 - readers start sooner
        from mittelo.laps.saving import complete, save  # noqa: PLC0415

        folder = self.place.folder
        is_new = not folder.exists()
        with locked(folder, fcntl.LOCK_EX):
            try:
                complete(folder)
                book = Lapbook(self.place, {})
                yield book
                save(folder, book.changes())
                append_events(folder, book.events)
            finally:
                if is_new:  # and stays only if something was put in
                    with contextlib.suppress(OSError):
                        folder.rmdir()


def _is_blank(raw: bytes) -> bool:
    text = raw.strip()
    return not text or (text[:1] == b"{" and text[1:].strip() == b"}")


def _require_prefix(file: str, queue: Queue) -> None:
    if queue.entries and not queue.prefix and (stint_of(file) or archived_stint_of(file)):
        raise StoreError(
            f"{file} has entries but no prefix.", "Bring it in order with: laps doctor"
        )
