"""The REST door as an application: routes, who may come in, and how refusals are told."""

import asyncio
from http import HTTPStatus
from typing import Any

from litestar import HttpMethod, Litestar, Response, get, post, route
from litestar import Request as Http
from litestar.handlers import HTTPRouteHandler

from mittelo.core.requests import Answer, Counted, Enqueued, Refusal, Stats
from mittelo.hub.auth import Role
from mittelo.hub.hub import Visitor
from mittelo.hub.lines import encode
from mittelo.hub.rest.desk import Desk, require_own_page
from mittelo.hub.rest.following import follow
from mittelo.hub.rest.openapi import describe
from mittelo.hub.rest.problems import ANSWERS, Refused, reply
from mittelo.hub.rest.reading import read
from mittelo.hub.rest.routes import EVENTS, ROUTES, Health, Route
from mittelo.version import version

HEALTH_SECONDS = 5.0


def make_app(desk: Desk, max_body: int) -> Litestar:
    """Return the application that answers for a hub."""
    return Litestar(
        [
            *(_options(path) for path in {one.path for one in ROUTES}),
            *(_handler(desk, one) for one in ROUTES),
            _events(desk),
            _health(desk),
            _document(desk),
        ],
        guards=[] if desk.needs_token else [require_own_page],
        exception_handlers=ANSWERS,
        request_max_body_size=max_body,
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


def _handler(desk: Desk, at: Route) -> HTTPRouteHandler:
    async def answer(request: Http[Any, Any, Any]) -> Response[bytes]:
        visitor = desk.admit(request)
        asked = await read(at, request)
        found = await desk.ask(asked, visitor, request.receive)
        if isinstance(found, Refusal):
            raise Refused(found)
        return reply(encode(found), at.status, _place_of(found))

    return (get if at.method == "GET" else post)(at.path, status_code=at.status)(answer)


def _place_of(answer: Answer) -> dict[str, str]:
    return {"Location": f"/tasks/{answer.task_id}"} if isinstance(answer, Enqueued) else {}


def _options(path: str) -> HTTPRouteHandler:
    """Tell what can be done at an address; litestar would tell of its first method only.

    It does not add one of its own where it finds this one first.
    """
    methods = sorted({"OPTIONS", *(one.method for one in ROUTES if one.path == path)})

    @route(path, http_method=HttpMethod.OPTIONS, status_code=HTTPStatus.NO_CONTENT)
    async def options() -> Response[None]:
        headers = {"Allow": ", ".join(methods)}
        return Response(None, status_code=HTTPStatus.NO_CONTENT, headers=headers)

    return options


def _events(desk: Desk) -> HTTPRouteHandler:
    @get(EVENTS.path)
    async def events(request: Http[Any, Any, Any]) -> Response[Any]:
        return await follow(desk, request)

    return events


def _health(desk: Desk) -> HTTPRouteHandler:
    @get("/health")
    async def health() -> Response[bytes]:
        works = await _store_works(desk)
        told = Health(works, version(), "ok" if works else "unavailable")
        return reply(encode(told), 200 if works else 503)

    return health


async def _store_works(desk: Desk) -> bool:
    try:
        async with asyncio.timeout(HEALTH_SECONDS):
            answer = await desk.ask(Stats(), Visitor(0, Role.READ))
    except TimeoutError:
        return False
    return isinstance(answer, Counted)


def _document(desk: Desk) -> HTTPRouteHandler:
    document = encode(describe(needs_token=desk.needs_token))

    @get("/openapi.json")
    async def openapi() -> Response[bytes]:
        return reply(document)

    return openapi
