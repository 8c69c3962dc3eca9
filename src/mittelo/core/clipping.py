"""Make text fit: to a budget without splitting a character, and to a line of a terminal."""

import re

MARKER = "\n... [truncated] ...\n"


_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # control sequences: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # titles, links
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def printable(text: str) -> str:
    """Return text without what a terminal would obey: escape sequences, control characters."""
    return _ESCAPES.sub("", text)


def clip_bytes(text: str, budget: int) -> str:
    """Return `text` in at most `budget` bytes of UTF-8, keeping head and tail around a marker.

    A budget of 0 means no limit. Where the marker does not fit, the head alone is kept.
    """
    raw = text.encode()
    if budget <= 0 or len(raw) <= budget:
        return text
    room = budget - len(MARKER.encode())
    if room <= 0:
        return _whole(raw[:budget])
    head = room // 2
    return _whole(raw[:head]) + MARKER + _whole(raw[len(raw) - (room - head) :])


def clip(text: str, budget: int) -> str:
    """Return `text` in at most `budget` characters, keeping head and tail around a marker."""
    if budget <= 0 or len(text) <= budget:
        return text
    room = budget - len(MARKER)
    if room <= 0:
        return text[:budget]
    head = room // 2
    return text[:head] + MARKER + text[len(text) - (room - head) :]


def one_line(text: str, budget: int) -> str:
    """Return `text` as one printable line, cut to `budget` characters with an ellipsis."""
    flat = " ".join(printable(text).split())
    return flat if len(flat) <= budget else flat[: budget - 1].rstrip() + "…"


def _whole(raw: bytes) -> str:
    """Decode a slice of valid UTF-8, leaving out a character that the cut split."""
    return raw.decode(errors="ignore")
