"""Where HTTP meets the hub: who asks, what it answers, and what becomes of those who leave."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from litestar import Request as Http
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from mittelo.core import requests as req
from mittelo.core.requests import Acked, Answer, Code, Leased, Refusal, Request
from mittelo.hub.auth import is_loopback
from mittelo.hub.hub import Hub, Visitor
from mittelo.hub.rest.problems import Refused

Receive = Callable[[], Awaitable[Any]]
_GONE = "http.disconnect"


class Desk:
    """Takes the requests of one REST door to its hub."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.closing = asyncio.Event()
        self.needs_token = hub.welcome().role is None

    def admit(self, http: Http[Any, Any, Any]) -> Visitor:
        """Return who asks; raises `Refused` without a token that is known."""
        visitor = self.hub.welcome()
        if not self.needs_token:
            return visitor
        # Tokens may hold any letter, but headers come as Latin-1.
        given = http.headers.get("authorization", "").encode("latin-1")
        scheme, _, secret = given.decode(errors="surrogateescape").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            said = Refusal("Send a token: `Authorization: Bearer TOKEN`.", Code.UNAUTHORIZED)
            raise Refused(said, HTTPStatus.UNAUTHORIZED)
        answer = self.hub.greet(req.Hello(token=secret.strip()), visitor)
        if isinstance(answer, Refusal):
            raise Refused(answer, HTTPStatus.UNAUTHORIZED)
        return visitor

    async def ask(
        self, request: Request, visitor: Visitor, receive: Receive | None = None
    ) -> Answer:
        """Return the hub's answer; `receive` tells when nobody is there any more to hear it.

        Tasks that were leased for somebody who is gone are given back.
        """
        if self.closing.is_set():
            return Refusal("The hub is shutting down; come again.", Code.UNAVAILABLE)
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def hear(answer: Answer) -> None:
            if answered.done():
                self._give_back(answer, visitor)
            else:
                answered.set_result(answer)

        self.hub.ask(request, visitor, hear)
        try:
            if receive and not answered.done():
                await self._watch(answered, receive, visitor)
            return await answered
        finally:
            answered.cancel()
            self.hub.farewell(visitor)

    async def _watch(
        self, answered: "asyncio.Future[Answer]", receive: Receive, visitor: Visitor
    ) -> None:
        """Wait for the answer, or until the client is gone."""
        left = asyncio.ensure_future(_left(receive))
        both: set[asyncio.Future[Any]] = {left, answered}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not left.done():
            left.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await left
            return
        if answered.done():
            self._give_back(answered.result(), visitor)
        raise Refused(Refusal("Nobody is there to hear the answer.", Code.UNAVAILABLE))

    def _give_back(self, answer: Answer, visitor: Visitor) -> None:
        match answer:
            case Leased(tasks=[_, *_]):
                self.hub.engine.give_back(answer, visitor.caller)
            case Acked(tasks=list() as tasks) if tasks:
                self.hub.engine.give_back(Leased(tasks), visitor.caller)
            case _:
                pass


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != _GONE:
        pass


def require_own_page(http: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Refuse what a web page of somebody else's makes a browser ask of a hub without tokens.

    A page may let its own name point at this machine (DNS rebinding), then `Host` tells; or send
    forms here, then `Origin` does.
    """
    host = http.headers.get("host", "")
    if not is_loopback(_name(host)):
        words = f"This hub is not called {host[:100]!r}; without a token it answers to localhost."
        raise Refused(Refusal(words, Code.UNAUTHORIZED))
    origin = http.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != host:
        raise Refused(Refusal("Pages of other sites may not ask here.", Code.UNAUTHORIZED))


def _name(host: str) -> str:
    """Return a host without its port, or brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
