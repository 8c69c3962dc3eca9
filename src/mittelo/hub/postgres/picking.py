"""Which ready tasks a worker is given, out of those locked for it and those ready just now."""

import heapq
from collections.abc import Iterable, Mapping, Sequence

from mittelo.core.tasks import Head, serves
from mittelo.hub.store import Kind

Rank = tuple[int, int]
"""The negative priority and the id of a task: the smallest goes first."""

Shelf = tuple[str, tuple[str, ...] | None]
"""Tasks of a backend: those of one set of tags, or (None) of any."""

Heap = list[Rank]


class Shelves:
    """Ready tasks in their order.

    `heads` are all tasks that the transaction has in hand, as it left them; a rank whose task is
    not ready any more is passed over.
    """

    def __init__(self, heads: Mapping[int, Head | None]) -> None:
        self._heads = heads
        self._stored: dict[Shelf, Heap] = {}
        self._short: set[Shelf] = set()
        self._fresh: dict[Kind, Heap] = {}

    def put(self, head: Head) -> None:
        """Add a task that this transaction made ready."""
        heap = self._fresh.setdefault((head.backend, head.tags), [])
        heapq.heappush(heap, (-head.priority, head.id))

    def fill(self, shelf: Shelf, ids: Iterable[int], *, whole: bool) -> None:
        """Fill a shelf with stored tasks; `whole`: the store has no others for it."""
        ranks = ((-head.priority, head.id) for i in ids if (head := self._heads[i]))
        self._stored[shelf] = sorted(ranks)
        self._short.discard(shelf)
        if not whole:
            self._short.add(shelf)

    def to_fill(self, shelves: Iterable[Shelf]) -> list[Shelf]:
        """Return those that were never filled, or are empty though the store may have more."""
        return [
            shelf
            for shelf in shelves
            if shelf not in self._stored
            or (shelf in self._short and self._first(self._stored[shelf]) is None)
        ]

    def left(self) -> Iterable[Head]:
        """Yield the stored tasks that nobody took."""
        for heap in self._stored.values():
            for _, task_id in heap:
                head = self._heads[task_id]
                if head and head.ready:
                    yield head

    def first(
        self, shelves: Sequence[Shelf], backends: Sequence[str], tags: Sequence[str] | None
    ) -> Head | None:
        """Return the task that goes first."""
        heaps = [self._stored[shelf] for shelf in shelves]
        heaps += [
            heap
            for (backend, kind), heap in self._fresh.items()
            if backend in backends and serves(tags, kind)
        ]
        ranks = [rank for heap in heaps if (rank := self._first(heap))]
        return self._heads[min(ranks)[1]] if ranks else None

    def _first(self, heap: Heap) -> Rank | None:
        while heap:
            head = self._heads[heap[0][1]]
            if head and head.ready:
                return heap[0]
            heapq.heappop(heap)
        return None
