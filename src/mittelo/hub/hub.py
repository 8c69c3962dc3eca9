"""The hub itself: everything that can be asked of it, whichever door the question came by."""

import asyncio
import contextlib
import secrets
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

from mittelo.core import requests as req
from mittelo.core.admission import no_task
from mittelo.core.requests import Answer, Code, Event, Refusal, Request
from mittelo.errors import MitteloError
from mittelo.hub.auth import ALLOWED, Role, Token, Tokens
from mittelo.hub.engine import Engine, Reply
from mittelo.hub.events import Feed
from mittelo.hub.following import Followers
from mittelo.hub.roster import Roster
from mittelo.hub.store import Call, Caller, Heard, Store, StoreError
from mittelo.log import warn
from mittelo.version import version

PROTOCOL = 2
PURGE_EVERY_SECONDS = 60.0


_NOTHING: set[type[Request]] = set()


class Visitor:
    """Somebody at a door: what he may do, and by which names his tasks are known."""

    __slots__ = ("allowed", "caller", "role")

    def __init__(self, connection: int, role: Role | None) -> None:
        self.caller = Caller(connection, set())
        self.role = role
        self.allowed = ALLOWED[role] if role else _NOTHING

    def show(self, token: Token) -> None:
        """Let him do from now on what his token is for."""
        self.role = token.role
        self.allowed = ALLOWED[token.role]
        only_own = token.role is Role.SUBMIT
        self.caller = Caller(self.caller.connection, self.caller.workers, token.name, only_own)


class Hub:
    """Answers requests on the event loop that it was made on."""

    def __init__(
        self,
        store: Store,
        tokens: Tokens,
        *,
        keep_days: float = 0.0,
        on_shutdown: Callable[[], None] = lambda: None,
        on_failure: Callable[[StoreError], None] = lambda _error: None,
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._on_shutdown = on_shutdown
        self._loop = asyncio.get_running_loop()
        self._numbers = count(secrets.randbits(30) << 32)
        self._roster = Roster()
        feed = Feed(time.time())
        self.followers = Followers(feed)
        self._reader = ThreadPoolExecutor(1, "hub reader")
        self.engine = Engine(store, on_events=self._tell, on_failure=on_failure, clock=store.clock)
        store.listen(self._hear_soon, lambda: feed.last)
        self._purging: asyncio.TimerHandle | None = None
        if keep_days:
            self._purge(req.Purge(days=keep_days))

    def welcome(self) -> Visitor:
        """Return who just came; where no token is needed, he may do everything."""
        return Visitor(next(self._numbers), None if self._tokens else Role.ADMIN)

    def farewell(self, visitor: Visitor) -> None:
        """Let go of whatever somebody waited for who is gone."""
        connection = visitor.caller.connection
        self.engine.forget(connection)
        self.followers.forget(connection)
        self._roster.gone(visitor.caller.workers, connection)

    def greet(self, hello: req.Hello, visitor: Visitor) -> Answer:
        """Look at a token; without one, somebody stays who he is."""
        if self._tokens and (hello.token or visitor.role is None):
            token = self._tokens.find(hello.token)
            if token is None:
                return Refusal("This token is not known here.", Code.UNAUTHORIZED)
            visitor.show(token)
        role = visitor.role or Role.ADMIN
        return req.Greeting("mittelo", version(), PROTOCOL, role)

    def ask(self, request: Request, visitor: Visitor, reply: Reply) -> None:
        """Answer a request, now or later, once."""
        if type(request) not in visitor.allowed and (refused := _refused(request, visitor)):
            return reply(refused)
        caller = visitor.caller
        match request:  # what is asked for most stands first
            case req.Enqueue():
                self.engine.submit(Call(request, caller), reply)
            case req.Lease():
                caller.workers.add(request.worker_id)
                self._roster.asks(request, caller.connection, time.time())
                self.engine.submit(Call(request, caller), reply)
            case req.Ack() | req.Renew():
                self._roster.speak(caller.workers, time.time())
                if isinstance(request, req.Ack) and request.lease:
                    caller.workers.add(request.lease.worker_id)
                    self._roster.asks(request.lease, caller.connection, time.time())
                self.engine.submit(Call(request, caller), reply)
            case req.Purge() | req.RetryFailed():
                self.engine.submit_whole(Call(request, caller), reply)
            case req.Stats():
                self._read(lambda: self._store.counted(self._store.clock()), reply)
            case req.Get():
                task_id = request.task_id
                self._read(lambda: self._store.task(task_id) or no_task(task_id), reply)
            case req.List():
                self._read(lambda: self._page(request), reply)
            case req.Follow():
                self.followers.ask(request, caller.connection, reply)
            case req.Workers():
                reply(req.Working(self._roster.everybody()))
            case req.Hello():
                reply(self.greet(request, visitor))
            case req.Shutdown():
                reply(req.Done())
                self._loop.call_soon(self._on_shutdown)
            case _:
                self.engine.submit(Call(request, caller), reply)
        return None

    async def call(self, request: Request, visitor: Visitor) -> Answer:
        """Answer a request, for doors that wait for it."""
        answered: asyncio.Future[Answer] = self._loop.create_future()

        def reply(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        self.ask(request, visitor, reply)
        return await answered

    async def drain(self) -> None:
        """Hand out nothing more, and finish what was asked for."""
        if self._purging:
            self._purging.cancel()
        self.followers.send_away()
        await self.engine.drain()

    async def close(self) -> None:
        """End the threads. The store stays open."""
        await self.engine.close()
        await asyncio.to_thread(self._reader.shutdown)

    def _page(self, request: req.List) -> req.Listed:
        """Return one page; `next` tells how to go on when it is not all that was asked for."""
        limit = request.limit if request.limit > 0 else 2**31
        return self._store.page(request.status, request.before, limit, brief=request.brief)

    def _read(self, read: Callable[[], Answer], reply: Reply) -> None:
        future = self._loop.run_in_executor(self._reader, read)
        future.add_done_callback(lambda done: reply(_read_answer(done)))

    def _tell(self, events: list[Event]) -> None:
        self._roster.note(events)
        self.followers.tell(events)

    def _hear_soon(self, heard: Heard) -> None:
        """Take in, on any thread, what others did to the tasks."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is here any more
            self._loop.call_soon_threadsafe(self._hear, heard)

    def _hear(self, heard: Heard) -> None:
        if heard.begin is not None:
            self.followers.begin(heard.begin)
        if heard.events:
            self.followers.tell(heard.events)
        if heard.ready:
            self.engine.announce(heard.ready)

    def _purge(self, request: req.Purge) -> None:
        self._purging = self._loop.call_later(PURGE_EVERY_SECONDS, self._purge, request)
        self.engine.submit_whole(Call(request, Caller(0)), lambda _answer: None)


def _refused(request: Request, visitor: Visitor) -> Refusal | None:
    if isinstance(request, req.Hello):
        return None
    if visitor.role is None:
        return Refusal("Say hello with a token first.", Code.UNAUTHORIZED)
    if type(request) not in ALLOWED[visitor.role]:
        return Refusal(f"A token of role {visitor.role} may not do this.", Code.UNAUTHORIZED)
    return None


def _read_answer(done: "asyncio.Future[Any]") -> Answer:
    match done.exception():
        case None:
            answer: Answer = done.result()
            return answer
        case MitteloError() as error:
            return Refusal(f"{error.what} {error.todo}".strip(), Code.UNAVAILABLE)
        case error:
            warn("".join(traceback.format_exception(error)))
            return Refusal("The hub failed at this; its log tells how.", Code.INTERNAL)
