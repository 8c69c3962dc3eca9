"""Stints: queues of their own, each for one change, which the root queue refers to."""

from msgspec import Struct
from msgspec.structs import replace

from mittelo.core.lapfiles import (
    ROOT,
    ROOT_FILE,
    archive_file,
    is_plain_name,
    stint_file,
)
from mittelo.core.lapids import free_prefix
from mittelo.core.queues import Lap, Queue, Where, insert, remove
from mittelo.core.scopes import Context
from mittelo.laps.draining import drain, make_ref
from mittelo.laps.editing import taken_prefixes
from mittelo.laps.events import Who
from mittelo.laps.refusals import NotFoundError, StoreError
from mittelo.laps.selection import everywhere
from mittelo.laps.store import Lapbook, Store


class Stint(Struct, frozen=True):
    """A stint as a list shows it."""

    name: str
    prefix: str
    laps: int
    queued: bool
    archived: bool
    held: bool


def list_stints(book: Lapbook) -> list[Stint]:
    """Return all stints that can be read, active and archived, by name."""
    active = [(name, stint_file(name), False) for name in book.stints()]
    archived = [(name, archive_file(name), True) for name in book.archived()]
    return [describe(book, *known) for known in sorted(active + archived)]


def describe(book: Lapbook, name: str, file: str, archived: bool) -> Stint:
    """Return what a list shows of a stint."""
    queue = book.queue(file)
    laps = sum(not lap.is_ref for lap in queue.entries)
    return Stint(name, queue.prefix, laps, is_queued(book, name), archived, queue.held)


def is_queued(book: Lapbook, name: str) -> bool:
    """Tell whether root refers to a stint, done or not."""
    return bool(_ways(book.root, name))


def find_stint(book: Lapbook, name: str) -> tuple[Stint, Queue]:
    """Return a stint, active or archived."""
    for file, archived in ((stint_file(name), False), (archive_file(name), True)):
        if is_plain_name(name) and book.has(file):
            return describe(book, name, file, archived), book.queue(file)
    raise _missing(book, name)


def new_stint(store: Store, name: str) -> Stint:
    """Make an empty stint, which nothing refers to yet."""
    if not is_plain_name(name) or name == ROOT:
        raise StoreError(f"{name!r} is no name for a stint.", "Give it a plain name.")
    with store.changing() as book:
        for file in (stint_file(name), archive_file(name)):
            if book.has(file):
                raise StoreError(f"There is a stint {name} already: {file}.", "Name it otherwise.")
        queue = Queue(prefix=free_prefix(name, taken_prefixes(book)))
        book.put(stint_file(name), queue)
        return Stint(name, queue.prefix, 0, is_queued(book, name), archived=False, held=False)


def enqueue(store: Store, who: Who, name: str, where: Where) -> Lap:
    """Let root refer to a stint."""
    with store.changing() as book:
        _require_active(book, name)
        referring = [context.scope for context in everywhere(book) if _ways(context, name)]
        if referring:
            raise NotFoundError(f"{name} is already queued in {referring[0]}.", "See: laps list -r")
        root = book.root
        if where.anchor and not root.queue.find(where.anchor):
            raise NotFoundError(f"{where.anchor} is not in root.", "See: laps list --root")
        ref = make_ref(book, name, who)
        book.put(ROOT_FILE, insert(root.queue, [ref], where))
        detail = {"stint": name, "ref": ref.id, "position": where.position.value}
        book.record(who.event("stints-enqueue", "stint.enqueued", root, ref, detail))
        return ref


def hold(store: Store, who: Who, name: str, *, held: bool) -> None:
    """Hold a stint, so that no lap of it is started any more, or release it."""
    with store.changing() as book:
        _require_active(book, name)
        queue = book.stint(name)
        if queue.held == held:
            return
        cmd, what = ("stints-hold", "stint.held") if held else ("stints-release", "stint.released")
        context = Context(stint_file(name), name, queue)
        book.put(context.file, replace(queue, held=held))
        book.record(who.event(cmd, what, context, None, {"stint": name}))


def remove_stint(store: Store, who: Who, name: str, *, force: bool = False) -> None:
    """Delete a stint and all that refers to it; one that is in use only by force."""
    with store.changing() as book:
        files = [file for file in (stint_file(name), archive_file(name)) if book.has(file)]
        if not is_plain_name(name) or not files:
            raise _missing(book, name)
        parents = [context for context in everywhere(book) if _ways(context, name)]
        claimed = [held for held in book.claims.held if held.file in files]
        active = stint_file(name) in files
        if active and (parents or claimed) and not force:
            why = f"is in the queue of {parents[0].scope}" if parents else "has a claimed lap"
            raise NotFoundError(
                f"Stint {name} {why}.",
                f"Remove it all the same with: laps stints rm {name} --force",
            )
        for file in files:
            book.drop(file)
        for parent in parents:
            book.put(parent.file, remove(parent.queue, _ways(parent, name)))
        book.put_claims(book.claims.drop(*claimed))
        for parent in parents:
            drain(book, parent.file, who, "stints-rm")


def _ways(context: Context, name: str) -> set[str]:
    """Return the ids of the entries that lead to a stint."""
    return {lap.id for lap in context.queue.entries if lap.is_ref and lap.ref == name}


def _require_active(book: Lapbook, name: str) -> None:
    if not is_plain_name(name) or not book.has(stint_file(name)):
        raise _missing(book, name)


def _missing(book: Lapbook, name: str) -> NotFoundError:
    if is_plain_name(name) and book.has(archive_file(name)):
        return NotFoundError(f"Stint {name} is archived.", "See: laps stints ls")
    return NotFoundError(f"There is no stint {name!r}.", "See: laps stints ls")
