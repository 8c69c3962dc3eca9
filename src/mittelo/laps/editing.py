"""Change what is in a queue: add, move, edit, delete, prune, transfer."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from mittelo.core.instants import instant_text
from mittelo.core.lapfiles import ROOT, archived_stint_of, scope_of, stint_file, stint_of
from mittelo.core.lapids import free_prefix, new_id
from mittelo.core.queues import (
    Lap,
    Queue,
    Where,
    insert,
    move,
    one_line,
    prune,
    remove,
    with_entries,
    with_lap,
)
from mittelo.core.scopes import Context, walk
from mittelo.laps.draining import drain
from mittelo.laps.events import Who
from mittelo.laps.flow import told
from mittelo.laps.refusals import RefusedError
from mittelo.laps.selection import (
    ACTIVE,
    AT_ROOT,
    Kind,
    Selection,
    context_at,
    context_of,
    everywhere,
    file_named,
    find_lap,
    not_found,
    select,
)
from mittelo.laps.store import Lapbook, Store


class Draft(Struct, frozen=True):
    """What a new lap says."""

    title: str
    description: str = ""
    assignee: str = ""


class Edit(Struct, frozen=True):
    """What is to be changed of a lap; None stays as it is."""

    title: str | None = None
    description: str | None = None
    assignee: str | None = None

    @property
    def fields(self) -> list[str]:
        """Return the names of what is changed."""
        return [name for name in self.__struct_fields__ if getattr(self, name) is not None]


class Changed(Struct, frozen=True):
    """A queue, the entries that a change was about, and words for the person at the terminal."""

    context: Context
    laps: tuple[Lap, ...]
    notes: tuple[str, ...] = ()


def add_context(book: Lapbook, selection: Selection, who: Who) -> Context:
    """Return the queue that laps are added to; a file that is named may be new."""
    if selection.kind is Kind.FILE:
        file = file_named(book, selection.name)
        return context_at(book, file) if book.has(file) else Context(file, scope_of(file), Queue())
    return select(book, selection, who).context


def add(
    store: Store, who: Who, drafts: Sequence[Draft], where: Where, selection: Selection = ACTIVE
) -> Changed:
    """Add laps in the order given, all or none."""
    check_drafts(drafts)
    with store.changing() as book:
        context = add_context(book, selection, who)
        notes = _check_anchor(book, context, where)
        queue = _with_prefix(book, context)
        laps = _made(book, who, queue.prefix or book.prefix, drafts)
        queue = insert(queue, laps, where)
        book.put(context.file, queue)
        for lap in laps:
            position = {"position": where.position.value}
            book.record(who.event("add", "created", context, lap, position))
        places = {lap.id: lap for lap in queue.entries}
        placed = tuple(places[lap.id] for lap in laps)
        return Changed(Context(context.file, context.scope, queue), placed, notes)


def check_drafts(drafts: Sequence[Draft]) -> None:
    """Refuse drafts without a title; of several, tell which."""
    for number, draft in enumerate(drafts, 1):
        if not one_line(draft.title):
            which = f"Task {number} has" if len(drafts) > 1 else "The lap has"
            raise RefusedError(f"{which} no title.", "Give it one.")


def move_lap(
    store: Store, who: Who, lap_id: str, where: Where, selection: Selection = ACTIVE
) -> Changed:
    """Give a lap another place in its queue."""
    with store.changing() as book:
        context, lap = find_lap(book, selection, lap_id, who)
        if lap.is_done:
            raise RefusedError(f"{lap_id} is done; its place is fixed.", "See: laps done undo")
        if where.anchor == lap_id:
            raise RefusedError(f"{lap_id} cannot follow itself.", "Name another lap.")
        notes = _check_anchor(book, context, where)
        queue = move(context.queue, lap_id, where, who.now)
        moved = queue.find(lap_id) or lap
        detail: dict[str, str | int | list[str]] = {
            "position": where.position.value,
            "from": lap.order,
            "to": moved.order,
        }
        if where.anchor:
            detail["after"] = where.anchor
        book.put(context.file, queue)
        book.record(who.event("move", "moved", context, moved, detail))
        return Changed(context, (moved,), notes)


def edit(
    store: Store,
    who: Who,
    lap_id: str,
    changes: Edit,
    selection: Selection = ACTIVE,
    cmd: str = "edit",
) -> Changed:
    """Change what a lap says; one that is done stays done."""
    with store.changing() as book:
        context, lap = find_lap(book, selection, lap_id, who)
        title = lap.title if changes.title is None else one_line(changes.title)
        if not title:
            raise RefusedError("The title is blank.", "Give one, or leave --title away.")
        edited = replace(
            lap,
            title=title,
            description=lap.description if changes.description is None else changes.description,
            assignee=lap.assignee if changes.assignee is None else one_line(changes.assignee),
            updated_at=instant_text(who.now),
        )
        book.put(context.file, with_lap(context.queue, edited))
        book.record(who.event(cmd, "edited", context, edited, {"fields": changes.fields}))
        notes = (f"{lap_id} is already done, and stays so",) if lap.is_done else ()
        return Changed(context, (edited,), notes)


def delete(
    store: Store, who: Who, lap_id: str, selection: Selection = ACTIVE, *, force: bool = False
) -> Changed:
    """Take a lap out for good; one that is claimed only by force."""
    with store.changing() as book:
        context, lap = find_lap(book, selection, lap_id, who)
        check_delete(book, who, context, lap, force=force)
        book.put(context.file, remove(context.queue, {lap_id}))
        book.put_claims(book.claims.drop(book.claims.on(context.file, lap_id)))
        book.record(who.event("delete", "deleted", context, lap))
        drain(book, context.file, who, "delete")
        return Changed(context, (lap,))


def check_delete(book: Lapbook, who: Who, context: Context, lap: Lap, *, force: bool) -> None:
    """Refuse to delete a lap that somebody works on."""
    held = book.claims.guards(who.session, context.file, lap.id, who.now)
    if held and not force:
        raise RefusedError(
            f"{lap.id} is claimed by {told(held)}.",
            f"Delete it all the same with: laps delete {lap.id} --force",
        )


def prune_done(store: Store, who: Who, keep: int, selection: Selection = ACTIVE) -> Changed:
    """Take out what is done but for the newest; return what was taken out."""
    with store.changing() as book:
        context = select(book, selection, who).context
        queue, gone = prune(context.queue, keep)
        if gone:
            book.put(context.file, queue)
        for lap in gone:
            book.record(who.event("prune", "pruned", context, lap))
        drain(book, context.file, who, "prune")
        return Changed(context, tuple(gone))


def transfer(
    store: Store, who: Who, target: str, ids: Sequence[str], selection: Selection = ACTIVE
) -> tuple[Context, Context, tuple[Lap, ...]]:
    """Move entries to another queue as they are; return source, target and entries."""
    with store.changing() as book:
        source, goal, laps = look_transfer(book, who, target, ids, selection)
        book.put(source.file, remove(source.queue, set(ids)))
        queue = _with_prefix(book, goal)
        book.put(goal.file, with_entries(queue, (*queue.entries, *laps)))
        ways = {
            "from": source.scope,
            "to": goal.scope,
            "fromFile": source.file,
            "toFile": goal.file,
        }
        for lap in laps:
            book.put_claims(book.claims.drop(book.claims.on(source.file, lap.id)))
            book.record(who.event("transfer", "transferred", goal, lap, ways))
        drain(book, source.file, who, "transfer")
        return source, goal, laps


def look_transfer(
    book: Lapbook, who: Who, target: str, ids: Sequence[str], selection: Selection
) -> tuple[Context, Context, tuple[Lap, ...]]:
    """Return the source, the target and the entries of a transfer that is possible."""
    if selection.kind is Kind.FILE:
        raise RefusedError("Raw task files take no part in transfers.", "Use --root or --stint.")
    source = select(book, selection, who).context
    goal = context_of(book, AT_ROOT if target == ROOT else Selection(Kind.STINT, target))
    if source.file == goal.file:
        raise RefusedError(f"Source and target are both {goal.scope}.", "Name another target.")
    if len(set(ids)) < len(ids):
        raise RefusedError("A lap is named twice.", "Name each once.")
    laps = [find_lap(book, selection, lap_id, who)[1] for lap_id in ids]
    for lap in laps:
        check_transfer(book, who, source, goal, lap)
    return source, goal, tuple(lap for lap in source.queue.entries if lap in laps)


def check_transfer(book: Lapbook, who: Who, source: Context, goal: Context, lap: Lap) -> None:
    """Refuse to transfer what is claimed, what is there already, and a stint into itself."""
    if goal.queue.find(lap.id):
        raise RefusedError(f"{goal.scope} has an entry {lap.id} already.", "Delete one of them.")
    if held := book.claims.guards(who.session, source.file, lap.id, who.now):
        raise RefusedError(
            f"{lap.id} is claimed by {told(held)}.", "Give it back with: laps claim undo"
        )
    if lap.is_ref and stint_of(goal.file) in _below(book, lap.ref):
        raise RefusedError(f"{goal.scope} lies in stint {lap.ref} itself.", "Name another target.")


def _below(book: Lapbook, name: str) -> set[str]:
    """Return the names of a stint and of all that lie in it."""
    if not book.has(stint_file(name)):
        return {name}
    top = Context(stint_file(name), name, book.stint(name))
    return {name} | {stint_of(context.file) for context in walk(top, book.stint)}


def _check_anchor(book: Lapbook, context: Context, where: Where) -> tuple[str, ...]:
    """Require that what something is put after is there; tell if it is done."""
    if not where.anchor:
        return ()
    anchor = context.queue.find(where.anchor)
    if not anchor:
        raise not_found(book, context, where.anchor)
    return (f"{where.anchor} is already complete; the head was used",) if anchor.is_done else ()


def _with_prefix(book: Lapbook, context: Context) -> Queue:
    """Return the queue with a prefix of its own, if it is a stint's."""
    name = stint_of(context.file) or archived_stint_of(context.file)
    if not name or context.queue.prefix:
        return context.queue
    return replace(context.queue, prefix=free_prefix(name, taken_prefixes(book)))


def taken_prefixes(book: Lapbook) -> set[str]:
    """Return the prefixes that root and all stints have."""
    return {book.prefix} | {context.queue.prefix for context in everywhere(book)}


def _made(book: Lapbook, who: Who, prefix: str, drafts: Sequence[Draft]) -> list[Lap]:
    at = instant_text(who.now)
    laps: list[Lap] = []
    taken = book.ids()
    for draft in drafts:
        title, text = one_line(draft.title), draft.description
        taken.add(found := new_id(prefix, title, at, text, taken.__contains__))
        laps.append(
            Lap(
                id=found,
                title=title,
                description=text,
                assignee=one_line(draft.assignee),
                created_at=at,
                updated_at=at,
            )
        )
    return laps
