"""What there is: the status of the queues, their laps as a tree, and how many are done."""

from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from mittelo.core.claims import Claim
from mittelo.core.instants import moment
from mittelo.core.lapfiles import archive_file, is_plain_name, stint_file, stint_of
from mittelo.core.queues import Lap, Queue
from mittelo.core.scopes import Context, Served, State
from mittelo.errors import MitteloError
from mittelo.laps.events import Who
from mittelo.laps.flow import claimed_lap
from mittelo.laps.selection import ACTIVE, Kind, Selection, context_at, select
from mittelo.laps.stints import is_queued
from mittelo.laps.store import Lapbook

UNASSIGNED = "unassigned"


class Counts(Struct, frozen=True):
    """How many entries a queue has."""

    todo: int
    done: int
    total: int


class Head(Struct, frozen=True, omit_defaults=True):
    """The lap that a claim would get."""

    id: str
    title: str
    assignee: str = ""


class ClaimState(Struct, frozen=True, rename="camel"):
    """A claim; it is valid while its lap is there to be done."""

    valid: bool
    lap: str
    file: str
    claimed_at: str | None
    age_seconds: int | None
    session: str
    expires_at: str
    expired: bool


class Gate(Struct, frozen=True):
    """The held stint that stops new work."""

    state: str
    stint: str
    scope: str
    file: str
    message: str


class Share(Struct, frozen=True):
    """How many laps are to do for one assignee."""

    assignee: str
    todo: int


class StintRow(Struct, frozen=True):
    """How a stint stands; references are not counted."""

    name: str
    scope: str
    file: str
    todo: int
    done: int
    total: int
    queued: bool
    archived: bool
    active: bool


class Snapshot(Struct, frozen=True, rename="camel"):
    """How everything stands."""

    file: str
    state: str
    counts: Counts
    head: Head | None
    claim: ClaimState | None
    claims: list[ClaimState]
    gate: Gate | None
    assignees: list[Share]
    active_stint: StintRow | None
    stints: list[StintRow]


class Branch(Struct, frozen=True):
    """An entry of a tree, how deep it lies, its number there, and what is wrong with it."""

    lap: Lap
    depth: int
    number: int
    file: str
    trouble: str = ""


class RoleCount(Struct, frozen=True):
    """How many entries of one assignee are done, and how many not."""

    assignee: str
    complete: int
    incomplete: int


def snapshot(book: Lapbook, who: Who, selection: Selection = ACTIVE, *, deep: bool) -> Snapshot:
    """Return how everything stands; the counts are those of root, or with `deep` of what is worked.

    A queue that is named is counted itself.
    """
    served = select(book, selection, who)
    shown = served.context if deep or selection.kind is not Kind.ACTIVE else book.root
    claims = [_claim_state(book, held, who) for held in book.claims.held]
    own = book.claims.of(who.session)
    claim = _claim_state(book, own, who) if own else next(iter(claims), None)
    rows = stint_rows(book, served)
    lap = served.lap
    return Snapshot(
        file=shown.file,
        state=_state_word(served, claim),
        counts=_counts(shown.queue),
        head=Head(lap.id, lap.line, lap.assignee) if lap else None,
        claim=claim,
        claims=claims,
        gate=_gate(served),
        assignees=_shares(shown.queue),
        active_stint=next((row for row in rows if row.active), None),
        stints=rows,
    )


def stint_rows(book: Lapbook, served: Served) -> list[StintRow]:
    """Return how every stint stands, by name, the active ones first."""
    active = [context_at(book, stint_file(name)) for name in book.stints()]
    archived = [
        Context(archive_file(name), name, book.queue(archive_file(name)))
        for name in book.archived()
    ]
    return [_row(book, context, served) for context in active + archived]


def tree(book: Lapbook) -> Iterator[Branch]:
    """Yield every entry from root down, each stint's below the reference to it."""
    yield from _branches(book, book.root, 0, ())


def role_counts(queue: Queue) -> list[RoleCount]:
    """Return how far each assignee is, by name."""
    done = Counter(lap.assignee or UNASSIGNED for lap in queue.done)
    todo = Counter(lap.assignee or UNASSIGNED for lap in queue.todo)
    return [RoleCount(name, done[name], todo[name]) for name in sorted(done | todo)]


def held_message(gate: Context) -> str:
    """Return what is said of a held stint."""
    name = stint_of(gate.file) or gate.scope
    return f"stint {gate.scope} is held; go on with it by: laps stints release {name}"


def _state_word(served: Served, claim: ClaimState | None) -> str:
    if claim and claim.valid and not claim.expired:
        return "active"
    return "ready" if served.state is State.LAP else served.state.value


def _claim_state(book: Lapbook, held: Claim, who: Who) -> ClaimState:
    lap = claimed_lap(book, held)
    since = held.claimed_at
    age = int((who.now - moment(since)).total_seconds()) if since else None
    return ClaimState(
        valid=bool(lap and not lap.is_done),
        lap=held.lap,
        file=held.file,
        claimed_at=since or None,
        age_seconds=age,
        session=held.session,
        expires_at=held.expires_at,
        expired=not held.is_live(who.now),
    )


def _gate(served: Served) -> Gate | None:
    gate = served.gate
    if not gate:
        return None
    return Gate(
        "held", stint_of(gate.file) or gate.scope, gate.scope, gate.file, held_message(gate)
    )


def _counts(queue: Queue) -> Counts:
    return Counts(len(queue.todo), len(queue.done), len(queue.entries))


def _shares(queue: Queue) -> list[Share]:
    counted = Counter(lap.assignee or UNASSIGNED for lap in queue.todo)
    return [Share(name, counted[name]) for name in sorted(counted)]


def _row(book: Lapbook, context: Context, served: Served) -> StintRow:
    laps = [lap for lap in context.queue.entries if not lap.is_ref]
    done = sum(lap.is_done for lap in laps)
    name = stint_of(context.file)
    return StintRow(
        name=name or context.scope,
        scope=context.scope,
        file=context.file,
        todo=len(laps) - done,
        done=done,
        total=len(laps),
        queued=is_queued(book, name or context.scope),
        archived=not name,
        active=context.file == served.context.file,
    )


def _branches(
    book: Lapbook, context: Context, depth: int, path: tuple[str, ...]
) -> Iterator[Branch]:
    for number, lap in enumerate((*context.queue.todo, *context.queue.done), 1):
        if not lap.is_ref:
            yield Branch(lap, depth, number, context.file)
            continue
        below, trouble = _below(book, lap, path)
        yield Branch(lap, depth, number, context.file, trouble)
        if below:
            yield from _branches(book, below, depth + 1, (*path, lap.ref))


def _below(book: Lapbook, ref: Lap, path: tuple[str, ...]) -> tuple[Context | None, str]:
    """Return the queue that a reference leads to, or why there is none."""
    if ref.ref in path:
        return None, "cycle"
    if not is_plain_name(ref.ref):
        return None, "malformed"
    for file in (stint_file(ref.ref), archive_file(ref.ref)):
        if book.has(file):
            try:
                return Context(file, ref.ref, book.queue(file)), ""
            except MitteloError:
                return None, "unreadable"
    return None, "missing"
