"""Who runs next: the scheduler of a lane."""

from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from mittelo.core.mixes import Quota

Key = tuple[str, str]
"""What standing goes by: a harness and a model, where "" is a model like any other."""

Slot = tuple[int, int]
"""A runner's place: the number of its entry in the lane, and its number in that entry."""

ONE = Quota(1, 1)


class Runner(Struct, frozen=True):
    """A harness with a model; "no model named" is a model like any other."""

    harness: str
    model: str = ""
    effort: str = ""

    @property
    def key(self) -> Key:
        """Return what its standing goes by."""
        return self.harness, self.model

    @property
    def label(self) -> str:
        """Return how people know it: `claude` or `claude:opus`."""
        return f"{self.harness}:{self.model}" if self.model else self.harness


class Entry(Struct, frozen=True):
    """A runner's place in a lane; without quota it serves until one of its runs fails."""

    runner: Runner
    quota: Quota | None = None

    @property
    def runners(self) -> tuple[Runner, ...]:
        """Return its only runner."""
        return (self.runner,)

    def __str__(self) -> str:
        return f"{self.runner.label} × {self.quota}" if self.quota else self.runner.label


class Reference(Struct, frozen=True):
    """A visit to another lane: one run by the runner at a cursor, which then moves `step` on."""

    role: str
    step: int
    runners: tuple[Runner, ...]

    @property
    def quota(self) -> Quota:
        """Return one run a visit."""
        return ONE

    def __str__(self) -> str:
        return f"{self.role}:{self.step}"


class Lane(Struct, frozen=True):
    """An ordered list of entries and where the scheduler stands in it.

    `at` is the entry that was picked last and `picks` how often in a row; `failed` holds the
    places that are left out until the cycle ends, `cursors` where each reference stands.
    """

    entries: tuple[Entry | Reference, ...]
    name: str = ""
    at: int = -1
    picks: int = 0
    failed: frozenset[Slot] = frozenset()
    cursors: Mapping[int, int] = {}

    def runner(self, slot: Slot) -> Runner:
        """Return who stands in a place."""
        return self.entries[slot[0]].runners[slot[1]]

    def slots(self) -> Iterator[Slot]:
        """Yield all places, in order."""
        for index, entry in enumerate(self.entries):
            yield from ((index, choice) for choice in range(len(entry.runners)))

    @property
    def everyone(self) -> list[Key]:
        """Return the keys of all its runners, each once, in order."""
        return [*dict.fromkeys(self.runner(slot).key for slot in self.slots())]


def pick(lane: Lane, out: Collection[Key] = ()) -> tuple[Lane, Slot | None]:
    """Choose who serves the next run; None when nobody can in this cycle.

    `out` are the runners that are benched now.
    """
    ready = _ready(lane, out)
    if lane.at in ready and _stays(lane, ready):
        return _take(replace(lane, picks=lane.picks + 1), out)
    later = [index for index in ready if index > lane.at]
    if later:
        return _take(replace(lane, at=later[0], picks=1), out)
    if not ready or has_served_its_range(lane, out):
        return lane, None
    return pick(new_cycle(lane), out)


def has_served_its_range(lane: Lane, out: Collection[Key] = ()) -> bool:
    """Tell whether only a range entry is left, past its maximum, while others are to come back."""
    if _ready(lane, out) != [lane.at] or len(lane.entries) == 1:
        return False
    quota = lane.entries[lane.at].quota
    return quota is not None and quota.low != quota.high and lane.picks >= quota.high


def stand_at(lane: Lane, slot: Slot) -> Lane:
    """Return the lane after a run in a place that was not the scheduler's own choice."""
    index, choice = slot
    lane = lane if index > lane.at else new_cycle(lane)
    lane = replace(lane, at=index, picks=1)
    match lane.entries[index]:
        case Reference(step=step, runners=runners):
            return _with_cursor(lane, index, (choice + step) % len(runners))
        case Entry():
            return lane


def set_aside(lane: Lane, slot: Slot) -> Lane:
    """Leave a place out until the cycle ends: its run failed, or the user skipped it."""
    lane = replace(lane, failed=lane.failed | {slot})
    index, choice = slot
    match lane.entries[index]:
        case Reference(runners=runners):
            return _with_cursor(lane, index, (choice + 1) % len(runners))
        case Entry():
            return lane


def new_cycle(lane: Lane) -> Lane:
    """Start at the top again, with every entry; references go on where they stood."""
    return replace(lane, at=-1, picks=0, failed=frozenset())


def forgive(lane: Lane) -> Lane:
    """Let everybody serve again who was left out in this cycle, which goes on where it stood."""
    return replace(lane, failed=frozenset())


def _ready(lane: Lane, out: Collection[Key]) -> list[int]:
    """Return the entries that somebody can serve in this cycle."""
    return [index for index in range(len(lane.entries)) if _choices(lane, index, out)]


def _choices(lane: Lane, index: int, out: Collection[Key]) -> list[int]:
    return [
        choice
        for choice, runner in enumerate(lane.entries[index].runners)
        if (index, choice) not in lane.failed and runner.key not in out
    ]


def _stays(lane: Lane, ready: list[int]) -> bool:
    quota = lane.entries[lane.at].quota
    if quota is None or lane.picks < quota.low:
        return True
    return lane.picks < quota.high and ready == [lane.at]


def _take(lane: Lane, out: Collection[Key]) -> tuple[Lane, Slot]:
    """Choose the runner of the entry that the scheduler stands at, and move its cursor on."""
    index = lane.at
    choices = _choices(lane, index, out)
    match lane.entries[index]:
        case Reference(step=step, runners=runners):
            cursor = lane.cursors.get(index, 0)
            choice = min(choices, key=lambda other: (other - cursor) % len(runners))
            return _with_cursor(lane, index, (cursor + step) % len(runners)), (index, choice)
        case Entry():
            return lane, (index, choices[0])


def _with_cursor(lane: Lane, index: int, at: int) -> Lane:
    return replace(lane, cursors={**lane.cursors, index: at})
