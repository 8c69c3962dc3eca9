"""Refusals as HTTP knows them: a status, and problem details (RFC 9457) that say what is wrong."""

import traceback
from http import HTTPStatus
from typing import Any

from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException
from msgspec import Struct

from mittelo.core.requests import Code, Refusal
from mittelo.hub.lines import encode
from mittelo.log import warn

PROBLEM = "application/problem+json"
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
RETRY_AFTER_SECONDS = 1
STATUS: dict[Code, HTTPStatus] = {
    Code.BAD_JSON: HTTPStatus.BAD_REQUEST,
    Code.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    Code.UNKNOWN_METHOD: HTTPStatus.METHOD_NOT_ALLOWED,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.LEASE_LOST: HTTPStatus.CONFLICT,
    Code.CONFLICT: HTTPStatus.CONFLICT,
    Code.UNAUTHORIZED: HTTPStatus.FORBIDDEN,
    Code.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
}
_CODES = {
    HTTPStatus.NOT_FOUND: Code.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: Code.UNKNOWN_METHOD,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Code.TOO_LARGE,
}
_WORDS = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This cannot be done at this address.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is longer than this hub takes.",
}


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request was not carried out; it changed nothing.

    `code` is the word for programs, `path` the wrong field. `detail` and `error` are for people.
    """

    title: str
    status: int
    detail: str
    code: Code
    error: str
    path: str = ""


class Refused(Exception):  # noqa: N818 - it is what happened
    """A request was refused; `status` is another than that of its code."""

    def __init__(self, refusal: Refusal, status: HTTPStatus | None = None) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.status = status or STATUS[refusal.code]


def _problem(refusal: Refusal, status: HTTPStatus, headers: dict[str, str]) -> Response[bytes]:
    said = Problem(
        title=status.phrase,
        status=status,
        detail=refusal.message,
        code=refusal.code,
        error=refusal.message,
        path=refusal.path,
    )
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="mittelo"'
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return Response(
        encode(said), status_code=status, media_type=PROBLEM, headers={**HEADERS, **headers}
    )


def _refused(_request: Request[Any, Any, Any], refused: Refused) -> Response[bytes]:
    return _problem(refused.refusal, refused.status, {})


def _broken(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer what the framework found wrong with a request."""
    status = HTTPStatus(error.status_code)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _our_fault(_request, error)
    code = _CODES.get(status, Code.BAD_REQUEST)
    words = _WORDS.get(status, error.detail)
    return _problem(Refusal(words, code), status, dict(error.headers or {}))


def _our_fault(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    warn("".join(traceback.format_exception(error)))
    words = "The hub failed at this; its log tells how."
    return _problem(Refusal(words, Code.INTERNAL), HTTPStatus.INTERNAL_SERVER_ERROR, {})


ANSWERS: dict[int | type[Exception], Any] = {
    Refused: _refused,
    HTTPException: _broken,
    Exception: _our_fault,
}


def reply(
    content: bytes, status: int = 200, headers: dict[str, str] | None = None
) -> Response[bytes]:
    """Return an answer in JSON."""
    return Response(
        content,
        status_code=status,
        media_type=MediaType.JSON,
        headers={**HEADERS, **(headers or {})},
    )
