"""A time ahead that also comes while the machine sleeps."""

import time

LONGEST_WAIT = 10.0
"""Nobody waits longer at a stretch: what waiting goes by stands still while the machine sleeps."""


class Due:
    """So many seconds from now, by whichever clock gets there first.

    The clock of the day goes on while the machine sleeps; the steady one cannot be set back.
    """

    __slots__ = ("_day", "steady")

    def __init__(self, seconds: float) -> None:
        self._day = time.time() + seconds
        self.steady = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Return the seconds that are left; 0 once it has come."""
        return max(0.0, min(self._day - time.time(), self.steady - time.monotonic()))
