"""What happened, numbered without gaps and kept for a while, for whoever follows."""

from collections import deque
from collections.abc import Sequence
from itertools import islice

from mittelo.core.requests import Event, Events

KEPT = 10_000


class Feed:
    """The last events of this hub.

    Numbers begin at the microsecond at which the hub started, so that those of an earlier start
    are all smaller: a follower learns from `missed` that it must look at the tasks again.
    """

    def __init__(self, started: float, kept: int = KEPT) -> None:
        self._last = int(started * 1_000_000)
        self._events: deque[Event] = deque(maxlen=kept)

    @property
    def last(self) -> int:
        """Return the number of the last event."""
        return self._last

    def begin(self, last: int) -> None:
        """Forget what was, and go on after a number."""
        self._events.clear()
        self._last = last

    def append(self, events: Sequence[Event]) -> None:
        """Give events their numbers and keep them.

        Those that several hubs share have numbers; what is known, or does not follow yet, is passed
        over: it comes again with all that is between.
        """
        for event in events:
            if event.number in (0, self._last + 1):
                self._last += 1
                event.number = self._last
                self._events.append(event)

    def since(self, after: int | None, limit: int) -> Events:
        """Return the events after a number; without one, none, and where to begin."""
        if after is None:
            return Events([], self._last)
        first = self._last - len(self._events) + 1
        missed = after + 1 < first or after > self._last
        start = 0 if missed else after + 1 - first
        found = list(islice(self._events, start, start + limit))
        return Events(found, found[-1].number if found else self._last, missed)
