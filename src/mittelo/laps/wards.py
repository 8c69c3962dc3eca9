"""What can be wrong between files that are each in order: references, stints, ids, claims."""

from collections.abc import Container, Iterator, Mapping

from msgspec import Struct

from mittelo.core.lapfiles import (
    CLAIM_FILE,
    ROOT_FILE,
    archive_file,
    is_plain_name,
    scope_of,
    stint_file,
    stint_of,
)
from mittelo.core.queues import Lap, Queue, finish, reopen
from mittelo.laps.draining import restore
from mittelo.laps.events import Who
from mittelo.laps.flow import claimed_lap, told
from mittelo.laps.store import Lapbook

Queues = Mapping[str, Queue]


class Finding(Struct, frozen=True, rename="camel"):
    """One thing that is wrong: where, what, and what to do about it by hand.

    What is `harmless` is worth knowing, and no fault.
    """

    where: str
    what: str
    todo: str = ""
    mendable: bool = False
    mended: bool = False
    harmless: bool = False


def check_chains(
    book: Lapbook, queues: Queues, unreadable: Container[str], who: Who
) -> Iterator[Finding]:
    """Look where references lead; mend in the book what needs no guessing."""
    if ROOT_FILE not in unreadable:
        yield from _hidden(book, queues, who)
    for file, queue in queues.items():
        for ref in (lap for lap in queue.todo if lap.is_ref):
            yield from _check_ref(book, file, ref, who)
    yield from _cycles(queues)
    yield from _twice(queues)


def check_claims(
    book: Lapbook, _queues: Queues, unreadable: Container[str], who: Who
) -> Iterator[Finding]:
    """Look what claims lead to; take those out of the book that lead to nothing to do."""
    for claim in book.claims.held:
        lap = claimed_lap(book, claim)
        whose = f"{claim.lap} of {told(claim)}"
        if (not lap or lap.is_done) and claim.file not in unreadable:
            why = "is done" if lap else f"is not in {claim.file}"
            book.put_claims(book.claims.drop(claim))
            book.record(who.event("doctor", "unclaimed", claim, claim.lap, {"reason": "dangling"}))
            yield Finding(CLAIM_FILE, f"the claim on {whose} dangles: it {why}", mendable=True)
        elif not claim.is_live(who.now):
            yield Finding(CLAIM_FILE, f"the claim on {whose} is over", harmless=True)


def _hidden(book: Lapbook, queues: Queues, who: Who) -> Iterator[Finding]:
    """Bring back stints that have laps to do, and that no open reference leads to any more."""
    for name in book.archived():
        file = archive_file(name)
        todo = queues[file].todo if file in queues else []
        if book.has(stint_file(name)):
            what = f"there is an active stint {name} too, which can never be archived"
            yield Finding(file, what, "Move one of them away.")
        elif todo:
            restore(book, name, who)
            yield Finding(file, f"it is archived with {len(todo)} laps to do", mendable=True)
    for name in book.stints():
        refs = list(_refs(queues, name))
        todo = queues[stint_file(name)].todo if stint_file(name) in queues else []
        if todo and refs and all(ref.is_done for _, ref in refs):
            file, last = refs[-1]
            book.put(file, reopen(book.queue(file), last.id, who.now))
            what = f"the reference {last.id} to stint {name} is done, and {len(todo)} laps are not"
            yield Finding(file, what, mendable=True)


def _check_ref(book: Lapbook, file: str, ref: Lap, who: Who) -> Iterator[Finding]:
    away = f"Remove it with: laps delete {ref.id} {_flag(file)}"
    where = f"the reference {ref.id}"
    if not is_plain_name(ref.ref):
        yield Finding(file, f"{where} is malformed: {ref.ref!r} is no name of a stint", away)
    elif book.has(stint_file(ref.ref)):
        return
    elif book.has(archive_file(ref.ref)):
        book.put(file, finish(book.queue(file), ref.id, who.now))
        what = f"{where} is open, and stint {ref.ref} is archived"
        yield Finding(file, what, mendable=True)
    else:
        what = f"{where} leads to stint {ref.ref}, which is not there"
        yield Finding(file, what, f"Bring {stint_file(ref.ref)} back with git. {away}")


def _cycles(queues: Queues) -> Iterator[Finding]:
    """Yield a finding for each reference that leads back to where it came from."""
    through: set[str] = set()

    def follow(file: str, path: tuple[str, ...]) -> Iterator[Finding]:
        path = (*path, file)
        for ref in (lap for lap in queues[file].todo if lap.is_ref):
            below = stint_file(ref.ref)
            if below in path:
                way = " → ".join(map(scope_of, (*path[path.index(below) :], below)))
                away = f"Remove it with: laps delete {ref.id} {_flag(file)}"
                yield Finding(file, f"the reference {ref.id} leads in a cycle: {way}", away)
            elif below in queues and below not in through:
                yield from follow(below, path)
        through.add(file)

    for file in queues:
        if file not in through:
            yield from follow(file, ())


def _twice(queues: Queues) -> Iterator[Finding]:
    """Yield what is in two of the queues that are worked."""
    places: dict[str, str] = {}
    ways: dict[str, str] = {}
    for file, queue in queues.items():
        if file != ROOT_FILE and not stint_of(file):
            continue
        for lap in queue.entries:
            if (first := places.setdefault(lap.id, file)) != file:
                todo = f"Delete one of them: laps delete {lap.id} {_flag(file)}"
                yield Finding(file, f"{lap.id} is in {first} too", todo)
        for ref in (lap for lap in queue.todo if lap.is_ref):
            if (other := ways.setdefault(ref.ref, ref.id)) != ref.id:
                todo = f"Delete one of them: laps delete {ref.id} {_flag(file)}"
                yield Finding(file, f"{ref.id} leads to stint {ref.ref}, as {other} does", todo)


def _refs(queues: Queues, name: str) -> Iterator[tuple[str, Lap]]:
    for file, queue in queues.items():
        yield from ((file, lap) for lap in queue.entries if lap.is_ref and lap.ref == name)


def _flag(file: str) -> str:
    if name := stint_of(file):
        return f"--stint {name}"
    return "--root" if file == ROOT_FILE else f"-f {file}"
