"""What the REST door can do, as an OpenAPI document made from the routes and the requests.

It is made here and not by litestar, which leaves limits out that stand within lists and options.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec

from mittelo.core.requests import Code
from mittelo.hub.rest.problems import PROBLEM, STATUS, Problem
from mittelo.hub.rest.routes import EVENTS, ROUTES, Health, Route
from mittelo.version import version

_SCHEMAS = "#/components/schemas/"
_JSON = "application/json"
_ALWAYS = (HTTPStatus.FORBIDDEN, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE)
_WITH_BODY = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
_HELP = {
    "status": "Only tasks of this status.",
    "limit": "So many at most; a page ends earlier when it is long.",
    "cursor": "The `next` of the page before.",
    "brief": "Shorten long texts.",
    "after": "An event number; without one, from now on.",
    "wait_seconds": "Wait so long for an event, when JSON is asked for.",
}
_ABOUT = (
    "A hub queues prompts and hands them out to workers. Every refusal is a problem (RFC 9457) "
    "whose `code` is a word for programs."
)
Json = dict[str, Any]


def describe(*, needs_token: bool) -> Json:
    """Return the document; `needs_token` tells whether one can do without."""
    schemas = _schemas()
    paths: dict[str, Json] = {}
    for route in ROUTES:
        path = paths.setdefault(route.path.replace(":str", ""), {})
        path[route.method.lower()] = _operation(route, schemas)
    paths["/events"] = {"get": _events(schemas)}
    paths["/health"] = {"get": _health()}
    for route in ROUTES:
        _leave_out(schemas[route.asks.__name__], route.in_path if route.has_body else ())
    return {
        "openapi": "3.1.0",
        "info": {"title": "mittelo hub", "version": version(), "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}] if needs_token else [{}, {"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {status.name: _refused(status) for status in _statuses()},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas() -> dict[str, Json]:
    kinds: list[Any] = [Problem, Health]
    for route in (*ROUTES, EVENTS):
        kinds += [k for k in (route.asks, route.answers, route.also, route.also_answers) if k]
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_SCHEMAS + "{name}")
    for schema in schemas.values():
        if "description" in schema:
            schema["description"] = " ".join(schema["description"].split())
    return schemas


def _leave_out(schema: Json, names: Iterable[str]) -> None:
    """Take away what the address says, where a body says the rest."""
    for name in names:
        schema["properties"].pop(name, None)
        schema["required"] = [needed for needed in schema["required"] if needed != name]


def _operation(route: Route, schemas: dict[str, Json]) -> Json:
    found = {
        "operationId": route.name,
        "summary": schemas[route.asks.__name__]["description"],
        "parameters": [*_in_path(route, schemas), *_in_query(route, schemas)],
        "responses": {
            str(route.status): _answer(route),
            **_refusals(_statuses_of(route)),
        },
    }
    if route.has_body:
        body = _either(route.asks, route.also)
        found["requestBody"] = {
            "required": route.needs_body,
            "content": {_JSON: {"schema": body}},
        }
    return found


def _in_path(route: Route, schemas: dict[str, Json]) -> list[Json]:
    if not route.in_path:
        return []
    field = "lease_id" if "lease_id" in route.in_path else "task_id"
    schema = schemas[route.asks.__name__]["properties"][field]
    return [{"name": "id", "in": "path", "required": True, "schema": _without_null(schema)}]


def _in_query(route: Route, schemas: dict[str, Json]) -> list[Json]:
    if route.method == "POST":
        return []
    properties = schemas[route.asks.__name__]["properties"]
    return [
        {
            "name": name,
            "in": "query",
            "required": field.required,
            "schema": _without_null(properties[field.name]),
            "description": _HELP[name],
        }
        for field in route.fields
        for name in [route.renamed.get(field.name, field.name)]
    ]


def _without_null(schema: Json) -> Json:
    """Return what a word in an address may be: there is no null, it is left out."""
    if "anyOf" not in schema:
        return schema
    kinds = [kind for kind in schema["anyOf"] if kind != {"type": "null"}]
    found: Json = kinds[0]
    return found


def _answer(route: Route) -> Json:
    found: Json = {
        "description": HTTPStatus(route.status).phrase,
        "content": {_JSON: {"schema": _either(route.answers, route.also_answers)}},
    }
    if route.status == HTTPStatus.CREATED:
        said = {"schema": {"type": "string"}, "description": "The address of the task, if one."}
        found["headers"] = {"Location": said}
    return found


def _either(kind: Any, also: Any) -> Json:  # noqa: ANN401 - any Struct
    kinds = [{"$ref": _SCHEMAS + one.__name__} for one in (kind, also) if one]
    return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}


def _statuses_of(route: Route) -> set[HTTPStatus]:
    found = {HTTPStatus.UNAUTHORIZED, *_ALWAYS, *(STATUS[code] for code in route.codes)}
    if route.fields or route.in_path:
        found.add(HTTPStatus.BAD_REQUEST)
    return found | set(_WITH_BODY) if route.has_body else found


def _statuses() -> set[HTTPStatus]:
    return {status for route in (*ROUTES, EVENTS) for status in _statuses_of(route)}


def _refusals(statuses: Iterable[HTTPStatus]) -> Json:
    return {
        str(status.value): {"$ref": f"#/components/responses/{status.name}"}
        for status in sorted(statuses)
    }


def _refused(status: HTTPStatus) -> Json:
    codes = [code.value for code in Code if STATUS[code] is status]
    found: Json = {
        "description": f"{status.phrase}: {', '.join(codes)}" if codes else status.phrase,
        "content": {PROBLEM: {"schema": {"$ref": _SCHEMAS + Problem.__name__}}},
    }
    header = {"schema": {"type": "string"}}
    if status is HTTPStatus.UNAUTHORIZED:
        found["headers"] = {"WWW-Authenticate": header}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        found["headers"] = {"Retry-After": header}
    return found


def _events(schemas: dict[str, Json]) -> Json:
    found = _operation(EVENTS, schemas)
    found["description"] = (
        "A stream of server-sent events that goes on until the hub ends: each `id` is an event "
        "number, each `data` an `Event`. An event named `missed` tells that some are not kept any "
        "more. With `Accept: application/json` it answers once."
    )
    found["parameters"].append(
        {
            "name": "Last-Event-ID",
            "in": "header",
            "required": False,
            "schema": _without_null(schemas["Follow"]["properties"]["after"]),
            "description": "Go on after this event; it counts more than `after`.",
        }
    )
    found["responses"]["200"]["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    return found


def _health() -> Json:
    content = {_JSON: {"schema": {"$ref": _SCHEMAS + Health.__name__}}}
    return {
        "operationId": "health",
        "summary": "Tell whether the hub works, to anybody.",
        "security": [{}],
        "responses": {
            "200": {"description": "It works.", "content": content},
            "503": {"description": "The store does not answer.", "content": content},
            **_refusals({HTTPStatus.FORBIDDEN, HTTPStatus.INTERNAL_SERVER_ERROR}),
        },
    }
