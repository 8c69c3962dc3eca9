"""One transaction on the tasks: lock and read them, note what became of them, write it down.

Everything that a batch needs is fetched at its beginning and written at its end, each in one trip.
Between, tasks live here as they stand. A task is locked before it is read and stays so until the
commit: what the rules decide about it (also: whose lease it is) holds when it is written.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from mittelo.core import tasks as rules
from mittelo.core.requests import Event
from mittelo.core.tasks import Attempt, Head, Status, Step, serves
from mittelo.hub.changes import Body
from mittelo.hub.postgres import rows
from mittelo.hub.postgres.numbers import Numbers
from mittelo.hub.postgres.picking import Shelf, Shelves
from mittelo.hub.postgres.rows import Place, as_array, as_json
from mittelo.hub.postgres.trips import Rows, Statement, Trips, Value
from mittelo.hub.postgres.wants import AT_ONCE, Wants
from mittelo.hub.postgres.writes import Writes
from mittelo.hub.rows import attempt_of, head_of, joined, split
from mittelo.hub.store import SWEEP_AT_ONCE, Kind, Outcome

BEGIN = Statement("BEGIN")


class Ledger:
    """The tasks as one transaction sees and changes them."""

    def __init__(self, trips: Trips, numbers: Numbers, now: float, lease_seconds: float) -> None:
        self.now = now
        self.lease_seconds = lease_seconds
        self.salt = os.urandom(8).hex()
        self.paused: frozenset[str] = frozenset()
        self.outcome = Outcome([])
        self.due: float | None = None
        self.leased: dict[int, str] = {}
        self._trips = trips
        self._numbers = numbers
        self._heads: dict[int, Head | None] = {}
        self._bodies: dict[int, Body] = {}
        self._keys: dict[str, int] = {}
        self._waiting: dict[int, list[int]] = {}
        self._new_waiting: defaultdict[int, list[int]] = defaultdict(list)
        self._kinds: dict[str, list[tuple[str, ...]]] = {}
        self._shelves = Shelves(self._heads)
        self._writes = Writes()
        self._at_once = 1
        self._changed = False

    # Beginning and end

    def begin(self, wants: Wants) -> None:
        """Begin the transaction; lock and read what a batch will want, in one trip."""
        self._at_once = min(AT_ONCE, max(1, wants.leases))
        places = [Place(name, min(AT_ONCE, count)) for name, count in wants.ready.items()]
        asked: list[tuple[Statement, Callable[[Rows], None]]] = [(BEGIN, _nothing)]
        if wants.heads:
            lock = Statement(rows.LOCK_HEADS, as_array(sorted(wants.heads)))
            asked.append((lock, partial(self._hold, wants.heads)))
        if wants.ending:
            waiting = Statement(rows.WAITING_FOR, as_array(wants.ending))
            asked.append((waiting, partial(self._note_waiting, wants.ending)))
        if wants.keys:
            keys = Statement(rows.WITH_KEYS, as_json([*wants.keys]))
            asked.append((keys, self._keys.update))
        lacking = self._numbers.lacking(wants.new)
        if lacking or wants.leases:
            asked.append((Statement(rows.PAUSED_AND_NEW_IDS, lacking), self._draw))
        if places:
            pick = Statement(rows.PICK, as_json(places))
            asked.append((pick, partial(self._stock, places)))
        found = self._trips.make([statement for statement, _ in asked])
        for (_, take_in), some in zip(asked, found, strict=True):
            take_in(some)

    def _draw(self, found: Rows) -> None:
        ((paused, ids),) = found
        self.paused = frozenset(paused)
        self._numbers.add(ids)

    def sweep(self) -> None:
        """Let leases expire whose time is over, and tasks go whose time has come."""
        expired, due = self._trips.make(
            [
                Statement(rows.HEADS_EXPIRED, self.now, SWEEP_AT_ONCE),
                Statement(rows.HEADS_DUE, self.now, SWEEP_AT_ONCE),
            ]
        )
        for head in self._take_in(expired):
            self.take(head, rules.expire(head, self.now))
        for head in self._take_in(due):
            self.take(head, rules.due(head, self.now))

    def prolong(self, seconds: float) -> None:
        """Let all leases live on for so long at least."""
        for head in self._find(rows.HEADS_LEASED_UNTIL, self.now + seconds):
            self._save(rules.keep_after_restart(head, self.now, seconds))
        self._flush()

    @property
    def has_changes(self) -> bool:
        """Tell whether there is anything to write."""
        return self._changed

    def to_write(self) -> list[Statement]:
        """Return what writes everything that was noted so far."""
        return [*self._writes.statements(self._heads)]

    def to_write_last(self, marker: int, hub: str) -> Statement:
        """Return what writes the counters, the events and the marker of this transaction."""
        return self._writes.last(self.outcome.events, marker, hub)

    def left(self) -> Counter[Kind]:
        """Count the ready tasks that were locked for nothing: other hubs passed over them."""
        return Counter((head.backend, head.tags) for head in self._shelves.left())

    # What the requests need

    def head(self, task_id: int) -> Head | None:
        """Return one task."""
        if task_id not in self._heads:
            self._lock([task_id])
        return self._heads[task_id]

    def status(self, task_id: int) -> Status | None:
        """Return where a task stands; None when there is no such task."""
        head = self.head(task_id)
        return head.status if head else None

    def with_key(self, key: str) -> int | None:
        """Return the task that has a dedupe key."""
        return self._keys.get(key)

    def next_id(self) -> int:
        """Return the id of a new task; none is ever used again."""
        return self._numbers.take()

    def add(self, head: Head, body: Body) -> None:
        """Put a new task on record."""
        self._heads[head.id] = head
        self._bodies[head.id] = body
        if head.dedupe_key is not None:
            self._keys[head.dedupe_key] = head.id
        self._waiting[head.id] = []
        self._writes.add(head.id, body)
        self._note("enqueued", head, None, was_ready=False)
        self._flush_if_large()

    def wait_for(self, task_id: int, needs: Sequence[int]) -> None:
        """Let a task wait for others."""
        if self._writes.told.intersection(needs):
            self._flush()
        for needed in needs:
            self._new_waiting[needed].append(task_id)
            self._writes.wait_for(task_id, needed)

    def needs(self, task_id: int) -> list[int]:
        """Return what a task was enqueued to run after."""
        after = self._body(task_id)[1]
        needs = msgspec.json.decode(after, type=list[int]) if after else []
        self._lock([needed for needed in needs if needed not in self._heads])
        return needs

    def attempt(self, task_id: int, lease_id: str | None) -> Attempt | None:
        """Return how a lease ended, if it has."""
        self._flush()
        found = self._trips.find(rows.ATTEMPT_OF_LEASE, task_id, lease_id)
        return attempt_of(rows.bared_attempt(found[0])) if found else None

    def pick(
        self, backends: Sequence[str], tags: Sequence[str] | None, limit: int
    ) -> Iterator[tuple[Head, Body]]:
        """Yield ready tasks of these backends that suit these tags, the first in order first."""
        shelves = self._shelves_of(backends, tags)
        for _ in range(limit):
            if empty := self._shelves.to_fill(shelves):
                self._fill(empty)
            head = self._shelves.first(shelves, backends, tags)
            if head is None:
                return
            yield head, self._body(head.id)

    def failed(self, limit: int) -> list[Head]:
        """Return the first failed tasks."""
        return self._find(rows.HEADS_FAILED, limit)

    def ended_before(self, instant: float, limit: int) -> list[Head]:
        """Return tasks that ended until then, the longest ago first."""
        return self._find(rows.HEADS_ENDED_BEFORE, instant, limit)

    def pause(self, backend: str) -> None:
        """Hand out no more tasks for a backend, "" for all."""
        self._trips.find(rows.PAUSE, backend)
        self.paused |= {backend}
        self._changed = True

    def resume(self, backend: str) -> None:
        """Hand out tasks for a backend again; "" ends every pause."""
        self._trips.find(rows.RESUME, backend)
        self.paused = self.paused - {backend} if backend else frozenset()
        self.outcome.resumed = True
        self._changed = True

    def forget(self, head: Head) -> None:
        """Take a task off the record."""
        self._heads[head.id] = None
        if head.dedupe_key is not None:
            self._keys.pop(head.dedupe_key, None)
        self._writes.forget(head.id)
        self._writes.counts[head.status._value_] -= 1
        self._changed = True

    def take(self, before: Head, step: Step) -> Head:
        """Write down what became of a task, and of those that wait for it."""
        head = self._write(before, step)
        ended = [head] if head.status.ended else []
        while ended:
            ended += self._tell_waiting(ended.pop())
        self._flush_if_large()
        return head

    def _tell_waiting(self, over: Head) -> list[Head]:
        """Tell the tasks that wait for one that has ended; return those that end by that."""
        waiting = self._waiting_for(over.id)
        if not waiting:
            return []
        self._writes.tell(over.id)
        self._lock([task_id for task_id in waiting if task_id not in self._heads])
        told = [
            self._write(head, rules.other_ended(head, over.id, over.status, self.now))
            for task_id in waiting
            if (head := self._heads[task_id]) and head.status is Status.QUEUED
        ]
        return [head for head in told if head.status.ended]

    def _waiting_for(self, task_id: int) -> list[int]:
        """Return who waits for a task, and let them wait no more."""
        if task_id not in self._waiting:
            self._note_waiting([task_id], self._trips.find(rows.WAITING_FOR, as_array([task_id])))
        waiting = [*self._waiting[task_id], *self._new_waiting.pop(task_id, ())]
        self._waiting[task_id] = []
        return [*dict.fromkeys(waiting)]

    def _write(self, before: Head, step: Step) -> Head:
        head = step.head
        if step.over:
            self._writes.end(head.id, step.over)
            if head.status.ended:
                head = replace(head, ending=step.over.number)
        self._save(head)
        self._writes.counts[before.status._value_] -= 1
        worker = step.over.worker_id if step.over else head.worker_id
        self._note(step.kind, head, worker, was_ready=before.ready)
        return head

    def _save(self, head: Head) -> None:
        self._heads[head.id] = head
        self._writes.change(head.id)
        self._changed = True
        if head.status is Status.LEASED:
            self._remind(head.leased_until)

    def _note(self, kind: str, head: Head, worker: str | None, *, was_ready: bool) -> None:
        self._changed = True
        self._writes.counts[head.status._value_] += 1
        if head.ready and not was_ready:
            self.outcome.ready[head.backend, head.tags] += 1
            self._shelves.put(head)
        if head.not_before is not None:
            self._remind(head.not_before)
        if kind == "leased":
            self.leased[head.id] = head.lease_id or ""
        if kind != "renewed":
            event = Event(
                kind=kind,
                task_id=head.id,
                status=head.status,
                at=self.now,
                worker_id=worker or None,
            )
            self.outcome.events.append(event)

    def _remind(self, at: float | None) -> None:
        if at is not None and (self.due is None or at < self.due):
            self.due = at

    # How it is fetched

    def _flush(self) -> None:
        """Write what was noted, so that what is looked for next is found as it is now."""
        if statements := self.to_write():
            self._trips.make(statements)

    def _flush_if_large(self) -> None:
        if self._writes.is_large:
            self._flush()

    def _find(self, statement: str, *values: Value) -> list[Head]:
        self._flush()
        return self._take_in(self._trips.find(statement, *values))

    def _lock(self, ids: Sequence[int]) -> None:
        if ids:
            self._hold(ids, self._trips.find(rows.LOCK_HEADS, as_array(sorted(ids))))

    def _hold(self, ids: Iterable[int], found: Iterable[tuple[Any, ...]]) -> None:
        """Note tasks that are locked now, and those that are not there."""
        for task_id in ids:
            self._heads.setdefault(task_id, None)
        self._take_in(found)

    def _take_in(self, found: Iterable[tuple[Any, ...]]) -> list[Head]:
        """Return tasks as this transaction left them, from the rows that were found."""
        heads = []
        for row in found:
            head = self._heads.get(row[0]) or head_of(row)
            self._heads[head.id] = head
            heads.append(head)
        return heads

    def _note_waiting(self, ids: Iterable[int], found: Rows) -> None:
        for task_id in ids:
            self._waiting.setdefault(task_id, [])
        for needed, task_id in found:
            self._waiting[needed].append(task_id)

    def _body(self, task_id: int) -> Body:
        body = self._bodies.get(task_id)
        if body is None:
            found = self._trips.find(rows.BODIES, as_array([task_id]))
            body = rows.body_of(found[0][1:]) if found else ("", None, None)
        return body

    # Ready tasks

    def _shelves_of(self, backends: Sequence[str], tags: Sequence[str] | None) -> list[Shelf]:
        if tags is None:
            return [(backend, None) for backend in backends]
        if unknown := [backend for backend in backends if backend not in self._kinds]:
            self._flush()
            self._kinds.update((backend, []) for backend in unknown)
            for backend, kind in self._trips.find(rows.KINDS, as_json(unknown)):
                self._kinds[backend].append(split(kind))
        return [
            (backend, kind)
            for backend in backends
            for kind in self._kinds[backend]
            if serves(tags, kind)
        ]

    def _fill(self, shelves: Sequence[Shelf]) -> None:
        self._flush()
        places = [
            Place(backend, self._at_once, None if kind is None else joined(kind))
            for backend, kind in shelves
        ]
        statement = rows.PICK if places[0].tags is None else rows.PICK_TAGGED
        self._stock(places, self._trips.find(statement, as_json(places)))

    def _stock(self, places: Sequence[Place], found: Rows) -> None:
        """Put the ready tasks that were found on their shelves."""
        on: dict[Shelf, list[int]] = {_shelf_of(place): [] for place in places}
        for row in found:
            (head,) = self._take_in([row])
            has_body, *body = row[-4:]
            if has_body:
                self._bodies[head.id] = rows.body_of(body)
            shelf: Shelf = (head.backend, None)
            on[shelf if shelf in on else (head.backend, head.tags)].append(head.id)
        for place, (shelf, ids) in zip(places, on.items(), strict=True):
            self._shelves.fill(shelf, ids, whole=len(ids) < place.n)


def _shelf_of(place: Place) -> Shelf:
    return place.backend, None if place.tags is None else split(place.tags)


def _nothing(_found: Rows) -> None:
    """Take in what a statement without rows found."""
