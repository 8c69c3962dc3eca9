"""Stints that are through: into the archive when nothing is left to do, and back."""

import contextlib

from mittelo.core.instants import instant_text
from mittelo.core.lapfiles import ROOT_FILE, archive_file, archived_stint_of, stint_file, stint_of
from mittelo.core.lapids import new_id
from mittelo.core.queues import HEAD, Lap, finish, insert, reopen
from mittelo.core.scopes import Context, walk
from mittelo.errors import MitteloError
from mittelo.laps.events import Who
from mittelo.laps.refusals import StoreError
from mittelo.laps.selection import everywhere
from mittelo.laps.store import Lapbook


def drain(book: Lapbook, file: str, who: Who, cmd: str) -> list[str]:
    """Archive a stint that has nothing left to do, then what that leaves without anything to do.

    Only a stint that root leads to is drained. Return the names of those that were.
    """
    name = stint_of(file)
    if not name or not _is_through(book, file) or file not in _reached(book):
        return []
    if book.has(archive_file(name)):
        raise StoreError(
            f"{archive_file(name)} is in the way of archiving stint {name}.", "Move it away first."
        )
    book.put(archive_file(name), book.queue(file))
    parents = [context for context in everywhere(book) if _refs(context, name, done=False)]
    book.drop(file)
    drained = [name]
    for parent in parents:
        _close(book, parent, name, who, cmd)
    for parent in parents:
        drained += drain(book, parent.file, who, cmd)
    return drained


def restore(book: Lapbook, name: str, who: Who) -> None:
    """Bring a stint back from the archive, with what leads to it from root.

    Where nothing leads to it any more, it is put at the head of root.
    """
    if book.has(stint_file(name)):
        raise StoreError(f"There is a new stint {name} already.", "Finish or remove it first.")
    parents = [context for context in everywhere(book) if _refs(context, name, done=None)]
    book.put(stint_file(name), book.queue(archive_file(name)))
    book.drop(archive_file(name))
    for parent in parents:
        queue = book.queue(parent.file)
        for ref in _refs(parent, name, done=True):
            queue = reopen(queue, ref.id, who.now)
        book.put(parent.file, queue)
        if above := archived_stint_of(parent.file):
            restore(book, above, who)
    if not parents:
        root = book.root.queue
        book.put(ROOT_FILE, insert(root, [make_ref(book, name, who)], HEAD))


def make_ref(book: Lapbook, name: str, who: Who) -> Lap:
    """Return a new entry that stands for a stint."""
    at = instant_text(who.now)
    return Lap(
        kind="stint",
        id=new_id(book.prefix, name, at, "", book.ids().__contains__),
        ref=name,
        title=name,
        created_at=at,
        updated_at=at,
    )


def _is_through(book: Lapbook, file: str) -> bool:
    queue = book.queue(file)
    return bool(queue.entries) and not queue.todo


def _reached(book: Lapbook) -> set[str]:
    with contextlib.suppress(MitteloError):
        return {context.file for context in walk(book.root, book.stint)}
    return set()


def _refs(context: Context, name: str, *, done: bool | None) -> list[Lap]:
    """Return the entries of a queue that stand for a stint."""
    found = [lap for lap in context.queue.entries if lap.is_ref and lap.ref == name]
    return [lap for lap in found if done is None or lap.is_done == done]


def _close(book: Lapbook, parent: Context, name: str, who: Who, cmd: str) -> None:
    """Mark what leads to a drained stint as done."""
    queue = book.queue(parent.file)
    ways = {"stint": name, "from": stint_file(name), "to": archive_file(name)}
    for ref in _refs(parent, name, done=False):
        queue = finish(queue, ref.id, who.now)
        known = {"stint": name, "ref": ref.id}
        book.record(who.event(cmd, "stint.completed", parent, ref, known))
    book.record(who.event(cmd, "stint.archived", parent, None, ways))
    book.put(parent.file, queue)
