"""The hub's protocol: a request and a reply are each one JSON object on a line."""

from typing import Any, Union

import msgspec
from msgspec import Raw, Struct

from mittelo.core.requests import METHODS, Answer, Code, Refusal, Request, Task

MAX_LINE = 16 * 1024 * 1024
_WHERE = " - at `$"


class _Envelope(Struct):
    method: str
    id: Raw = Raw(b"null")
    params: Raw = Raw(b"{}")


class _Identity(Struct):
    id: Raw = Raw(b"null")


def _line_of(method: str, kind: type[Request]) -> type[Struct]:
    """Return what a whole request of one method is."""
    fields: list[tuple[str, Any] | tuple[str, Any, Any]]
    fields = [("params", kind), ("id", Raw, Raw(b"null"))]
    return msgspec.defstruct(f"_{kind.__name__}Line", fields, tag_field="method", tag=method)


_whole = msgspec.json.Decoder(Union[*(_line_of(*method) for method in METHODS.items())])  # type: ignore[misc, unused-ignore]
_envelope = msgspec.json.Decoder(_Envelope)
_identity = msgspec.json.Decoder(_Identity)
_params = {name: msgspec.json.Decoder(kind) for name, kind in METHODS.items()}
encode = msgspec.json.Encoder().encode

TOO_LONG = Refusal("The line is longer than this hub takes.", Code.TOO_LARGE)


def read(line: bytes) -> tuple[bytes, Request | Refusal]:
    """Return the id of a request as it was written, and what it asks for."""
    try:
        whole: Any = _whole.decode(line)
        identity = bytes(whole.id)
        if identity.isascii():
            return identity, whole.params
    except (ValueError, RecursionError):
        pass  # whatever is wrong with it is found out step by step
    return _read_with_care(line)


def _read_with_care(line: bytes) -> tuple[bytes, Request | Refusal]:
    try:
        asked = _envelope.decode(line)
        identity = bytes(asked.id)
        identity.decode()
    except (ValueError, RecursionError) as error:
        return _id_of(line), _bad(error, "")
    decoder = _params.get(asked.method)
    if decoder is None:
        known = ", ".join(METHODS)
        words = f"There is no method {asked.method[:100]!r}; those known are {known}."
        return identity, Refusal(words, Code.UNKNOWN_METHOD)
    params = b"{}" if bytes(asked.params) == b"null" else asked.params
    try:
        return identity, decoder.decode(params)
    except (ValueError, RecursionError) as error:
        return identity, _bad(error, "params")


def write(identity: bytes, answer: Answer) -> bytes:
    """Return the reply to a request, with its end of line."""
    if isinstance(answer, Refusal):
        return b'{"id":%b,"result":null,"error":%b}\n' % (identity, encode(answer))
    return b'{"id":%b,"result":%b,"error":null}\n' % (identity, encode(answer))


def list_head(identity: bytes) -> bytes:
    """Return how the reply to `list` begins, before its tasks."""
    return b'{"id":%b,"result":{"tasks":[' % identity


def list_part(tasks: list[Task], *, first: bool) -> bytes:
    """Return some of the tasks of a list."""
    inside = encode(tasks)[1:-1]
    return inside if first or not inside else b"," + inside


def list_tail(stats: Struct, following: int | None) -> bytes:
    """Return how the reply to `list` ends."""
    more = b"" if following is None else b',"next":%d' % following
    return b'],"stats":%b%b},"error":null}\n' % (encode(stats), more)


def _id_of(line: bytes) -> bytes:
    try:
        identity = bytes(_identity.decode(line).id)
        identity.decode()
    except (ValueError, RecursionError):
        return b"null"
    return identity


def _bad(error: Exception, within: str) -> Refusal:
    """Return what is wrong with a request, and with which of its fields."""
    if isinstance(error, msgspec.ValidationError):
        what, _, where = str(error).partition(_WHERE)
        path = f"{within}{where.rstrip('`')}".lstrip(".")
        return Refusal(what, Code.BAD_REQUEST, path)
    if isinstance(error, RecursionError):
        return Refusal("The line is nested too deeply.", Code.BAD_REQUEST)
    if isinstance(error, UnicodeError):
        return Refusal("The line is not UTF-8.", Code.BAD_JSON)
    return Refusal(f"The line is not JSON: {error}", Code.BAD_JSON)
