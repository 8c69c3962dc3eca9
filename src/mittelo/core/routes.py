"""Who runs next: the scheduler of a lane."""

from msgspec import Struct
from msgspec.structs import replace

from mittelo.core.mixes import Quota


class Runner(Struct, frozen=True):
    """A harness with a model; "no model named" is a model like any other."""

    harness: str
    model: str = ""
    effort: str = ""

    @property
    def label(self) -> str:
        """Return how people know it: `claude` or `claude:opus`."""
        return f"{self.harness}:{self.model}" if self.model else self.harness


class Entry(Struct, frozen=True):
    """A runner's place in a lane; without quota it serves until one of its runs fails."""

    runner: Runner
    quota: Quota | None = None


class Lane(Struct, frozen=True):
    """An ordered list of entries and where the scheduler stands in it.

    `failed` holds the entries whose run failed in this cycle.
    """

    entries: tuple[Entry, ...]
    at: int = -1
    picks: int = 0
    failed: frozenset[int] = frozenset()


def pick(lane: Lane) -> tuple[Lane, int | None]:
    """Choose the entry of the next run; None when no entry can serve in this cycle."""
    ready = [i for i in range(len(lane.entries)) if i not in lane.failed]
    if lane.at in ready and _stays(lane, ready):
        return replace(lane, picks=lane.picks + 1), lane.at
    later = [i for i in ready if i > lane.at]
    if later:
        return replace(lane, at=later[0], picks=1), later[0]
    if not ready or _has_served_its_range(lane, ready):
        return lane, None
    return pick(replace(lane, at=-1, picks=0, failed=frozenset()))


def _stays(lane: Lane, ready: list[int]) -> bool:
    quota = lane.entries[lane.at].quota
    if quota is None or lane.picks < quota.low:
        return True
    return lane.picks < quota.high and ready == [lane.at]


def _has_served_its_range(lane: Lane, ready: list[int]) -> bool:
    """Tell whether only a range entry is left, past its maximum, while others are to come back."""
    if ready != [lane.at] or len(lane.entries) == 1:
        return False
    quota = lane.entries[lane.at].quota
    return quota is not None and quota.low != quota.high


def fail_entry(lane: Lane, index: int) -> Lane:
    """Leave an entry out until the cycle ends: its run failed."""
    return replace(lane, failed=lane.failed | {index})


def new_cycle(lane: Lane) -> Lane:
    """Start at the top again, with every entry."""
    return replace(lane, at=-1, picks=0, failed=frozenset())
