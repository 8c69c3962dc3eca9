"""Events over HTTP: as a stream that goes on, or one batch at a time as JSON."""

from collections.abc import AsyncIterator
from typing import Any, cast

from litestar import Request as Http
from litestar import Response
from litestar.response import ServerSentEvent, ServerSentEventMessage
from msgspec.structs import replace

from mittelo.core.requests import MAX_EVENTS, Events, Follow, Refusal
from mittelo.hub.hub import Visitor
from mittelo.hub.lines import encode
from mittelo.hub.rest.desk import Desk
from mittelo.hub.rest.problems import HEADERS, Refused, reply
from mittelo.hub.rest.reading import read_words, words
from mittelo.hub.rest.routes import EVENTS

HEARTBEAT_SECONDS = 15.0
"""A stream is silent no longer, so that a connection that is dead is found out."""

COME_AGAIN_MILLISECONDS = 2000
LAST = "last-event-id"


async def follow(desk: Desk, http: Http[Any, Any, Any]) -> Response[Any]:
    """Answer a request for events. Where a client read up to counts more than where it began."""
    visitor = desk.admit(http)
    given = words(http)
    asked = cast("Follow", read_words(EVENTS, given))
    if (last := http.headers.get(LAST)) is not None:
        asked = cast("Follow", read_words(EVENTS, {**given, "after": last}))
    if _wants_json(http):
        return reply(encode(await _events(desk, asked, visitor, http)))
    begin = replace(asked, wait_seconds=0.0, limit=MAX_EVENTS)
    found = await _events(desk, begin, visitor, http)
    return ServerSentEvent(_stream(desk, visitor, found), headers=HEADERS)


async def _events(desk: Desk, asked: Follow, visitor: Visitor, http: Http[Any, Any, Any]) -> Events:
    answer = await desk.ask(asked, visitor, http.receive)
    if isinstance(answer, Refusal):
        raise Refused(answer)
    return cast("Events", answer)


async def _stream(
    desk: Desk, visitor: Visitor, found: Events
) -> AsyncIterator[ServerSentEventMessage]:
    """Tell what happens until the hub ends.

    Nothing piles up for a client that reads slowly: it is told on from where it is, or that it
    missed something.
    """
    begin = None if found.events else found.next
    yield ServerSentEventMessage(data=None, id=begin, retry=COME_AGAIN_MILLISECONDS)
    while True:
        for message in _messages(found):
            yield message
        if desk.closing.is_set():
            return
        asked = Follow(after=found.next, limit=MAX_EVENTS, wait_seconds=HEARTBEAT_SECONDS)
        answer = await desk.ask(asked, visitor)
        if not isinstance(answer, Events):
            return
        found = answer
        if not found.events and not found.missed:
            yield ServerSentEventMessage(data=None, comment="still here")


def _messages(found: Events) -> list[ServerSentEventMessage]:
    messages = [
        ServerSentEventMessage(data=encode(event), id=event.number) for event in found.events
    ]
    if found.missed:
        gap = ServerSentEventMessage(data=b'{"next":%d}' % found.next, event="missed")
        messages.insert(0, gap)
    return messages


def _wants_json(http: Http[Any, Any, Any]) -> bool:
    accepted = http.headers.get("accept", "").lower()
    return "application/json" in accepted and "text/event-stream" not in accepted
