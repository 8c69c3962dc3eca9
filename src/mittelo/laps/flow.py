"""Work on laps: look at the next one, claim it, finish it, and take that back."""

import contextlib
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from mittelo.core.claims import Claim, make_claim
from mittelo.core.instants import ZERO, moment, order_key
from mittelo.core.lapfiles import archived_stint_of, stint_file
from mittelo.core.queues import Lap, finish, reopen
from mittelo.core.scopes import Context, State
from mittelo.errors import MitteloError
from mittelo.laps.draining import drain, restore
from mittelo.laps.events import Who
from mittelo.laps.refusals import NotFoundError, RefusedError
from mittelo.laps.selection import (
    ACTIVE,
    Selection,
    context_at,
    everywhere,
    find_lap,
    select,
)
from mittelo.laps.store import Lapbook, Store

UNDO_SECONDS = 300.0


class Picked(Struct, frozen=True):
    """What was looked for or claimed; the state tells why there is no lap.

    `gate` is the held stint that it lies behind, `barred` are claims of others on what was passed
    over, `notes` are for the person at the terminal.
    """

    state: State
    context: Context
    lap: Lap | None = None
    gate: Context | None = None
    barred: tuple[Claim, ...] = ()
    claim: Claim | None = None
    notes: tuple[str, ...] = ()


class Finished(Struct, frozen=True):
    """A lap that was done, and the stints that this drained."""

    context: Context
    lap: Lap
    drained: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def look(book: Lapbook, who: Who, selection: Selection = ACTIVE, lap_id: str = "") -> Picked:
    """Return the lap that is meant; without an id, the one that a claim would get."""
    served = select(book, selection, who)
    if not lap_id:
        return Picked(served.state, served.context, served.lap, served.gate, served.barred)
    context, lap = find_lap(book, selection, lap_id, who)
    return Picked(State.LAP, context, lap, served.gate)


def claim(
    store: Store,
    who: Who,
    hold_seconds: float,
    selection: Selection = ACTIVE,
    lap_id: str = "",
    *,
    take: bool = False,
) -> Picked:
    """Claim a lap for a session; `take` takes one that another session has.

    Without an id, what others have claimed is passed over. Where the state is not `lap`, nothing
    was claimed.
    """
    with store.changing() as book:
        picked = look(book, who, selection, lap_id)
        own = book.claims.of(who.session)
        is_own = own and own.is_on(picked.context.file, lap_id)
        if lap_id and picked.gate and not is_own:  # a hold stops the start, not what has begun
            return replace(picked, state=State.HELD, lap=None)
        if picked.state is not State.LAP or not picked.lap:
            return picked
        notes = _free(book, who, picked.context, picked.lap, take=take)
        held = _renewed(book, who, hold_seconds, picked.context, picked.lap)
        book.put_claims(book.claims.add(held))
        return replace(picked, claim=held, notes=tuple(notes))


def unclaim(store: Store, who: Who) -> tuple[Claim, Lap | None]:
    """Give the session's claim back; return it, and its lap if that can be found."""
    with store.changing() as book:
        held = book.claims.of(who.session)
        if not held:
            raise NotFoundError(f"You have claimed nothing{_others(book)}.", "See: laps status")
        lap = claimed_lap(book, held)
        book.put_claims(book.claims.drop(held))
        book.record(who.event("claim-undo", "unclaimed", held, lap or held.lap))
        return held, lap


def claimed_lap(book: Lapbook, held: Claim) -> Lap | None:
    """Return the lap of a claim, if it can be found."""
    try:
        return book.queue(held.file).find(held.lap)
    except MitteloError:
        return None


def look_done(
    book: Lapbook, who: Who, selection: Selection = ACTIVE, lap_id: str = ""
) -> tuple[Context, Lap]:
    """Return the lap that `done` means: the one named, else the one that the session claimed."""
    if lap_id:
        context, lap = find_lap(book, selection, lap_id, who)
    else:
        context, lap = _claimed(book, who, selection)
    _require_open(lap)
    return context, lap


def done(store: Store, who: Who, selection: Selection = ACTIVE, lap_id: str = "") -> Finished:
    """Finish a lap: the one named, else the one that the session has claimed."""
    with store.changing() as book:
        context, lap = look_done(book, who, selection, lap_id)
        queue = finish(context.queue, lap.id, who.now)
        book.put(context.file, queue)
        book.record(who.event("done", "completed", context, lap))
        drained = drain(book, context.file, who, "done")
        notes = _end_claim(book, who, context, lap)
        finished = queue.find(lap.id) or lap
        return Finished(Context(context.file, context.scope, queue), finished, (*drained,), notes)


def look_undo(book: Lapbook, who: Who, *, force: bool) -> tuple[Context, Lap]:
    """Return the lap that was finished last; refuse if that was long ago, unless forced."""
    found = [(c, lap) for c in _all(book) for lap in c.queue.done if not lap.is_ref]
    if not found:
        raise NotFoundError("No lap was done yet.", "See: laps status")
    context, lap = max(found, key=lambda at: (order_key(at[1].completed_at or ZERO), at[1].id))
    age = (who.now - moment(lap.completed_at or ZERO)).total_seconds()
    if age > UNDO_SECONDS and not force:
        raise NotFoundError(
            f"{lap.line} ({lap.id}) was done {age / 60:.0f} minutes ago.",
            "Open it again all the same with: laps done undo --yes",
        )
    return context, lap


def undo(store: Store, who: Who, *, force: bool = False) -> tuple[Context, Lap]:
    """Open the lap again that was finished last, and bring its stint back if it was archived."""
    with store.changing() as book:
        context, lap = look_undo(book, who, force=force)
        return open_again(book, who, "done-undo", context, lap)


def open_again(
    book: Lapbook, who: Who, cmd: str, context: Context, lap: Lap
) -> tuple[Context, Lap]:
    """Open a lap that is done, and its stint if that is archived; return where it is then."""
    if name := archived_stint_of(context.file):
        restore(book, name, who)
        context = context_at(book, stint_file(name))
    queue = reopen(context.queue, lap.id, who.now)
    book.put(context.file, queue)
    book.record(who.event(cmd, "reopened", context, lap))
    return context, queue.find(lap.id) or lap


def _free(book: Lapbook, who: Who, context: Context, lap: Lap, *, take: bool) -> list[str]:
    """End what stands against our claim on a lap, or refuse it."""
    _require_open(lap)
    notes: list[str] = []
    bar = book.claims.bars(who.session, context.file, lap.id, who.now)
    if bar and not take:
        raise RefusedError(
            f"{lap.id} is claimed by {told(bar)}.",
            f"Take another, or take it over with: laps claim {lap.id} --take",
        )
    held = book.claims.on(context.file, lap.id)
    if held and held.session != who.session:
        reason = "taken" if bar else "expired"
        notes.append(f"the claim of {told(held)} is {'taken over' if bar else 'over'}")
        _drop(book, who, held, lap, {"reason": reason, "of": held.session})
    own = book.claims.of(who.session)
    if own and not own.is_on(context.file, lap.id):
        notes.append(f"this replaces your claim on {own.lap}")
        _drop(book, who, own, claimed_lap(book, own), {"reason": "replaced"})
    return notes


def _drop(book: Lapbook, who: Who, held: Claim, lap: Lap | None, detail: dict[str, str]) -> None:
    book.put_claims(book.claims.drop(held))
    book.record(who.event("claim", "unclaimed", held, lap or held.lap, {**detail}))


def _renewed(book: Lapbook, who: Who, hold_seconds: float, context: Context, lap: Lap) -> Claim:
    """Return our claim on a lap; what we had claimed already keeps its beginning."""
    fresh = make_claim(lap.id, context.file, context.scope, who.session, who.now, hold_seconds)
    own = book.claims.of(who.session)
    if own:  # it is on this very lap: another was dropped
        return replace(fresh, claimed_at=own.claimed_at)
    book.record(who.event("claim", "claimed", context, lap))
    return fresh


def _claimed(book: Lapbook, who: Who, selection: Selection) -> tuple[Context, Lap]:
    """Return the lap that the session has claimed."""
    held = book.claims.of(who.session)
    if not held:
        raise _nothing_claimed(book, who, selection)
    if book.has(held.file):
        context = context_at(book, held.file)
        if lap := context.queue.find(held.lap):
            return context, lap
    raise NotFoundError(
        f"{held.lap}, which you have claimed, is gone from {held.file}.",
        "Give it back with: laps claim undo",
    )


def _nothing_claimed(book: Lapbook, who: Who, selection: Selection) -> NotFoundError:
    if others := _others(book):
        return NotFoundError(
            f"You have claimed nothing{others}.", "Finish one with: laps done <id>"
        )
    head = select(book, selection, who).lap
    if not head:
        return NotFoundError("Nothing is claimed, and there is no lap to do.", "See: laps status")
    return NotFoundError(
        f"Nothing is claimed; the head is {head.id}: {head.line}.",
        f"Claim it with: laps claim, or finish it with: laps done {head.id}",
    )


def _end_claim(book: Lapbook, who: Who, context: Context, lap: Lap) -> tuple[str, ...]:
    """End the claim on a lap that is done, whoever has it."""
    held = book.claims.on(context.file, lap.id)
    if not held:
        return ()
    book.put_claims(book.claims.drop(held))
    others = {"of": held.session} if held.session != who.session else {}
    book.record(who.event("done", "unclaimed", held, lap, {"reason": "completed", **others}))
    live = others and held.is_live(who.now)
    return (f"this ends the claim of {told(held)}",) if live else ()


def told(held: Claim) -> str:
    """Return whose a claim is, since when and until when."""
    whose = f"session {held.session}" if held.session else "a session without a name"
    since = f" since {held.claimed_at}" if held.claimed_at else ""
    return f"{whose}{since} until {held.expires_at}"


def _others(book: Lapbook) -> str:
    """Return who has claimed what, to be put behind a sentence; "" for nobody."""
    claims = [f"{held.lap} is claimed by {told(held)}" for held in book.claims.held]
    return "; " + "; ".join(claims) if claims else ""


def _require_open(lap: Lap) -> None:
    if lap.is_ref:
        raise RefusedError(
            f"{lap.id} stands for stint {lap.ref}, whose laps are worked.",
            f"See: laps list --stint {lap.ref}",
        )
    if lap.is_done:
        raise NotFoundError(f"{lap.id} is already done: {lap.line}.", "See: laps status")


def _all(book: Lapbook) -> Iterator[Context]:
    """Yield every queue, those of raw files too."""
    yield from everywhere(book)
    for file in book.raw_files():
        with contextlib.suppress(MitteloError):
            yield context_at(book, file)
