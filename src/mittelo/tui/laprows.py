"""What the board lists: every lap in its queue, stints as groups, and how a line is drawn."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct
from rich.cells import cell_len
from rich.text import Text

from mittelo.core.claims import Claim
from mittelo.core.clipping import one_line
from mittelo.core.instants import moment
from mittelo.core.lapfiles import (
    ROOT_FILE,
    archive_file,
    archived_stint_of,
    stint_file,
    stint_of,
)
from mittelo.core.queues import Lap
from mittelo.laps.boarding import Picture, Target

WIDE = 64
MOST_TITLE = 2000
MOST_NAME = 16
INDENT = "  "


class View(Struct, frozen=True):
    """What is shown: also what is done, only what has these words, and the groups turned over."""

    shows_done: bool = False
    words: str = ""
    turned: frozenset[str] = frozenset()


class Row(Struct, frozen=True):
    """One line: a lap, or the group of a stint. A stint that is not queued has no lap."""

    file: str
    lap: Lap | None
    depth: int = 0
    stint: str = ""
    inside: str = ""
    is_open: bool = False
    done: int = 0
    total: int = 0
    is_held: bool = False
    is_head: bool = False
    claim: Claim | None = None
    trouble: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Return what stays the same of it."""
        return self.file, self.lap.id if self.lap else self.stint

    @property
    def target(self) -> Target | None:
        """Return what an action on it is about."""
        return Target(self.file, self.lap) if self.lap else None


def rows(picture: Picture, view: View) -> list[Row]:
    """Return the lines of the board: root from its head on, then stints that nothing leads to."""
    found = _Rows(picture, view)
    listed = list(found.of(ROOT_FILE, 0))
    for file in (*picture.queues, *picture.troubles):
        if stint_of(file) and file not in found.reached:
            listed += found.group(file, Row(file, None, stint=stint_of(file)), 0)
    return listed


class _Rows:
    def __init__(self, picture: Picture, view: View) -> None:
        self.reached: set[str] = set()
        self._picture, self._view = picture, view
        self._words = view.words.casefold().split()
        self._claims = {(claim.file, claim.lap): claim for claim in reversed(picture.claims)}

    def of(self, file: str, depth: int) -> Iterator[Row]:
        """Yield the lines of one queue."""
        queue = self._picture.queues.get(file)
        if not queue:
            return
        for lap in (*queue.todo, *(reversed(queue.done) if self._view.shows_done else ())):
            if lap.is_ref:
                below = self._below(lap)
                row = Row(file, lap, depth, stint=lap.ref, inside=stint_of(file))
                yield from self.group(below, row, depth)
            elif self._fits(lap):
                yield Row(
                    file,
                    lap,
                    depth,
                    inside=stint_of(file),
                    is_head=self._picture.head == (file, lap.id),
                    claim=self._claims.get((file, lap.id)),
                )

    def group(self, file: str, row: Row, depth: int) -> Iterator[Row]:
        """Yield the line of a stint, and if it is open those in it; each stint once."""
        again = file in self.reached
        self.reached.add(file)
        name = row.stint
        is_open = bool(self._words) or (archived_stint_of(file) == "") != (
            name in self._view.turned
        )
        inside = [] if again else list(self.of(file, depth + 1))
        if self._words and not inside and not self._has(name):
            return
        queue = self._picture.queues.get(file)
        yield Row(
            row.file,
            row.lap,
            depth,
            name,
            row.inside,
            is_open=is_open and not again,
            done=len(queue.done) if queue else 0,
            total=len(queue.entries) if queue else 0,
            is_held=bool(queue and queue.held),
            trouble=self._trouble(file, again=again),
        )
        yield from inside if is_open else ()

    def _below(self, ref: Lap) -> str:
        active, archived = stint_file(ref.ref), archive_file(ref.ref)
        known = {*self._picture.queues, *self._picture.troubles}
        return archived if active not in known and archived in known else active

    def _trouble(self, file: str, *, again: bool) -> str:
        if file in self._picture.troubles:
            return "cannot be read"
        if file not in self._picture.queues:
            return "is not there"
        return "see above" if again else ""

    def _fits(self, lap: Lap) -> bool:
        return not self._words or self._has(
            f"{lap.id} {lap.title} {lap.assignee} {lap.description}"
        )

    def _has(self, text: str) -> bool:
        text = text.casefold()
        return all(word in text for word in self._words)


def plain(text: str) -> str:
    """Return stored text in one line, without anything that a terminal would obey."""
    flat = one_line(text[:MOST_TITLE], MOST_TITLE)
    return "".join(char for char in flat if char.isprintable())


def plain_lines(text: str) -> str:
    """Return stored text line by line, without anything that a terminal would obey."""
    return "\n".join(
        "".join(char for char in line.expandtabs(4) if char.isprintable())
        for line in text.splitlines()
    )


def line(row: Row, width: int, now: datetime) -> Text:
    """Return a row as it is drawn, exactly as wide as there is room."""
    end = _end(row, width, now)
    left = _group_line(row) if row.stint else _lap_line(row)
    room = max(0, width - end.cell_len - (1 if end else 0))
    left.truncate(room, overflow="ellipsis", pad=True)
    left = left if not end else Text.assemble(left, " ", end)
    left.truncate(width, pad=True)
    return left


def claim_words(claim: Claim, now: datetime) -> str:
    """Return whose a claim is and how old, in a few characters."""
    name = plain(claim.session) or "claimed"
    if cell_len(name) > MOST_NAME:
        name = f"{name[: MOST_NAME - 1]}…"
    age = age_words((now - moment(claim.claimed_at)).total_seconds()) if claim.claimed_at else ""
    return " ".join(filter(None, [name, age, "" if claim.is_live(now) else "over"]))


def age_words(seconds: float) -> str:
    """Return a span of time in a few characters."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d"


def _lap_line(row: Row) -> Text:
    lap = row.lap
    if not lap:
        return Text()
    style = "dim" if lap.is_done else "bold" if row.is_head else ""
    return Text.assemble(_mark(row, lap), " ", (plain(lap.title) or "(no title)", style))


def _mark(row: Row, lap: Lap) -> Text:
    indent = INDENT * row.depth
    if lap.is_done:
        return Text(f"{indent}✓", "green dim")
    if row.claim:
        return Text(f"{indent}●", "yellow")
    return Text(f"{indent}▶", "bold green") if row.is_head else Text(f"{indent}·", "dim")


def _group_line(row: Row) -> Text:
    done = bool(row.lap and row.lap.is_done)
    sign = "▾" if row.is_open else "▸"
    text = Text(f"{INDENT * row.depth}{sign} ", "green dim" if done else "cyan")
    text.append(f"{plain(row.stint)}/", "dim" if done else "bold cyan")
    text.append(f" {row.done}/{row.total}", "dim")
    if row.is_held:
        text.append(" held", "bold red")
    if row.trouble:
        text.append(f" {row.trouble}", "red")
    elif not row.lap:
        text.append(" not queued", "dim")
    return text


def _end(row: Row, width: int, now: datetime) -> Text:
    """Return what stands at the right end: the claim, the assignee, and with room the id."""
    parts = []
    if row.claim:
        parts.append(Text(claim_words(row.claim, now), "yellow"))
    if row.lap and row.lap.assignee:
        parts.append(Text(plain(row.lap.assignee)[:MOST_NAME], "magenta"))
    if row.lap and width >= WIDE:
        parts.append(Text(plain(row.lap.id), "dim"))
    end = Text("  ").join(parts)
    end.truncate(width // 2, overflow="ellipsis")
    return end
