"""From HTTP to the hub's requests: the address, the query and the body, with every limit."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import msgspec
from litestar import Request as Http
from litestar.exceptions import InternalServerException
from msgspec import UNSET, Raw, Struct, UnsetType

from mittelo.core.requests import Code, Refusal, Request
from mittelo.hub.rest.problems import Refused
from mittelo.hub.rest.routes import Route

_WHERE = " - at `$"


class _Either(Struct):
    tasks: Raw | UnsetType = UNSET


async def read(route: Route, http: Http[Any, Any, Any]) -> Request:
    """Return what a request asks for; raises `Refused` for whatever is wrong with it."""
    fixed = route.of_id(http.path_params.get("id", ""))
    if route.has_body:
        require_json(http)
        return read_body(route, await _body(http) or b"{}", fixed)
    return read_words(route, words(http), fixed)


async def _body(http: Http[Any, Any, Any]) -> bytes:
    try:
        return await http.body()
    except InternalServerException as error:  # the client broke off
        raise Refused(Refusal("The body is not whole.", Code.BAD_REQUEST)) from error


def words(http: Http[Any, Any, Any]) -> dict[str, str]:
    """Return the query; what is given twice is refused."""
    found: dict[str, str] = {}
    for name, value in http.query_params.multi_items():
        if name in found:
            raise Refused(Refusal("It is given twice.", Code.BAD_REQUEST, name))
        found[name] = value
    return found


def read_words(
    route: Route, given: dict[str, str], fixed: Mapping[str, Any] = MappingProxyType({})
) -> Request:
    """Return the request that the words of a query make, with what the address says."""
    shown = {field.name: route.renamed.get(field.name, field.name) for field in route.fields}
    named = {name: given[word] for name, word in shown.items() if word in given}
    for name, value in named.items():
        if value.lower() == "null":
            raise Refused(Refusal("Leave it out instead.", Code.BAD_REQUEST, shown[name]))
    try:
        return msgspec.convert({**named, **fixed}, route.asks, strict=False)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(_WHERE)
        field = where.strip("`.")
        shown_as = "id" if field in fixed else shown.get(field, field)
        raise Refused(Refusal(what, Code.BAD_REQUEST, shown_as)) from error


def read_body(route: Route, body: bytes, fixed: dict[str, Any]) -> Request:
    """Return the request that a body makes, with what the address says; that counts."""
    try:
        many = route.also and msgspec.json.decode(body, type=_Either).tasks is not UNSET
        return _make(route.also if route.also and many else route.asks, body, fixed)
    except (ValueError, RecursionError) as error:
        raise Refused(_wrong(error)) from error


def _make(kind: type[Request], body: bytes, fixed: dict[str, Any]) -> Request:
    try:
        if not fixed:
            return msgspec.json.decode(body, type=kind)
        given = msgspec.json.decode(body, type=dict[str, Any])
        return msgspec.convert({**given, **fixed}, kind)
    except msgspec.ValidationError as error:
        if "got `float`" not in str(error):
            raise
    # To JSON Schema, and so to our OpenAPI document, 3.0 is an integer.
    given = msgspec.json.decode(body, type=dict[str, Any])
    return msgspec.convert({**_whole(given), **fixed}, kind)


def _whole(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a value whose whole numbers are integers; what is only kept stays as it is."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: of if name == "meta" else _whole(of) for name, of in value.items()}
        case list():
            return [_whole(of) for of in value]
        case _:
            return value


def require_json(http: Http[Any, Any, Any]) -> None:
    """Refuse a body that says it is something else, as those of forms on web pages do."""
    given = http.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    packed = http.headers.get("content-encoding", "identity").strip().lower() != "identity"
    if packed or not (given == "application/json" or given.endswith("+json")):
        said = Refusal("Send JSON, with `Content-Type: application/json`.", Code.BAD_REQUEST)
        raise Refused(said, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def _wrong(error: Exception) -> Refusal:
    if isinstance(error, msgspec.ValidationError):
        what, _, where = str(error).partition(_WHERE)
        return Refusal(what, Code.BAD_REQUEST, where.strip("`."))
    if isinstance(error, RecursionError):
        return Refusal("The body is nested too deeply.", Code.BAD_REQUEST)
    if isinstance(error, UnicodeError):
        return Refusal("The body is not UTF-8.", Code.BAD_JSON)
    return Refusal(f"The body is not JSON: {error}", Code.BAD_JSON)
