"""The tasks that go next, kept in memory as they lie in the file, so that a lease reads nothing."""

from bisect import bisect_left, insort
from operator import itemgetter

from mittelo.core.tasks import Head
from mittelo.hub.changes import Body

MOST = 1024
"""So many tasks of a backend are kept at most."""

LONG = 16 * 1024
"""A prompt of more characters is read when its task is leased."""

Rank = tuple[int, int]
"""The negative priority and the id of a task: the smallest goes first."""

Found = tuple[Rank, Head, Body | None]
"""A task that is ready, with its texts unless those are to be read first."""

_rank_in = itemgetter(0)


def rank_of(head: Head) -> Rank:
    """Return where a task stands among those of its backend."""
    return -head.priority, head.id


class Shelf:
    """The first ready tasks of a backend that have no tags.

    Either it holds all of them, or the others come after its last one.
    """

    __slots__ = ("_found", "_is_all")

    def __init__(self, found: list[Found], *, is_all: bool) -> None:
        self._found = found
        self._is_all = is_all

    @property
    def is_used_up(self) -> bool:
        """Tell whether the next ones have to be looked up."""
        return not self._found and not self._is_all

    def first(self) -> Found | None:
        """Return the task that goes next, as far as is known here."""
        return self._found[0] if self._found else None

    def put(self, head: Head, body: Body | None) -> None:
        """Put up a task that became ready, unless it comes after what is known here."""
        found, rank = self._found, rank_of(head)
        if self._is_all or (found and rank < found[-1][0]):
            kept = None if body and len(body[0]) > LONG else body
            insort(found, (rank, head, kept), key=_rank_in)
            if len(found) > MOST:
                found.pop()
                self._is_all = False

    def pull(self, head: Head) -> None:
        """Take off a task that is not ready any more."""
        found, rank = self._found, rank_of(head)
        at = bisect_left(found, rank, key=_rank_in)
        if at < len(found) and found[at][0] == rank:
            del found[at]
