"""Who runs next: the grammar of mix entries, and the scheduler of a lane."""

import re
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from mittelo.errors import UsageError

_QUOTA = re.compile(r"(?P<low>\d+)(?:-(?P<high>\d+))?", re.ASCII)


class Runner(Struct, frozen=True):
    """A harness with a model; "no model named" is a model like any other."""

    harness: str
    model: str = ""
    effort: str = ""

    @property
    def label(self) -> str:
        """Return how people know it: `claude` or `claude:opus`."""
        return f"{self.harness}:{self.model}" if self.model else self.harness


class Quota(Struct, frozen=True):
    """How many runs in a row an entry serves: at least `low`, at most `high`."""

    low: int
    high: int


class Spec(Struct, frozen=True):
    """One entry of a mix as written, taken apart: who, which model, how many runs in a row."""

    text: str
    harness: str
    model: str = ""
    quota: Quota | None = None


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


def split_mix(values: Iterable[str], source: str) -> list[str]:
    """Split mix values on commas, then on blanks; `source` names them in an error."""
    words: list[str] = []
    for value in values:
        for part in value.split(","):
            if not part.split():
                raise UsageError(
                    f"{source} {value!r} contains an empty entry.",
                    'Name at least one agent, for example: --agent "cc cx:2".',
                )
            words += part.split()
    return words


def parse_entry(text: str) -> Spec:
    """Take one entry apart: `harness[:model][:quota]`, quota `N` or `N-M`."""
    segments = text.split(":")
    quota = None
    if len(segments) > 1 and (match := _QUOTA.fullmatch(segments[-1])):
        quota = _quota(text, match)
        segments = segments[:-1]
    if not all(segments) or len(segments) > 2:
        raise UsageError(
            f"{text!r} is not an agent entry.",
            "Write AGENT, AGENT:MODEL, AGENT:COUNT or AGENT:MODEL:COUNT.",
        )
    return Spec(text, segments[0], segments[1] if len(segments) > 1 else "", quota)


def _quota(text: str, match: re.Match[str]) -> Quota:
    low = int(match["low"])
    high = int(match["high"] or low)
    if not 1 <= low <= high:
        raise UsageError(
            f"The count of {text!r} is not positive or runs backwards.",
            "Write a count from 1, or a range such as 2-4.",
        )
    return Quota(low, high)


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
