"""Look a `.laps` folder over, tell what is wrong in it, and mend what needs no guessing.

Looking writes nothing. Mending happens under the store's lock and keeps a copy of every file that
it changes.
"""

from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mittelo.core.claims import ClaimError
from mittelo.core.lapfiles import (
    CLAIM_FILE,
    ROOT_FILE,
    archive_file,
    archived_stint_of,
    stint_file,
    stint_of,
)
from mittelo.core.lapids import free_prefix
from mittelo.core.mending import Diagnosis, diagnose, mend_sides, revived
from mittelo.core.queues import Queue, QueueError, encode, is_prefix, parse
from mittelo.errors import MitteloError
from mittelo.files import write_whole
from mittelo.laps.events import Who
from mittelo.laps.folder import REDO_FILE, Contents
from mittelo.laps.journal import append_events
from mittelo.laps.place import Place
from mittelo.laps.saving import save
from mittelo.laps.store import Lapbook, Store
from mittelo.laps.surroundings import surroundings
from mittelo.laps.versions import Versions
from mittelo.laps.wards import Finding, check_chains, check_claims

MOST_FLAWS = 12


class Report(Struct, frozen=True):
    """What was found, and the copies that were kept of files that were changed."""

    findings: tuple[Finding, ...] = ()
    copies: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        """Tell whether nothing is wrong any more."""
        return all(one.mended or one.harmless for one in self.findings)


def examine(store: Store, who: Who) -> Report:
    """Return what is wrong; nothing is written."""
    cut_off = _cut_off(store.place)
    with store.reading() as book:
        found = Examination(book, who)
        return Report((*cut_off, *found.findings))


def mend(store: Store, who: Who) -> Report:
    """Mend what can be mended, and return what was found."""
    cut_off = [replace(one, mended=True) for one in _cut_off(store.place)]
    with store.changing() as book:  # which brings a change to its end that was cut off
        found = Examination(book, who)
        folder = store.place.folder
        changes = found.changes()
        copies = [_keep_copy(folder, name, who) for name in changes if book.raw(name) is not None]
        save(folder, changes)
        append_events(folder, found.mended.events)
    findings = (replace(one, mended=one.mendable) for one in found.findings)
    return Report((*cut_off, *findings), tuple(copies))


class Examination:
    """All that is wrong at one moment, and the queues as they will be when mended."""

    def __init__(self, book: Lapbook, who: Who) -> None:
        self.findings: list[Finding] = []
        self._book = book
        self._git = Versions(book.place.folder)
        self._wanted: Contents = {}
        self._queues: dict[str, Queue] = {}
        self._unreadable: set[str] = set()
        self._look_at_queues()
        self._look_at_prefixes()
        self._look_at_claim()
        self.mended = MendedBook(book, self._wanted)
        for check in (check_chains, check_claims):
            self.findings += check(self.mended, self._queues, self._unreadable, who)
        self.findings += surroundings(book.place)

    def changes(self) -> Contents:
        """Return what files must hold that they do not."""
        wanted = self._wanted | self.mended.changes()
        return {name: held for name, held in wanted.items() if held != self._book.raw(name)}

    def _look_at_queues(self) -> None:
        book = self._book
        active = [stint_file(name) for name in book.stints()]
        archived = [archive_file(name) for name in book.archived()]
        unmerged = self._git.unmerged()
        others = book.raw_files()
        for name in (ROOT_FILE, *active, *archived, *others):
            try:
                raw = book.raw(name)
            except (MitteloError, OSError) as error:
                self._unreadable.add(name)
                self.findings.append(_unreadable(name, error))
                continue
            if name == ROOT_FILE and not (raw or b"").strip():
                self._look_at_missing(name, raw)
            elif raw is not None and (b'"tasks"' in raw or name not in others):
                self._look_at(name, raw, is_unmerged=name in unmerged)

    def _look_at_missing(self, name: str, raw: bytes | None) -> None:
        """Bring the root queue back if git has one with laps."""
        known = self._committed(name)
        if not known or not known.entries:
            self._queues[name] = Queue()
            return
        what = "is missing" if raw is None else "is empty"
        self._mends(name, known, f"{what}, and git has it with {len(known.entries)} laps")

    def _look_at(self, name: str, raw: bytes, *, is_unmerged: bool) -> None:
        if is_unmerged and (known := self._merged(name, raw)):
            found = known
        else:
            found = diagnose(raw, self._book.prefix)
        if name == ROOT_FILE and b"".join(raw.split()) == b"{}":
            found = Diagnosis(queue=Queue())
        if found.queue is None:
            self._unreadable.add(name)
            by_hand = "Mend it by hand, or bring back an older version of it with git."
            self.findings += [Finding(name, flaw, by_hand) for flaw in found.flaws]
            return
        self._queues[name] = found.queue
        if found.flaws:
            self._take(name, found, is_unmerged=is_unmerged)

    def _take(self, name: str, found: Diagnosis, *, is_unmerged: bool) -> None:
        """Take a queue that was mended for what the file should hold."""
        queue, flaws = found.queue or Queue(), list(found.flaws)
        if found.cut and (known := self._committed(name)):
            queue, lost = revived(queue, known)
            flaws += [f"{lap.id} is lost, and git has it: {lap.line}" for lap in lost]
        if len(flaws) > MOST_FLAWS:
            flaws[MOST_FLAWS:] = [f"{len(flaws) - MOST_FLAWS} more flaws"]
        for flaw in flaws:
            self._mends(name, queue, flaw, "then: git add" if is_unmerged else "")

    def _merged(self, name: str, raw: bytes) -> Diagnosis | None:
        """Return what both sides of a merge make of a file that git could not merge."""
        sides = self._git.stages(name)
        if sides.ours is None or sides.theirs is None:
            return None
        is_open = raw in {sides.ours, sides.theirs} or b"<<<<<<<" in raw
        flaw = "a merge is not finished, and git has both sides"
        if not is_open:
            return None
        found = mend_sides(sides.base, sides.ours, sides.theirs, self._book.prefix, flaw)
        if not found and b"<<<<<<<" not in raw:
            what = "a merge is not finished, and one side cannot be read"
            self.findings.append(Finding(name, what, "Merge it by hand, then: git add"))
        return found

    def _committed(self, name: str) -> Queue | None:
        raw = self._git.committed(name)
        try:
            return parse(raw, name) if raw else None
        except QueueError:
            return None

    def _look_at_prefixes(self) -> None:
        """Give a prefix to stints that have laps and none."""
        taken = {self._book.prefix, *(queue.prefix for queue in self._queues.values())}
        for name, queue in self._queues.items():
            stint = stint_of(name) or archived_stint_of(name)
            if not stint or queue.prefix or not queue.entries:
                continue
            prefix = _prefix_in(queue) or free_prefix(stint, taken)
            taken.add(prefix)
            self._mends(name, replace(queue, prefix=prefix), f"it has no prefix; {prefix} will do")

    def _look_at_claim(self) -> None:
        try:
            _ = self._book.claims
        except ClaimError as error:
            self._wanted[CLAIM_FILE] = None
            self.findings.append(Finding(CLAIM_FILE, error.what.rstrip("."), mendable=True))
        except (MitteloError, OSError) as error:
            self._wanted[CLAIM_FILE] = None
            self.findings.append(_unreadable(CLAIM_FILE, error))

    def _mends(self, name: str, queue: Queue, what: str, then: str = "") -> None:
        self._queues[name] = queue
        self._wanted[name] = encode(queue)
        self.findings.append(Finding(name, what, then, mendable=True))


class MendedBook(Lapbook):
    """The queues as they will be when damaged files are mended."""

    def __init__(self, book: Lapbook, wanted: Contents) -> None:
        super().__init__(book.place, book._pending | wanted)


def _prefix_in(queue: Queue) -> str:
    """Return the prefix that all ids of a queue have, if it can be one."""
    found = {lap.id.rpartition("-")[0] for lap in queue.entries}
    only = found.pop() if len(found) == 1 else ""
    return only if is_prefix(only) else ""


def _unreadable(name: str, error: MitteloError | OSError) -> Finding:
    if isinstance(error, MitteloError):
        return Finding(name, error.what.rstrip("."), error.todo)
    return Finding(name, f"it cannot be read: {error.strerror}", "Give yourself the right to.")


def _cut_off(place: Place) -> list[Finding]:
    if not (place.folder / REDO_FILE).exists():
        return []
    return [Finding(REDO_FILE, "a change of several files was cut off", mendable=True)]


def _keep_copy(folder: Path, name: str, who: Who) -> str:
    """Keep a file as it is, beside it; return the name of the copy."""
    path = folder / name
    stamp = who.now.strftime("%Y%m%dT%H%M%SZ")
    copy, number = path.with_name(f"{path.name}.damaged-{stamp}"), 1
    while copy.exists():
        number += 1
        copy = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    write_whole(copy, path.read_bytes(), path.stat().st_mode & 0o777)
    return copy.relative_to(folder).as_posix()
