"""One client's connection: requests come in, answers go out in the same order."""

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, cast

from typing_extensions import override

from mittelo.core import requests as req
from mittelo.core.requests import Acked, Answer, Leased, Refusal, Request, Task
from mittelo.hub import lines
from mittelo.hub.engine import Reply
from mittelo.hub.hub import Hub
from mittelo.hub.listing import Listing

if TYPE_CHECKING:
    from mittelo.hub.tcp import Door

MAX_OPEN = 256
"""So many requests of a client are in the works at a time; others stay in the socket."""

LINGER_SECONDS = 2.0
"""So long the rest of a line that was too long is read and thrown away."""

MAX_STRANGERS_LINE = 64 * 1024
_IN_ORDER = {req.List, req.Get, req.Stats, req.Workers, req.Follow, req.Shutdown}
"""What looks at the whole hub is asked when all before it is answered, and what follows then.

Changes are asked for at once, so that those that travel together are committed together.
"""

_READS = {req.List, req.Get, req.Stats}
"""What is read beside the changes: none that was asked for later may overtake it."""


class _Slot:
    """The place of one answer among those that go out."""

    __slots__ = ("deferred", "holds_up", "identity", "reply", "tasks", "waits")

    def __init__(self, identity: bytes) -> None:
        self.identity = identity
        self.deferred: Request | None = None
        self.reply: bytes | None = None
        self.tasks: list[Task] | None = None
        self.waits = False
        self.holds_up = False


class Connection(asyncio.Protocol):
    """Reads lines, asks the hub, and writes the answers, each in its turn."""

    __slots__ = (
        *(
            "_blocked",
            "_closing",
            "_deferring",
            "_door",
            "_ended",
            "_flushing",
            "_hub",
            "_listing",
            "_slots",
        ),
        *("_tail", "_too_long", "_transport", "_unread", "_visitor"),
    )

    def __init__(self, door: "Door", hub: Hub) -> None:
        self._door = door
        self._hub = hub
        self._visitor = hub.welcome()
        self._transport: asyncio.Transport | None = None
        self._tail: bytearray | None = None
        self._unread: deque[bytes] = deque()
        self._slots: deque[_Slot] = deque()
        self._listing: Listing | None = None
        self._deferring = 0
        self._blocked = self._closing = self._ended = self._flushing = self._too_long = False

    @property
    def is_stranger(self) -> bool:
        """Tell whether it has yet to show a token."""
        return self._visitor.role is None

    @property
    def is_quiet(self) -> bool:
        """Tell whether everything that it asked for is answered."""
        return not self._slots

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._door.enter(self)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._unread.clear()
        self._listing = None
        self._hub.farewell(self._visitor)
        for slot in self._slots:
            self._give_back(slot.tasks)
        self._slots.clear()
        self._door.leave(self)

    @override
    def eof_received(self) -> bool:
        """Answer what was asked for. Nobody may be left to hear of it, so nothing waits longer."""
        self._ended = True
        if self._tail:
            self._unread.append(bytes(self._tail))
            self._tail = None
            self._work()
        self._hub.engine.forget(self._visitor.caller.connection, answer=True)
        self._hub.followers.forget(self._visitor.caller.connection, answer=True)
        self._close_if_done()
        return True

    @override
    def pause_writing(self) -> None:
        self._blocked = True
        self._pace()

    @override
    def resume_writing(self) -> None:
        self._blocked = False
        if self._listing:
            self._listing.go_on()
        self._flush()
        self._work()

    @override
    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if self._is_one_line(data):
            self._take(data)
            return
        whole, newline, rest = data.rpartition(b"\n")
        if newline:
            read = whole.split(b"\n")
            if self._tail:
                read[0] = bytes(self._tail + read[0])
                self._tail = None
                self._door.is_whole(self)
            self._unread.extend(read)
        if rest:
            self._keep(rest)
        self._work()

    def _is_one_line(self, data: bytes) -> bool:
        """Tell whether this is a request by itself, as almost always, and nothing is before it."""
        return (
            data.find(b"\n") == len(data) - 1
            and len(self._slots) < MAX_OPEN
            and not self._unread
            and not self._blocked
            and self._tail is None
            and len(data) <= self._limit
            and not data.isspace()
        )

    def stop_reading(self) -> None:
        """Take no more requests than were read."""
        self._closing = True
        self._unread.clear()
        if self._transport:
            self._transport.pause_reading()

    def close(self) -> None:
        """Close once everything written is out."""
        self._closing = True
        if self._transport:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._closing = True
        if self._transport:
            self._transport.abort()

    def write(self, data: bytes) -> bool:
        """Write a piece of an answer; tell whether more may follow at once."""
        if self._transport:
            self._transport.write(data)
        return not self._blocked

    def _keep(self, rest: bytes) -> None:
        """Keep the beginning of a line."""
        if self._tail is None:
            self._tail = bytearray()
            self._door.is_part(self)
        self._tail += rest
        if len(self._tail) > self._limit:
            line = bytes(self._tail[: self._limit + 1])
            self._tail = None
            self._unread.append(line)

    @property
    def _limit(self) -> int:
        most = self._door.max_line
        return min(most, MAX_STRANGERS_LINE) if self._visitor.role is None else most

    # In

    def _work(self) -> None:
        """Ask for what was read, as long as there is room for the answers."""
        unread, slots = self._unread, self._slots
        while unread and len(slots) < MAX_OPEN and not self._blocked and not self._closing:
            line = unread.popleft()
            if len(line) > self._limit:
                self._refuse_length()
            elif line.strip():
                self._take(line)
        self._pace()

    def _pace(self) -> None:
        """Read only while there is room."""
        if self._transport is None or self._closing:
            return
        if self._blocked or self._unread:
            self._transport.pause_reading()
        elif not self._ended:
            self._transport.resume_reading()

    def _refuse_length(self) -> None:
        slot = _Slot(b"null")
        self._slots.append(slot)
        self._unread.clear()
        self._tail = None
        self._ended = self._closing = self._too_long = True
        self._fill(slot, lines.TOO_LONG)

    def _take(self, line: bytes) -> None:
        identity, request = lines.read(line)
        slot = _Slot(identity)
        self._slots.append(slot)
        if isinstance(request, Refusal):
            self._fill(slot, request)
        elif self._deferring or type(request) in _IN_ORDER:
            slot.deferred = request
            self._deferring += 1
            self._flush()
        else:
            slot.waits = isinstance(request, req.Lease) and request.wait_seconds > 0
            self._hub.ask(request, self._visitor, partial(self._fill, slot))

    # Out

    def _fill(self, slot: _Slot, answer: Answer) -> None:
        """Take an answer; it goes out when it is its turn."""
        tasks = _tasks_in(answer)
        if tasks and (self._transport is None or (self._ended and slot.waits)):
            self._give_back(tasks)
            answer = Leased([])
        else:
            slot.tasks = tasks
        slot.reply = lines.write(slot.identity, answer)
        self._go_on_after(slot)
        self._flush()

    def _give_back(self, tasks: list[Task] | None) -> None:
        if tasks:
            self._hub.engine.give_back(Leased(tasks), self._visitor.caller)

    def _flush(self) -> None:
        """Write the answers whose turn it is, and ask for what waited for them."""
        if self._flushing or self._transport is None:
            return
        self._flushing = True
        slots = self._slots
        ready: list[bytes] = []
        while slots:
            slot = slots[0]
            if slot.deferred is not None:
                self._send(ready)
                self._start(slot, slot.deferred)
            if slot.reply is None:
                break
            ready.append(slot.reply)
            slots.popleft()
        self._send(ready)
        self._flushing = False
        if self._unread and not self._blocked:
            asyncio.get_running_loop().call_soon(self._work)
        self._close_if_done()

    def _send(self, ready: list[bytes]) -> None:
        if ready and self._transport:
            self._transport.write(ready[0] if len(ready) == 1 else b"".join(ready))
        ready.clear()

    def _start(self, slot: _Slot, request: Request) -> None:
        slot.deferred = None
        slot.holds_up = type(request) in _READS
        if not slot.holds_up:
            self._deferring -= 1
        if isinstance(request, req.List):
            self._listing = Listing(request, slot.identity, self.write, self._ask)
            self._listing.begin(partial(self._listed, slot))
        else:
            self._hub.ask(request, self._visitor, partial(self._fill, slot))

    def _ask(self, request: Request, reply: Reply) -> None:
        self._hub.ask(request, self._visitor, reply)

    def _listed(self, slot: _Slot, last: bytes | None) -> None:
        self._listing = None
        if last is None:
            self.abort()
            return
        slot.reply = last
        self._go_on_after(slot)
        self._flush()

    def _go_on_after(self, slot: _Slot) -> None:
        """Hold up no longer what was asked for after a read."""
        if slot.holds_up:
            slot.holds_up = False
            self._deferring -= 1

    def _close_if_done(self) -> None:
        if not self._ended or self._slots or self._unread:
            return
        if self._too_long and self._transport and self._transport.can_write_eof():
            # Closing on what is still coming in would take the reply from under the client.
            self._transport.write_eof()
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self.abort)
        else:
            self.close()


def _tasks_in(answer: Answer) -> list[Task] | None:
    if isinstance(answer, Leased):
        return answer.tasks
    return answer.tasks or None if isinstance(answer, Acked) else None
