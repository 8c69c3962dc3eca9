"""Ids for new tasks: drawn ahead from the sequence, and put back when a transaction fails."""

from collections.abc import Iterable


class Numbers:
    """Ids that no task has yet, the smallest first."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self._taken: list[int] = []

    def lacking(self, count: int) -> int:
        """Return how many more must be drawn to have so many."""
        return max(0, count - len(self._free))

    def add(self, drawn: Iterable[int]) -> None:
        """Put in what was drawn."""
        self._free = sorted([*self._free, *drawn], reverse=True)

    def take(self) -> int:
        """Return an id for a new task."""
        number = self._free.pop()
        self._taken.append(number)
        return number

    def keep(self) -> None:
        """Let what was taken be gone: its tasks are on record."""
        self._taken.clear()

    def put_back(self) -> None:
        """Take back what was taken: its tasks are not on record."""
        self._free += reversed(self._taken)
        self._taken.clear()

    def forget(self) -> None:
        """Let all be gone. A server that crashed may give out again what it gave out last."""
        self._free.clear()
        self._taken.clear()
