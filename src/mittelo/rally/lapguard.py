"""What the queue held when a try began: an agent may destroy it, and the night goes on."""

import contextlib

import msgspec
from msgspec import Struct

from mittelo.core.lapfiles import ROOT_FILE, archive_file, stint_file, stint_of
from mittelo.core.queues import VERSION, Queue
from mittelo.errors import MitteloError
from mittelo.files import write_whole
from mittelo.laps.events import Who
from mittelo.laps.store import Lapbook, Store


class _Versioned(Struct):
    version: int = 0


class Guard:
    """Keeps the queues of a folder in memory, and brings back those that cannot be read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[str, Queue] = {}

    def keep(self) -> None:
        """Take note of what all queues hold; they can be read now."""
        with self._store.reading() as book:
            files = [ROOT_FILE, *map(stint_file, book.stints())]
            self._kept = {file: book.queue(file) for file in files}

    def bring_back(self, who: Who) -> list[str]:
        """Put back what is lost, and return the files; a damaged one is kept beside it.

        What a newer version of laps wrote is no damage.
        """
        with self._store.changing() as book:
            lost = [file for file in self._kept if self._is_lost(book, file)]
            for file in lost:
                if raw := book.raw(file):
                    stamp = who.now.strftime("%Y%m%dT%H%M%SZ")
                    write_whole(self._store.place.folder / f"{file}.damaged-{stamp}", raw)
                book.put(file, self._kept[file])
        return lost

    def _is_lost(self, book: Lapbook, file: str) -> bool:
        raw = book.raw(file)
        if raw is None:
            return file == ROOT_FILE or self._is_missed(book, stint_of(file))
        try:
            book.queue(file)
        except MitteloError:
            return not _is_newer(raw)
        return False

    def _is_missed(self, book: Lapbook, name: str) -> bool:
        """Tell whether a stint that is gone is neither archived nor taken out of the queues."""
        if not name or book.has(archive_file(name)):
            return False
        known = [file for file in self._kept if file == ROOT_FILE or book.has(file)]
        for file in known:
            with contextlib.suppress(MitteloError):
                if any(lap.is_ref and lap.ref == name for lap in book.queue(file).todo):
                    return True
        return False


def _is_newer(raw: bytes) -> bool:
    try:
        return msgspec.json.decode(raw, type=_Versioned).version > VERSION
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
