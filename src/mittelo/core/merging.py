"""Bring two versions of a queue together that went apart from a third one.

The result is the same whichever version is called ours. No lap is lost: one that is gone from a
version stays gone only if the other version left it as it was.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mittelo.core.instants import order_key
from mittelo.core.queues import STEP, Lap, Queue, with_entries

T = TypeVar("T")
LENGTH = 8
"""So many digits has the new id of a lap whose id another lap has too."""

_Identity = tuple[str, str, str, str]


class _Placed(Struct, frozen=True):
    """A lap, and its place on the scale of the version that both come from."""

    lap: Lap
    place: Fraction


class _Versions(Struct, frozen=True):
    """What the three versions have of one lap; more than one where an id is there twice."""

    base: list[_Placed]
    ours: list[_Placed]
    theirs: list[_Placed]

    @property
    def sides(self) -> list[_Placed]:
        """Return what the two sides have."""
        return [*self.ours, *self.theirs]


def merge(base: Queue, ours: Queue, theirs: Queue) -> Queue:
    """Return the queue that has what both sides did since the base."""
    if theirs in (ours, base):
        return separated(ours)
    if ours == base:
        return separated(theirs)
    scaled = _is_renumbered(base, ours) or _is_renumbered(base, theirs)
    kept = _kept(_placed(base, base), _placed(base, ours), _placed(base, theirs))
    entries = _with_own_ids(kept, {lap.id: lap.created_at for lap in base.entries})
    if scaled:
        entries = _renumbered(entries)
    prefix = _pick(base.prefix, ours.prefix, theirs.prefix, min(ours.prefix, theirs.prefix))
    held = _pick(base.held, ours.held, theirs.held, ours.held or theirs.held)
    prefix = prefix or ours.prefix or theirs.prefix
    return with_entries(Queue(prefix=prefix, held=held), (one.lap for one in entries))


def separated(queue: Queue) -> Queue:
    """Return the queue with an id of its own for every lap; copies of one lap become one."""
    if max(Counter(lap.id for lap in queue.entries).values(), default=0) < 2:
        return queue
    entries = _with_own_ids(_kept([], _placed(queue, queue), []), {})
    return with_entries(queue, (one.lap for one in entries))


def _kept(
    base: Sequence[_Placed], ours: Sequence[_Placed], theirs: Sequence[_Placed]
) -> list[_Placed]:
    """Return what stays of each lap, merged."""
    alike = _renames([*base, *ours, *theirs])
    groups: dict[_Identity, _Versions] = defaultdict(lambda: _Versions([], [], []))
    for version, name in ((base, "base"), (ours, "ours"), (theirs, "theirs")):
        for one in version:
            getattr(groups[_identity(one.lap, alike)], name).append(one)
    merged = (_merged(part) for group in groups.values() for part in _parts(group))
    return [one for one in merged if one]


def _identity(lap: Lap, alike: dict[tuple[str, str], str]) -> _Identity:
    """Return what stays the same of a lap as long as it lives."""
    made = order_key(lap.created_at)
    return alike.get((lap.id, made), lap.id), made, lap.kind, lap.ref


def _renames(laps: Iterable[_Placed]) -> dict[tuple[str, str], str]:
    """Return the first ids of laps that an earlier merge gave a new one.

    A branch whose commits are merged one by one meets the lap under both.
    """
    known = {(one.lap.id, order_key(one.lap.created_at)): one.lap for one in laps}
    renames = {}
    for (lap_id, made), lap in known.items():
        if (new := _longer(lap)) != lap_id and (new, made) in known:
            renames[new, made] = lap_id
    return renames


def _parts(group: _Versions) -> list[_Versions]:
    """Return the laps that a group holds: one, unless two were made with one id at one time."""
    versions = (group.base, group.ours, group.theirs)
    once = all(len(version) < 2 for version in versions)
    if once and (group.base or len({one.lap.title for one in group.sides}) < 2):
        return [group]
    if once and any(_is_edited(one.lap) for one in group.sides):
        return [group]
    parts: dict[str, _Versions] = defaultdict(lambda: _Versions([], [], []))
    for version, name in zip(versions, ("base", "ours", "theirs"), strict=True):
        for one in version:
            getattr(parts[one.lap.title], name).append(one)
    return [*parts.values()]


def _is_edited(lap: Lap) -> bool:
    return order_key(lap.updated_at) != order_key(lap.created_at)


def _merged(part: _Versions) -> _Placed | None:
    """Return one lap with what both sides did to it, None if it is to go."""
    base, ours, theirs = map(_one, (part.base, part.ours, part.theirs))
    if ours and theirs:
        return _both(base, ours, theirs)
    left = ours or theirs
    return None if left is None or (base and _is_same(base, left)) else left


def _one(copies: list[_Placed]) -> _Placed | None:
    """Return the copies of one lap in one version as one."""
    if not copies:
        return None
    first, *others = sorted(copies, key=_rank)
    for other in others:
        first = _both(None, first, other)
    return first


def _is_same(base: _Placed, left: _Placed) -> bool:
    """Tell whether a version left a lap as it was; that all were renumbered does not count."""
    return base.place == left.place and replace(base.lap, order=0) == replace(left.lap, order=0)


def _both(base: _Placed | None, ours: _Placed, theirs: _Placed) -> _Placed:
    """Merge a lap field by field; where both sides changed one, the later change of it wins."""
    last = max(ours, theirs, key=_rank)

    def pick(of: Callable[[_Placed], T]) -> T:
        return _pick(of(base) if base else None, of(ours), of(theirs), of(last))

    place = pick(lambda one: one.place)
    is_done, completed_at = _ending(base, ours, theirs, last)
    merged = Lap(
        kind=last.lap.kind,
        id=pick(lambda one: one.lap.id),
        ref=last.lap.ref,
        title=pick(lambda one: one.lap.title),
        description=pick(lambda one: one.lap.description),
        assignee=pick(lambda one: one.lap.assignee),
        is_done=is_done,
        order=int(place),
        created_at=pick(lambda one: one.lap.created_at),
        updated_at=last.lap.updated_at,
        completed_at=completed_at,
    )
    return _Placed(merged, place)


def _ending(
    base: _Placed | None, ours: _Placed, theirs: _Placed, last: _Placed
) -> tuple[bool, str | None]:
    """Return whether the lap is done, and since when; done prevails over to do."""
    done = [one for one in (ours, theirs) if one.lap.is_done]
    prevails = done[0] if len(done) == 1 else last
    return _pick(_end(base) if base else None, _end(ours), _end(theirs), _end(prevails))


def _end(one: _Placed) -> tuple[bool, str | None]:
    return one.lap.is_done, one.lap.completed_at


def _pick(base: T | None, ours: T, theirs: T, last: T) -> T:
    """Return what one side made of the base, or `last` if both changed it differently."""
    if theirs in (ours, base):
        return ours
    return theirs if ours == base else last


def _rank(one: _Placed) -> tuple[str, bytes, Fraction]:
    """Return by what the later one of two versions is told, whichever side it is on."""
    return order_key(one.lap.updated_at), msgspec.json.encode(one.lap), one.place


def _with_own_ids(laps: Sequence[_Placed], base: dict[str, str]) -> list[_Placed]:
    """Give a longer id to laps whose id another lap has too: the older lap keeps it."""
    taken = {one.lap.id for one in laps}
    groups: dict[str, list[_Placed]] = defaultdict(list)
    for one in sorted(laps, key=_rank):
        groups[one.lap.id].append(one)
    found = []
    for lap_id, group in groups.items():
        group.sort(key=lambda one: (one.lap.created_at != base.get(lap_id), *_age(one.lap)))
        found.append(group[0])
        for other in group[1:]:
            taken.add(new := _free(other.lap, taken))
            found.append(_Placed(replace(other.lap, id=new), other.place))
    return found


def _age(lap: Lap) -> tuple[str, bytes]:
    return order_key(lap.created_at), msgspec.json.encode(lap)


def _longer(lap: Lap, seed: str = "") -> str:
    prefix, dash, _ = lap.id.rpartition("-")
    told = f"{lap.id}|{order_key(lap.created_at)}{seed}"
    return f"{prefix}{dash}{hashlib.sha256(told.encode()).hexdigest()[:LENGTH]}"


def _free(lap: Lap, taken: set[str]) -> str:
    new, number = _longer(lap), 0
    while new in taken:
        number += 1
        new = _longer(lap, f"|{lap.title}|{number}")
    return new


def _is_renumbered(base: Queue, side: Queue) -> bool:
    """Tell whether a version gave its laps new numbers, as it does when there is no room left."""
    return any(before != after for before, after in _anchors(base, side))


def _anchors(base: Queue, side: Queue) -> list[tuple[int, int]]:
    """Return where laps were and are that nobody touched, as they lie in the side."""
    before = {lap.id: lap for lap in base.todo}
    pairs = []
    for lap in side.todo:
        held = before.get(lap.id)
        if held and (held.updated_at, held.created_at) == (lap.updated_at, lap.created_at):
            pairs.append((held.order, lap.order))
    return pairs


def _placed(base: Queue, side: Queue) -> list[_Placed]:
    """Return the laps of a version with their places on the scale of the base."""
    anchors = _anchors(base, side)
    if all(before == after for before, after in anchors):
        return [_Placed(lap, Fraction(lap.order)) for lap in side.entries]
    scale = _Scale(anchors)
    done = [_Placed(lap, Fraction(lap.order)) for lap in side.done]
    return done + [_Placed(lap, scale.place(lap.order)) for lap in side.todo]


class _Scale:
    """How the numbers of a version are those of the base, known at some places."""

    def __init__(self, anchors: list[tuple[int, int]]) -> None:
        known = {after: before for before, after in anchors}
        self._known = sorted((after, before) for after, before in known.items())

    def place(self, order: int) -> Fraction:
        """Return a number on the scale of the base: between its neighbours, as far in as here."""
        for (low, begin), (high, end) in pairwise(self._known):
            if low <= order <= high:
                return begin + Fraction(order - low, high - low) * (end - begin)
        after, before = self._known[0] if order < self._known[0][0] else self._known[-1]
        return Fraction(before + order - after)


def _renumbered(laps: list[_Placed]) -> list[_Placed]:
    """Give laps new numbers in the order of their places."""
    laps = sorted(laps, key=lambda one: (one.place, one.lap.id))
    return [
        _Placed(replace(one.lap, order=number * STEP), Fraction(number * STEP))
        for number, one in enumerate(laps, 1)
    ]
