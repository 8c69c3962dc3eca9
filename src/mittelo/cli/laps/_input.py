"""What users say of laps on the command line and on stdin."""

import re
import sys

import msgspec
from msgspec import Struct

from mittelo.core.queues import HEAD, TAIL, Position, Where
from mittelo.laps.editing import Draft
from mittelo.laps.refusals import RefusedError

_AT = re.compile(r"at `\$\[(\d+)\]")


class _Told(Struct):
    """A lap as JSON tells of it; other keys are ignored."""

    title: str = ""
    description: str = ""
    assignee: str = ""


def where(words: tuple[str, ...]) -> Where:
    """Return the position that words name."""
    match words:
        case ("head",):
            return HEAD
        case ("tail",):
            return TAIL
        case ("after", anchor):
            return Where(Position.AFTER, anchor)
        case ("after",):
            raise RefusedError("'after' needs the id of a lap.")
        case ():
            raise RefusedError("A position is required: head, tail or after <id>.")
    raise RefusedError(f"{' '.join(words)!r} is no position.", "Say head, tail or after <id>.")


def unescaped(text: str) -> str:
    r"""Return a text with its `\n` as line breaks; `\\n` is a backslash and an n."""
    return re.sub(r"(\\?)\\n", lambda found: "\\n" if found[1] else "\n", text)


def sound(text: str, what: str) -> str:
    """Return a text that can be stored."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        told = f"{what} is not valid Unicode at position {error.start + 1}."
        raise RefusedError(told) from error
    return text


def read_stdin(what: str) -> str:
    """Return what is piped in."""
    if sys.stdin is None or sys.stdin.isatty():
        raise RefusedError(f"{what} is read from stdin, which is a terminal.", "Pipe it in.")
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        told = f"{what} is not valid UTF-8 at byte {error.start + 1}."
        raise RefusedError(told) from error


def drafts_of(text: str) -> list[Draft]:
    """Return the laps that a JSON object or array tells of."""
    try:
        told = msgspec.json.decode(text, type=_Told | list[_Told])
    except (msgspec.DecodeError, RecursionError) as error:
        which = f" (task {int(at[1]) + 1})" if (at := _AT.search(str(error))) else ""
        raise RefusedError(f"The JSON is no lap and no list of laps{which}: {error}.") from error
    found = told if isinstance(told, list) else [told]
    if not found:
        raise RefusedError("The list of laps is empty.")
    return [Draft(one.title, one.description, one.assignee) for one in found]
