"""Instants as task files hold them: RFC 3339 text, which is kept as it was written."""

import re
from datetime import UTC, datetime
from functools import lru_cache

ZERO = "0001-01-01T00:00:00Z"
_SHAPE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


@lru_cache(1 << 12)
def is_instant(text: str) -> bool:
    """Tell whether a text is an RFC 3339 instant."""
    shape = _SHAPE.fullmatch(text)
    if not shape:
        return False
    try:
        datetime.fromisoformat(text[:19])
        return shape[2] == "Z" or bool(datetime.fromisoformat(f"{text[:19]}{shape[2]}"))
    except ValueError:
        return False


def instant_text(at: datetime) -> str:
    """Return an instant as we write it: UTC with microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def order_key(text: str) -> str:
    """Return a text by which instants sort, whatever their offset and number of digits."""
    if not text.endswith("Z"):
        text = _in_utc(text)
    return text[:-1].rstrip("0") if "." in text else text[:-1]


def moment(text: str) -> datetime:
    """Return an instant to the microsecond; digits beyond are cut."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))


def _in_utc(text: str) -> str:
    fraction = text[19:-6]
    try:
        whole = datetime.fromisoformat(text[:19] + text[-6:]).astimezone(UTC)
    except OverflowError:  # at the very edge of the calendar
        return text[:-6] + "Z"
    return f"{whole.isoformat()[:19]}{fraction}Z"
