"""The queue as a relay works it: which lap is next, whether it is still ours, what became of it."""

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from mittelo.config.laps import SESSION_VARIABLE, laps_folder
from mittelo.core.lapfiles import ROOT_FILE, archived_stint_of, stint_of
from mittelo.core.lapruns import LapFacts
from mittelo.core.queues import HEAD, Lap
from mittelo.core.relays import LapGone, QueueBroken, QueueEmpty, QueueWaits
from mittelo.core.scopes import State
from mittelo.errors import MitteloError
from mittelo.laps.doctor import mend
from mittelo.laps.editing import Draft, add
from mittelo.laps.events import Who
from mittelo.laps.flow import Picked, claim, claimed_lap, look, open_again
from mittelo.laps.journal import Wanted, read_events
from mittelo.laps.place import Place, find_place
from mittelo.laps.selection import ACTIVE, AT_ROOT, Kind, Selection, everywhere, locate
from mittelo.laps.store import Lapbook, Store
from mittelo.log import warn
from mittelo.rally.lapguard import Guard

TITLE_LENGTH = 30
MOST_EVENTS = 1000
NOTHING_LEFT = {State.EMPTY: "the queue is empty", State.COMPLETE: "the queue is complete"}


class Count(Struct, frozen=True):
    """How many laps are done, and how many there are."""

    done: int
    total: int


class Desk:
    """Works one queue for one session, whose claims hold for so many seconds."""

    def __init__(self, place: Place, session: str, hold_seconds: float) -> None:
        self.place = place
        self.session = session
        self._store = Store(place)
        self._hold_seconds = hold_seconds
        self._guard = Guard(self._store)

    @property
    def env(self) -> dict[str, str]:
        """Return what the agents' `laps` must know to act for us."""
        return {SESSION_VARIABLE: self.session}

    def peek(self) -> Lap | None:
        """Return the lap that would be next, None if none is; claim nothing."""
        with self._store.reading() as book:
            return look(book, self._who()).lap

    def waits(self) -> bool:
        """Tell whether laps are left of which none may be begun."""
        try:
            with self._store.reading() as book:
                return look(book, self._who()).state in {State.HELD, State.CLAIMED}
        except MitteloError:
            return False

    def take(self) -> Lap | QueueEmpty | QueueWaits | QueueBroken:
        """Claim the lap that is next, or tell why there is none."""
        if broken := self.mend():
            return QueueBroken(broken)
        try:
            picked = claim(self._store, self._who(), self._hold_seconds)
        except MitteloError as error:
            return QueueBroken(_told(error))
        if picked.state is State.LAP and picked.lap:
            return picked.lap
        if picked.state in NOTHING_LEFT:
            return QueueEmpty(NOTHING_LEFT[picked.state])
        return QueueWaits(_why_waits(picked))

    def keep(self, lap_id: str) -> Lap | LapGone | QueueBroken:
        """Claim a lap again that a run has worked before, or tell why it cannot go on with it."""
        try:
            with self._store.reading() as book:
                found = locate(book, lap_id)
                lap = found[0].queue.find(lap_id) if found else None
            if lap is None:
                return LapGone(f"lap {lap_id} is not in the queue any more")
            if lap.is_done:
                return LapGone(f"lap {lap_id} is done", finished=True)
            where = _selection(found[0].file)
            picked = claim(self._store, self._who(), self._hold_seconds, where, lap_id)
        except MitteloError as error:
            return self._refused(lap_id, error)
        if picked.lap is None:
            return LapGone(f"lap {lap_id} may not be begun now: its stint is held")
        with contextlib.suppress(MitteloError):  # a stint elsewhere may be broken
            self._guard.keep()
        return picked.lap

    def facts(self, lap_id: str, finished: Sequence[str]) -> LapFacts:
        """Return what became of a lap; `finished` are those that the agent is known to have done.

        What it opened again itself does not count, and what no hook told of is in the log. Only
        `handoff_begun` and `said` are left for others to fill in.
        """
        if broken := self.mend():
            return LapFacts(lap_id, broken=broken)
        try:
            with self._store.reading() as book:
                found = locate(book, lap_id)
                lap = found[0].queue.find(lap_id) if found else None
                over = [name for name in finished if _is_over(book, name)]
        except MitteloError as error:
            return LapFacts(lap_id, broken=_told(error))
        done = lap is not None and lap.is_done
        if done and lap_id not in over and self._finished_it(lap_id):
            over.append(lap_id)
        return LapFacts(lap_id, done=done, gone=lap is None, finished=tuple(over))

    def _finished_it(self, lap_id: str) -> bool:
        """Tell whether it was we who finished a lap, as far as the log tells."""
        wanted = Wanted(lap=lap_id, limit=MOST_EVENTS)
        with contextlib.suppress(OSError):
            events = read_events(self.place.folder, wanted)
            whose = [event.get("session") for event in events if event["event"] == "completed"]
            return whose[-1:] == [self.session]
        return False

    def mend(self) -> str:
        """Bring a damaged queue in order; return what is still wrong.

        What needs no guess is mended; else it is what it was when the last try began.
        """
        trouble = self._trouble()
        if not trouble:
            return ""
        who, how = self._who(), ""
        with contextlib.suppress(MitteloError):
            report = mend(self._store, who)
            how = "is mended" + "".join(f", see {name}" for name in report.copies)
        if self._trouble():
            with contextlib.suppress(MitteloError):
                how = f"{', '.join(self._guard.bring_back(who))} is brought back as it was"
        if not (left := self._trouble()):
            warn(f"the queue was damaged ({trouble}); it {how}.")
        return left

    def _trouble(self) -> str:
        """Return why the queue cannot be worked, "" if it can."""
        if not _has_queue(self.place):
            return _gone(self.place)
        try:
            with self._store.reading() as book:
                look(book, self._who())
        except MitteloError as error:
            return _told(error)
        return ""

    def reopen(self, laps: Sequence[str]) -> list[str]:
        """Open laps again that were not meant to be finished; return those that were done."""
        who = self._who()
        with self._store.changing() as book:
            return [lap for lap in laps if _reopen(book, who, lap)]

    def release(self) -> None:
        """Give back what we have claimed, if anything."""
        who = self._who()
        with contextlib.suppress(MitteloError), self._store.changing() as book:
            if held := book.claims.of(self.session):
                lap = claimed_lap(book, held)
                book.put_claims(book.claims.drop(held))
                book.record(
                    who.event("rally", "unclaimed", held, lap or held.lap, {"reason": "released"})
                )

    def count(self) -> Count:
        """Return how far the queue is, with all stints; nothing where it cannot be read."""
        try:
            with self._store.reading() as book:
                laps = [lap for lap in _laps(book) if not lap.is_ref]
        except MitteloError:
            return Count(0, 0)
        return Count(sum(lap.is_done for lap in laps), len(laps))

    def follow_up(self, texts: Sequence[str]) -> list[str]:
        """Make laps of what should follow, at the head in their order; return their ids."""
        drafts = [Draft(title=_title(text), description=text) for text in texts]
        return [lap.id for lap in add(self._store, self._who(), drafts, HEAD).laps]

    def _who(self) -> Who:
        return Who(self.session, datetime.now(UTC))

    def _refused(self, lap_id: str, error: MitteloError) -> LapGone | QueueBroken:
        """Tell a claim that was refused from a queue that cannot be read."""
        try:
            with self._store.reading() as book:
                _ = book.root
        except MitteloError:
            return QueueBroken(_told(error))
        return LapGone(f"lap {lap_id} cannot be gone on with: {error.what}")


def _is_over(book: Lapbook, lap_id: str) -> bool:
    """Tell whether a lap is done, or not there any more."""
    found = locate(book, lap_id)
    return all(lap.is_done for context in found if (lap := context.queue.find(lap_id)))


def _has_queue(place: Place) -> bool:
    return (place.folder / ROOT_FILE).exists()


def session_name(key: str) -> str:
    """Return the session that the relays of a workspace are, by the key of its data."""
    return f"rally-{key}"


def find_desk(root: Path, session: str, hold_seconds: float = 0.0) -> Desk | None:
    """Return the queue that the workspace at `root` works, None if there is none.

    A folder further up has nothing to do with it; the main work tree of a linked one has, and so
    has what `LAPS_DIR` names.
    """
    try:
        place = find_place(root)
    except MitteloError:
        return None
    tops = {place.root.resolve(), place.work_tree.resolve()}
    ours = laps_folder() is not None or root.resolve() in tops
    return Desk(place, session, hold_seconds) if ours and _has_queue(place) else None


def _reopen(book: Lapbook, who: Who, lap_id: str) -> bool:
    """Open a lap again, and its stint if that was archived with it."""
    for context in locate(book, lap_id):
        lap = context.queue.find(lap_id)
        if lap and lap.is_done:
            open_again(book, who, "rally", context, lap)
            return True
    return False


def _laps(book: Lapbook) -> list[Lap]:
    return [lap for context in everywhere(book) for lap in context.queue.entries]


def _selection(file: str) -> Selection:
    if file == ROOT_FILE:
        return AT_ROOT
    name = stint_of(file) or archived_stint_of(file)
    return Selection(Kind.STINT, name) if name else ACTIVE


def _why_waits(picked: Picked) -> str:
    if picked.gate:
        name = picked.gate.scope.rpartition("/")[2]
        return (
            f"the stint {picked.gate.scope} is held; let it go on with: laps stints release {name}"
        )
    others = ", ".join(f"{claim.lap} by {claim.session or 'somebody'}" for claim in picked.barred)
    return f"all laps that are left are claimed: {others}"


def _gone(place: Place) -> str:
    return f"{place.folder / ROOT_FILE} is gone"


def _told(error: MitteloError) -> str:
    return f"{error.what} {error.todo}".rstrip()


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_LENGTH else f"{line[:TITLE_LENGTH]}..."
