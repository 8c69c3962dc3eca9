"""Followers of the events that wait for the next one."""

import asyncio
from collections.abc import Callable, Sequence

from mittelo.core.requests import Answer, Event, Follow
from mittelo.hub.events import Feed


class _Follower:
    __slots__ = ("connection", "reply", "request", "timer")

    def __init__(self, request: Follow, connection: int, reply: Callable[[Answer], None]) -> None:
        self.request = request
        self.connection = connection
        self.reply = reply
        self.timer: asyncio.TimerHandle | None = None


class Followers:
    """Answers requests for events: at once, when there is one, or when their time is over."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._loop = asyncio.get_running_loop()
        self._waiting: set[_Follower] = set()

    def ask(self, request: Follow, connection: int, reply: Callable[[Answer], None]) -> None:
        """Answer as soon as there is something to tell."""
        found = self._feed.since(request.after, request.limit)
        if found.events or found.missed or request.after is None or not request.wait_seconds:
            reply(found)
            return
        follower = _Follower(request, connection, reply)
        follower.timer = self._loop.call_later(request.wait_seconds, self._answer, follower)
        self._waiting.add(follower)

    def tell(self, events: Sequence[Event]) -> None:
        """Put events on record and answer those who wait for them."""
        before = self._feed.last
        self._feed.append(events)
        if self._feed.last > before:
            self.send_away()

    def begin(self, last: int) -> None:
        """Go on after an event number, as if nothing had been told before."""
        self._feed.begin(last)
        self.send_away()

    def forget(self, connection: int, *, answer: bool = False) -> None:
        """Let a connection wait no more; `answer` tells it that nothing came."""
        for follower in [f for f in self._waiting if f.connection == connection]:
            if answer:
                self._answer(follower)
            else:
                self._leave(follower)

    def send_away(self) -> None:
        """Answer everybody with what there is."""
        for follower in [*self._waiting]:
            self._answer(follower)

    def _answer(self, follower: _Follower) -> None:
        self._leave(follower)
        request = follower.request
        follower.reply(self._feed.since(request.after, request.limit))

    def _leave(self, follower: _Follower) -> None:
        self._waiting.discard(follower)
        if follower.timer:
            follower.timer.cancel()
