"""Which queue a command means, and which lap in it."""

import contextlib
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from mittelo.core.claims import Claim
from mittelo.core.lapfiles import (
    HOOKS_FILE,
    ROOT_FILE,
    archive_file,
    scope_of,
    stint_file,
    stint_of,
)
from mittelo.core.queues import Lap
from mittelo.core.scopes import Context, Served, serve, serve_here, walk
from mittelo.errors import MitteloError
from mittelo.laps.events import Who
from mittelo.laps.folder import inside
from mittelo.laps.refusals import NotFoundError, RefusedError
from mittelo.laps.store import Lapbook


class Kind(StrEnum):
    """How a queue is chosen."""

    ACTIVE = "active"
    ROOT = "root"
    STINT = "stint"
    FILE = "file"


class Selection(Struct, frozen=True):
    """The queue that is meant; `name` is that of the stint or of the file."""

    kind: Kind = Kind.ACTIVE
    name: str = ""


ACTIVE = Selection()
AT_ROOT = Selection(Kind.ROOT)


def select(book: Lapbook, selection: Selection, who: Who) -> Served:
    """Return what is next in the queue that is meant, and that queue."""

    def bar(file: str, lap_id: str) -> Claim | None:
        return book.claims.bars(who.session, file, lap_id, who.now)

    if selection.kind is Kind.ACTIVE:
        return serve(book.root, book.stint, bar)
    return serve_here(context_of(book, selection), bar)


def context_of(book: Lapbook, selection: Selection) -> Context:
    """Return the queue that is named outright."""
    if selection.kind is Kind.STINT:
        book.stint(selection.name)
        return context_at(book, stint_file(selection.name))
    if selection.kind is Kind.FILE:
        file = file_named(book, selection.name)
        if not book.has(file) and file != ROOT_FILE:
            raise _no_file(book, file)
        return context_at(book, file)
    return book.root


def context_at(book: Lapbook, file: str) -> Context:
    """Return the queue of a file with the scope that leads there from the root."""
    if stint_of(file):
        with contextlib.suppress(MitteloError):  # a broken root is no matter of this queue
            for context in walk(book.root, book.stint):
                if context.file == file:
                    return context
    return Context(file, scope_of(file), book.queue(file))


def file_named(book: Lapbook, name: str) -> str:
    """Return the file below `.laps` that `-f` means."""
    path = inside(book.place.folder, name if name.endswith(".json") else f"{name}.json")
    file = path.relative_to(book.place.folder.resolve()).as_posix()
    if file == HOOKS_FILE or not name.strip() or "/." in f"/{file}":
        raise RefusedError(f"{name!r} is no name for a task file.", "Give it another name.")
    return file


def find_lap(book: Lapbook, selection: Selection, lap_id: str, who: Who) -> tuple[Context, Lap]:
    """Return an entry of the queue that is meant; where it is instead, if it is elsewhere."""
    context = select(book, selection, who).context
    if lap := context.queue.find(lap_id):
        return context, lap
    raise not_found(book, context, lap_id)


def not_found(book: Lapbook, context: Context, lap_id: str) -> NotFoundError:
    """Return the error for an id that is not in a queue; it tells where it is instead."""
    elsewhere = locate(book, lap_id)
    told = f"{lap_id} is not found in {_named(context)}"
    if not elsewhere:
        return NotFoundError(f"{told}.", "See: laps list --tree")
    owner = elsewhere[0]
    if owner.file == ROOT_FILE:
        return NotFoundError(f"{told}: it is in root.", "Name that with: --root")
    if name := stint_of(owner.file):
        return NotFoundError(f"{told}: it is in stint {name}.", f"Name that with: --stint {name}")
    return NotFoundError(f"{told}: it is in the archived stint {owner.scope}.")


def locate(book: Lapbook, lap_id: str) -> list[Context]:
    """Return the queues that have an entry of this id: root, stints and archived ones."""
    return [context for context in everywhere(book) if context.queue.find(lap_id)]


def everywhere(book: Lapbook) -> Iterator[Context]:
    """Yield every queue that can be read: root, the stints below it, other stints, the archive."""
    seen = set()
    with contextlib.suppress(MitteloError):
        for context in walk(book.root, book.stint):
            seen.add(context.file)
            yield context
    archived = {archive_file(name): name for name in book.archived()}
    names = {stint_file(name): name for name in book.stints()} | archived
    for file, name in names.items():
        if file not in seen:
            with contextlib.suppress(MitteloError):
                yield Context(file, name, book.queue(file))


def _no_file(book: Lapbook, file: str) -> NotFoundError:
    folder, _, last = file.rpartition("/")
    name = stint_of(file) or last.removesuffix(".json").removesuffix(".laps")
    stint = folder == "stints" or book.has(stint_file(name))
    hint = f"--stint {name}" if stint else "laps list --tree"
    return NotFoundError(
        f"There is no task file {file} in {book.place.folder}.", f"Perhaps you mean: {hint}"
    )


def _named(context: Context) -> str:
    return "root" if context.file == ROOT_FILE else context.scope
