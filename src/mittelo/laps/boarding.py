"""What the board shows of a `.laps` folder, and what can be done on it.

Whoever looks at a board acts on what it shows. When a lap has changed meanwhile, he is told so
instead: nobody's change is undone by one who did not see it.
"""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

from msgspec import Struct

from mittelo.config.laps import session
from mittelo.core.claims import Claim
from mittelo.core.lapfiles import (
    ROOT_FILE,
    archive_file,
    stint_file,
    stint_of,
)
from mittelo.core.queues import HEAD, Lap, Position, Queue, Where
from mittelo.core.scopes import State
from mittelo.errors import MitteloError
from mittelo.laps.editing import Draft, Edit, add, delete, edit, move_lap
from mittelo.laps.events import Who
from mittelo.laps.flow import done, look, open_again, undo
from mittelo.laps.overview import held_message
from mittelo.laps.place import Place
from mittelo.laps.refusals import NotFoundError, RefusedError
from mittelo.laps.selection import AT_ROOT, Kind, Selection, context_at
from mittelo.laps.stints import hold
from mittelo.laps.store import Lapbook, Store

FIELDS = ("title", "description", "assignee", "is_done")


class Picture(Struct, frozen=True):
    """All queues at one moment, by their files; `troubles` are of those that cannot be read.

    `head` is the file and the id of the lap that a claim would get; `trouble` is why there is none
    that can be told. `gate` says which stint is held.
    """

    queues: dict[str, Queue]
    troubles: dict[str, str]
    claims: tuple[Claim, ...] = ()
    head: tuple[str, str] | None = None
    state: State | None = None
    gate: str = ""
    trouble: str = ""

    def claim_on(self, file: str, lap_id: str) -> Claim | None:
        """Return the claim on a lap."""
        return next((claim for claim in self.claims if claim.is_on(file, lap_id)), None)


class Target(Struct, frozen=True):
    """A lap as it was shown, and the file that it lies in."""

    file: str
    lap: Lap


class _SeenStore(Store):
    """The store of one who acts on a lap that he has seen; changed only if that is still so."""

    def __init__(self, place: Place, seen: Target, fields: tuple[str, ...] = FIELDS) -> None:
        super().__init__(place)
        self._seen, self._fields = seen, fields

    @contextlib.contextmanager
    def changing(self) -> Iterator[Lapbook]:
        with super().changing() as book:
            _require_unchanged(book, self._seen, self._fields)
            yield book


class Board:
    """The queues of a place, as a board shows and changes them."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._store = Store(place)

    @property
    def who(self) -> Who:
        """Return who we are, now."""
        return Who(session(), datetime.now(UTC))

    def look(self) -> Picture:
        """Return how everything stands."""
        with self._store.reading() as book:
            return _picture(book, self.who)

    def trace(self) -> tuple[tuple[str, int, int, int], ...]:
        """Return what differs as soon as a file has changed."""
        folder = self.place.folder
        found = []
        for pattern in ("*.json", "claim", ".redo", "stints/*.json", "stints/archive/*.json"):
            for path in folder.glob(pattern):
                with contextlib.suppress(OSError):
                    known = path.stat()
                    found.append((str(path), known.st_mtime_ns, known.st_size, known.st_ino))
        return tuple(sorted(found))

    def add(self, draft: Draft, file: str, after: str = "") -> str:
        """Add a lap after another, or at the head; return its id."""
        where = Where(Position.AFTER, after) if after else HEAD
        return add(self._store, self.who, [draft], where, _selection(file)).laps[0].id

    def edit(self, seen: Target, changes: Edit) -> tuple[str, ...]:
        """Change what a lap says, unless others have changed just that meanwhile."""
        store = _SeenStore(self.place, seen, (*changes.fields,))
        return edit(store, self.who, seen.lap.id, changes, _selection(seen.file)).notes

    def move(self, seen: Target, where: Where) -> None:
        """Give a lap another place in its queue."""
        store = _SeenStore(self.place, seen)
        move_lap(store, self.who, seen.lap.id, where, _selection(seen.file))

    def shift(self, seen: Target, step: int) -> bool:
        """Move a lap by so many places; tell whether there was room."""
        with self._store.reading() as book:
            ids = [lap.id for lap in book.queue(seen.file).todo]
        at = ids.index(seen.lap.id) + step if seen.lap.id in ids else 0
        if seen.lap.id in ids and not 0 <= at < len(ids):
            return False
        anchor = ids[at if step > 0 else at - 1] if at else ""
        self.move(seen, Where(Position.AFTER, anchor) if anchor else HEAD)
        return True

    def finish(self, seen: Target) -> tuple[str, ...]:
        """Mark a lap as done."""
        store = _SeenStore(self.place, seen)
        finished = done(store, self.who, _selection(seen.file), seen.lap.id)
        drained = (f"stint {name} is through, and archived" for name in finished.drained)
        return (*finished.notes, *drained)

    def reopen(self, seen: Target) -> str:
        """Open a lap that is done; return the file that it is in then."""
        if seen.lap.is_ref:
            raise RefusedError(f"{seen.lap.id} stands for a stint.", "Open one of its laps.")
        who = self.who
        with _SeenStore(self.place, seen).changing() as book:
            context = context_at(book, seen.file)
            return open_again(book, who, "done-undo", context, seen.lap)[0].file

    def undo(self) -> str:
        """Open the lap again that was finished last; return its title."""
        return undo(self._store, self.who)[1].line

    def delete(self, seen: Target, *, claimed: bool) -> None:
        """Take a lap out for good; one that is claimed only if that was seen."""
        store = _SeenStore(self.place, seen)
        delete(store, self.who, seen.lap.id, _selection(seen.file), force=claimed)

    def hold(self, name: str, *, held: bool) -> None:
        """Hold a stint, or release it."""
        hold(self._store, self.who, name, held=held)


def _picture(book: Lapbook, who: Who) -> Picture:
    queues: dict[str, Queue] = {}
    troubles: dict[str, str] = {}
    active = [stint_file(name) for name in book.stints()]
    for file in (ROOT_FILE, *active, *(archive_file(name) for name in book.archived())):
        try:
            queues[file] = book.queue(file)
        except MitteloError as error:
            troubles[file] = str(error)
    try:
        picked = look(book, who)
        claims = book.claims.held
    except MitteloError as error:
        return Picture(queues, troubles, trouble=str(error))
    head = (picked.context.file, picked.lap.id) if picked.lap else None
    gate = held_message(picked.gate) if picked.gate else ""
    return Picture(queues, troubles, claims, head, picked.state, gate)


def _require_unchanged(book: Lapbook, seen: Target, fields: tuple[str, ...]) -> None:
    where = f"{seen.lap.id} ({seen.lap.line})"
    if not book.has(seen.file):
        raise NotFoundError(f"{where} is gone meanwhile: there is no {seen.file} any more.")
    lap = book.queue(seen.file).find(seen.lap.id)
    if not lap:
        raise NotFoundError(f"{where} is gone meanwhile from {seen.file}.")
    changed = [name for name in fields if getattr(lap, name) != getattr(seen.lap, name)]
    if changed:
        words = " and ".join("done" if name == "is_done" else name for name in changed)
        raise RefusedError(f"{where} has changed meanwhile: {words}.", "Look at it again.")


def _selection(file: str) -> Selection:
    if file == ROOT_FILE:
        return AT_ROOT
    name = stint_of(file)
    return Selection(Kind.STINT, name) if name else Selection(Kind.FILE, file)
