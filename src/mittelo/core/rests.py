"""What a failure of a backend means for its worker: how long it rests, and what of the task.

A worker that took one task after the other while its backend cannot serve would burn the queue.
"""

from msgspec import Struct

from mittelo.core.faults import Category
from mittelo.core.standings import (
    ALLOWED_FAILURES,
    BLIND_SECONDS,
    COOLDOWN_SECONDS,
    MARGIN_SECONDS,
    PAUSE_SECONDS,
)

SETUP_SECONDS = (1.0, 5.0, 15.0, 60.0, 300.0)
"""How long a worker rests whose backend is not set up, one time after the other."""

AGAIN_SECONDS = 5.0
"""A task that met a passing trouble may run again after so long at the soonest."""

LONGEST_SECONDS = 30 * 86400.0

_SETUP = {Category.AUTH_OR_PROXY, Category.INVALID_MODEL, Category.HARNESS_LAUNCH}
_PASSING = {Category.TRANSIENT_INFRA, Category.STALLED}


class Rest(Struct, frozen=True):
    """Seconds in which the worker takes nothing; seconds until its task may run again.

    Where `again` is None, the task has failed for good.
    """

    pause: float = 0.0
    again: float | None = None


def rest_after(category: Category | None, known: float | None, streak: int) -> Rest:
    """Return what follows from a failure, the `streak`-th in a row of those that need a rest.

    `known` is the seconds after which a limit is said to end.
    """
    if category is Category.USAGE_LIMIT:
        return _limited(known, _nth(BLIND_SECONDS, streak))
    if category in COOLDOWN_SECONDS:
        return _limited(known, COOLDOWN_SECONDS[category])
    if category in _SETUP:
        return Rest(_nth(SETUP_SECONDS, streak))
    if category in _PASSING:
        pause = _nth(PAUSE_SECONDS, streak - ALLOWED_FAILURES) if streak > ALLOWED_FAILURES else 0.0
        return Rest(pause, max(pause, AGAIN_SECONDS))
    return Rest()


def _limited(known: float | None, otherwise: float) -> Rest:
    seconds = otherwise if known is None else max(0.0, known) + MARGIN_SECONDS
    seconds = min(seconds, LONGEST_SECONDS)
    return Rest(seconds, seconds)


def _nth(steps: tuple[float, ...], number: int) -> float:
    return steps[min(max(number, 1), len(steps)) - 1]
