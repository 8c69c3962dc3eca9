"""Which queue is worked: from the root through the stints at its head, and what is served there.

A stint without anything to do never stands in the way of what lies behind it.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum

from msgspec import Struct

from mittelo.core.claims import Claim
from mittelo.core.lapfiles import ROOT, ROOT_FILE, is_plain_name, stint_file, stint_of
from mittelo.core.queues import Lap, Queue
from mittelo.errors import MitteloError

Load = Callable[[str], Queue]
"""Gives the queue of an active stint; raises `MissingStintError` if there is none."""

Bar = Callable[[str, str], Claim | None]
"""Gives the claim that keeps us from a lap, by file and id."""


class ChainError(MitteloError):
    """A reference on the way to the work leads nowhere."""

    exit_code = 2


class MissingStintError(MitteloError):
    """There is no active stint of this name."""

    exit_code = 3


class Context(Struct, frozen=True):
    """A queue in its place: the file that holds it, and its scope (`root`, `auth/search`)."""

    file: str
    scope: str
    queue: Queue


class State(StrEnum):
    """What a queue has for a session; the words are those of the exit codes' `state`."""

    LAP = "lap"
    HELD = "held"
    EMPTY = "empty"
    COMPLETE = "complete"
    CLAIMED = "claimed"


class Served(Struct, frozen=True):
    """What is next: the lap, if there is one, and the queue that is worked.

    `gate` is the held stint that stops us; `barred` are claims of others on what was passed over.
    """

    state: State
    context: Context
    lap: Lap | None = None
    gate: Context | None = None
    barred: tuple[Claim, ...] = ()


def serve(root: Context, load: Load, bar: Bar) -> Served:
    """Return what is next from the root down through its stints."""
    found = _Walk(load, bar).serve(root, ())
    return found or _nothing(_deepest(root, load, ()))


def serve_here(context: Context, bar: Bar) -> Served:
    """Return what is next in one queue, without going into its stints."""
    todo = context.queue.todo
    barred: list[Claim] = []
    if todo and context.queue.held:
        return Served(State.HELD, context, gate=context)
    for lap in todo:
        if not (claim := bar(context.file, lap.id)):
            return Served(State.LAP, context, lap, barred=tuple(barred))
        barred.append(claim)
    if barred:
        return Served(State.CLAIMED, context, barred=tuple(barred))
    return _nothing(context)


def walk(root: Context, load: Load) -> Iterator[Context]:
    """Yield the root and every stint that its open references lead to, each once.

    References that lead nowhere are passed over.
    """
    seen = {ROOT_FILE}
    waiting = [root]
    while waiting:
        context = waiting.pop()
        yield context
        children = []
        for lap in context.queue.todo:
            if lap.is_ref and stint_file(lap.ref) not in seen:
                seen.add(stint_file(lap.ref))
                try:
                    children.append(_child(context, lap, load))
                except MitteloError:
                    continue
        waiting += reversed(children)


class _Walk:
    """One way down from the root, with what is passed over on it."""

    def __init__(self, load: Load, bar: Bar) -> None:
        self._load = load
        self._bar = bar

    def serve(self, context: Context, path: tuple[str, ...]) -> Served | None:
        """Return what a queue serves, None if it has nothing to do at all."""
        barred: list[Claim] = []
        where: Context | None = None
        for entry in context.queue.todo:
            if not entry.is_ref:
                claim = self._bar(context.file, entry.id)
                if not claim:
                    return Served(State.LAP, context, entry, barred=tuple(barred))
                barred.append(claim)
                where = where or context
                continue
            found = self._enter(context, entry, path)
            if found and found.state is not State.CLAIMED:
                return Served(
                    found.state, found.context, found.lap, found.gate, (*barred, *found.barred)
                )
            if found:
                barred += found.barred
                where = where or found.context
        return Served(State.CLAIMED, where, barred=tuple(barred)) if where else None

    def _enter(self, context: Context, ref: Lap, path: tuple[str, ...]) -> Served | None:
        child = _child(context, ref, self._load, path)
        below = (*path, ref.ref)
        if not _has_work(child, self._load, below):
            return None
        if child.queue.held:
            return Served(State.HELD, _deepest(child, self._load, below), gate=child)
        return self.serve(child, below)


def _nothing(context: Context) -> Served:
    return Served(State.COMPLETE if context.queue.entries else State.EMPTY, context)


def _deepest(context: Context, load: Load, path: tuple[str, ...]) -> Context:
    """Return the queue that the head's references lead to, past stints without work."""
    todo = context.queue.todo
    for entry in todo:
        if not entry.is_ref:
            return context
        child = _child(context, entry, load, path)
        if _has_work(child, load, (*path, entry.ref)):
            return _deepest(child, load, (*path, entry.ref))
    if todo:
        return _deepest(_child(context, todo[0], load, path), load, (*path, todo[0].ref))
    return context


def _has_work(context: Context, load: Load, path: tuple[str, ...]) -> bool:
    todo = context.queue.todo
    if any(not entry.is_ref for entry in todo):
        return True
    for entry in todo:
        child = _child(context, entry, load, path)
        if _has_work(child, load, (*path, entry.ref)):
            return True
    return False


def _child(context: Context, ref: Lap, load: Load, path: tuple[str, ...] = ()) -> Context:
    """Return the queue that a reference leads to."""
    where = f"The reference {ref.id} in {context.file}"
    flag = f"--stint {stint_of(context.file)}" if stint_of(context.file) else "--root"
    away = f"Remove it with: laps delete {ref.id} {flag}"
    if not is_plain_name(ref.ref):
        raise ChainError(f"{where} is malformed: {ref.ref!r} is no name of a stint.", away)
    if ref.ref in path:
        way = " → ".join((ROOT, *path, ref.ref))
        raise ChainError(f"{where} leads in a cycle: {way}.", away)
    try:
        queue = load(ref.ref)
    except MissingStintError as error:
        told = f"{where} leads to a missing stint: there is no {stint_file(ref.ref)}."
        raise ChainError(told, away) from error
    scope = ref.ref if context.scope == ROOT else f"{context.scope}/{ref.ref}"
    return Context(stint_file(ref.ref), scope, queue)
