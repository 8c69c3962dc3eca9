"""Word between the hubs of one database: that tasks are ready, and what happened to others.

A notification may get lost with its connection, so every few seconds each hub looks by itself.
"""

import os
import select
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import msgspec
import psycopg
from msgspec import Struct
from psycopg import Connection

from mittelo.core.requests import Event
from mittelo.hub.events import KEPT
from mittelo.hub.postgres import rows
from mittelo.hub.postgres.address import Address
from mittelo.hub.postgres.clock import DatabaseClock
from mittelo.hub.rows import split
from mittelo.hub.store import Heard, Kind, StoreError
from mittelo.log import warn

CHANNEL = "mittelo"
POLL_SECONDS = 2.0
"""So often each hub looks for what it was not told of."""

ROUND_SECONDS = 0.005
"""Busy hubs tell and hear no more often; what comes meanwhile goes together."""

HERE_SECONDS = 10.0
"""A hub that was not seen for so long is gone."""

MOST_BYTES = 7900
"""A notification holds less than 8000."""

GROUPS_AT_ONCE = 500
EVENTS_KEPT = 2 * KEPT
"""So many events, and a few more, stay in the database."""


class _Word(Struct, frozen=True):
    """What a hub tells the others: the kinds of tasks that are ready, and how many.

    `look`: there may be more than it could say.
    """

    ready: list[tuple[str, tuple[str, ...], int]] = []
    look: bool = False


_words = msgspec.json.Decoder(_Word)
_events = msgspec.json.Decoder(list[Event])


class Bell:
    """Tells the other hubs, and hears them, on a thread and a connection of its own.

    `hear` is given what others did; `last` returns the last event that is known here; `remind` is
    told when something falls due.
    """

    def __init__(
        self,
        address: Address,
        hub: str,
        clock: DatabaseClock,
        *,
        hear: Callable[[Heard], None],
        last: Callable[[], int],
        remind: Callable[[float], None],
    ) -> None:
        self._address = address
        self._hub = hub
        self._clock = clock
        self._hear = hear
        self._last = last
        self._remind = remind
        self._lock = threading.Lock()
        self._ready: Counter[Kind] = Counter()
        self._look = self._rung = False
        self._alone = False
        self._polled = self._awoke = 0.0
        self._ended = threading.Event()
        self._ear, self._string = os.pipe()
        os.set_blocking(self._string, False)
        self._thread = threading.Thread(target=self._run, name="hub bell", daemon=True)

    def start(self) -> None:
        """Tell the events of late, then listen."""
        connection = self._connect()
        with connection, self._address.in_words():
            self._tell_events_of_late(connection)
        self._thread.start()

    def ring(self, ready: Counter[Kind], *, look: bool = False) -> None:
        """Tell the other hubs, if there are any, that something happened and what is ready.

        `look`: they had better look themselves.
        """
        if self._alone:
            return
        with self._lock:
            self._ready.update(ready)
            self._look |= look
            self._rung = True
        self._rouse()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._rouse()
        if self._thread.is_alive():
            self._thread.join()
        os.close(self._ear)
        os.close(self._string)

    def _rouse(self) -> None:
        try:
            os.write(self._string, b"!")
        except BlockingIOError:  # it is being roused already
            return

    # On the thread

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                with self._connect() as connection:
                    self._listen(connection)
            except (psycopg.Error, StoreError) as error:
                # The writer tells the users; here it only matters that we come back.
                if isinstance(error, StoreError):
                    warn(f"{error.what} {error.todo}".strip())
                self._ended.wait(POLL_SECONDS / 2)

    def _connect(self) -> Connection:
        connection = self._address.connect()
        # A notification is no loss: no need to wait for the disk.
        connection.execute("SET synchronous_commit = off")
        connection.execute(f"LISTEN {CHANNEL}")
        return connection

    def _listen(self, connection: Connection) -> None:
        self._send(connection, _Word())  # whoever thought he was alone is not any more
        self._polled = 0.0
        while not self._ended.is_set():
            self._await(connection)
            self._ring_out(connection)
            told = [*connection.notifies(timeout=0)]
            others = [note.payload for note in told if note.pid != connection.info.backend_pid]
            if others:
                self._alone = False
            self._take_in(connection, others)
            if time.monotonic() - self._polled >= POLL_SECONDS:
                self._poll(connection)

    def _await(self, connection: Connection) -> None:
        """Wait until somebody rings, here or elsewhere, or it is time to look."""
        self._ended.wait(self._awoke + ROUND_SECONDS - time.monotonic())
        seconds = max(0.0, self._polled + POLL_SECONDS - time.monotonic())
        poll = select.poll()  # a hub has more files open than select() can count
        poll.register(connection.fileno(), select.POLLIN)
        poll.register(self._ear, select.POLLIN)
        heard = {file for file, _ in poll.poll(seconds * 1000)}
        self._awoke = time.monotonic()
        if self._ear in heard:
            os.read(self._ear, 4096)

    def _ring_out(self, connection: Connection) -> None:
        with self._lock:
            ready, self._ready = self._ready, Counter()
            look, self._look = self._look, False
            rung, self._rung = self._rung, False
        if rung:
            told = [(backend, tags, count) for (backend, tags), count in ready.items()]
            self._send(connection, _Word(told, look))

    def _send(self, connection: Connection, word: _Word) -> None:
        payload = rows.encode(word)
        if len(payload) > MOST_BYTES:
            payload = rows.encode(_Word(look=True))
        connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload.decode()))

    def _take_in(self, connection: Connection, payloads: Iterable[str]) -> None:
        words = [_words.decode(payload) for payload in payloads]
        if not words:
            return
        ready: Counter[Kind] = Counter()
        for word in words:
            for backend, tags, count in word.ready:
                ready[backend, tags] += count
        if ready:
            self._hear(Heard(ready=ready))
        if any(word.look for word in words):
            self._hear(Heard(ready=self._ready_kinds(connection)))
        self._catch_up(connection)

    def _poll(self, connection: Connection) -> None:
        """Look for what nobody told: ready tasks, events, leases that end, whether others live."""
        self._clock.compare(connection)
        now = self._clock.now()
        connection.execute(rows.SEEN, (now, self._hub))
        others = connection.execute(rows.OTHERS, (now - HERE_SECONDS, self._hub)).fetchone()
        due = connection.execute(rows.NEXT_DUE).fetchone()
        self._alone = others == (0,)
        if due and due[0] is not None:
            self._remind(due[0])
        self._hear(Heard(ready=self._ready_kinds(connection)))
        self._catch_up(connection)
        connection.execute(rows.TRIM_EVENTS, (EVENTS_KEPT,))
        self._polled = time.monotonic()

    def _ready_kinds(self, connection: Connection) -> Counter[Kind]:
        paused = {backend for (backend,) in connection.execute(rows.PAUSED)}
        if "" in paused:
            return Counter()
        found = connection.execute(rows.READY_KINDS).fetchall()
        return Counter(
            {
                (backend, split(tags)): count
                for backend, tags, count in found
                if backend not in paused
            }
        )

    def _tell_events_of_late(self, connection: Connection) -> None:
        row = connection.execute(rows.LAST_EVENT).fetchone()
        last = row[0] if row else 0
        begin: int | None = last
        for events in _read_events(connection, last - KEPT):
            self._hear(Heard(events, begin=begin and events[0].number - 1))
            begin = None
        if begin is not None:
            self._hear(Heard(begin=begin))

    def _catch_up(self, connection: Connection) -> None:
        """Tell the events that are not known here."""
        after = self._last()
        for events in _read_events(connection, after):
            first = events[0].number - 1
            # What lies between was too old to be kept.
            self._hear(Heard(events, begin=first if first > after else None))
            after = events[-1].number


def _read_events(connection: Connection, after: int) -> Iterator[list[Event]]:
    """Yield the events after a number, some at a time."""
    while found := connection.execute(rows.EVENTS_AFTER, (after, GROUPS_AT_ONCE)).fetchall():
        events: list[Event] = []
        for last, count, told in found:
            group = _events.decode(told)
            for number, event in enumerate(group, last - count + 1):
                event.number = number
            events += group
        yield events
        after = events[-1].number
