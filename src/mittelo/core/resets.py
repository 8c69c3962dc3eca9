"""When a limit ends: reset times in all the forms that agent CLIs and providers write them.

Forms seen with claude 2.1, codex 0.169, gemini 0.61, opencode 1.18 and in their specifications.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

FARTHEST = timedelta(days=35).total_seconds()
"""A reset that is farther away is not believed."""

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_UNIT = (
    r"(?:weeks?|w|days?|d|hours?|hrs?|hr|h|minutes?|mins?|min|m(?!s)|seconds?|secs?|sec|s)"
    r"(?![a-z])"
)
_SPAN = rf"\d+(?:\.\d+)?\s*{_UNIT}"
_SPANS = re.compile(rf"{_SPAN}(?:(?:\s*,)?(?:\s*and)?\s*{_SPAN})*", re.IGNORECASE)
_PART = re.compile(rf"(\d+(?:\.\d+)?)\s*({_UNIT})", re.IGNORECASE)
_GO_SPAN = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[dhms]))+(?![a-z])", re.IGNORECASE)
_GO_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])", re.IGNORECASE)

_CUE = re.compile(
    r"\bresets?(?:[_ -]?(?:s|at|in|on|time|after))?\b|\btry again\b"
    r"|\bretry[_ -]?(?:after|in|at|delay)\b"
    r"|\bavailable (?:again )?(?:in|at|on)\b|\bagain (?:in|at|on)\b|\bwait(?:ing)?\b|\buntil\b"
    r"|\bunlocks?\b|\brenews?\b|\bresets?At\b",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r'[\s"\'=:\\(]*(?:(?:in|at|on|after|is|by|for|about)\b[\s"\'=:]*)*', re.IGNORECASE
)
_ISO = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.\d+)?\s*(Z|[+-]\d{2}:?\d{2})?"
)
_EPOCH = re.compile(r"(\d{10}|\d{13})(?!\d)(?:\.\d+)?")
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)(?![\d:./-]|\s*[a-z])", re.IGNORECASE)
_HTTP_DATE = re.compile(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT")
_CLOCK = (
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?(?::\d{2})?\s*(?P<half>[ap]\.?m\.?)?(?![\w:/.-]*\d)"
)
_ZONE = r"(?:\s*\(?(?P<zone>[A-Za-z]+(?:/[A-Za-z_]+)+|[A-Z]{2,5}|[+-]\d{2}:?\d{2})\)?)?"
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY = (
    rf"(?:(?P<weekday>{'|'.join(_WEEKDAYS)})[a-z]*\.?"
    rf"|(?P<month>{'|'.join(_MONTHS)})[a-z]*\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?"
    r"(?:,?\s+(?P<year>\d{4}))?"
    rf"|(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?\s+(?P<month2>{'|'.join(_MONTHS)})[a-z]*\.?"
    r"(?:,?\s+(?P<year2>\d{4}))?"
    r"|(?P<near>today|tomorrow))"
)
_DAY_AND_CLOCK = re.compile(rf"{_DAY}(?:,|\s)*(?:at\s+)?(?:{_CLOCK}{_ZONE})?", re.IGNORECASE)
_CLOCK_ALONE = re.compile(rf"{_CLOCK}{_ZONE}", re.IGNORECASE)
_ZONES = {
    "UTC": 0, "GMT": 0, "Z": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7, "CET": 1, "CEST": 2, "BST": 1, "JST": 9, "IST": 5.5,
}  # fmt: skip


def find_reset(text: str, now: float, zone: tzinfo) -> float | None:
    """Return the epoch second at which a text says that a limit ends; None when it says none.

    Times without a zone are of `zone`; a clock time means its next occurrence. What is past, or
    more than 35 days away, is not believed. Of several, the first after its cue counts, and an
    instant beats a span.
    """
    found: list[tuple[int, float]] = []
    for cue in _CUE.finditer(text):
        lead = _LEAD.match(text, cue.end())
        start = lead.end() if lead else cue.end()
        for rank, at in _readings(text, start, now, zone):
            if 0 < at - now <= FARTHEST:
                found.append((rank, at))
                break
    return min(found)[1] if found else None


def _readings(text: str, start: int, now: float, zone: tzinfo) -> Iterator[tuple[int, float]]:
    """Yield what may stand at a place, by the strength of its form."""
    if match := _HTTP_DATE.match(text, start):
        yield 0, parsedate_to_datetime(match[0]).timestamp()
    if match := _ISO.match(text, start):
        yield from ((0, at) for at in _iso(match, zone))
    if match := _EPOCH.match(text, start):
        yield 0, float(match[1]) / (1000 if len(match[1]) == 13 else 1)
    if match := _DAY_AND_CLOCK.match(text, start):
        yield from ((0, at) for at in _day_and_clock(match, now, zone))
    if (seconds := _span(text, start)) is not None:
        yield 1, now + seconds
    if match := _CLOCK_ALONE.match(text, start):
        yield from ((0, at) for at in _clock_alone(match, now, zone))
    if re.search(r"after|in|delay", text[max(0, start - 14) : start], re.IGNORECASE) and (
        match := _NUMBER.match(text, start)
    ):
        yield 1, now + float(match[1])


def _span(text: str, start: int) -> float | None:
    """Return the seconds of a length of time, in words or as Go writes it, the longer reading."""
    words, compact = _SPANS.match(text, start), _GO_SPAN.match(text, start)
    longest = max((match for match in (words, compact) if match), key=re.Match.end, default=None)
    if longest is None:
        return None
    parts = (_PART if longest is words else _GO_PART).findall(longest[0])
    return sum(float(number) * _seconds(unit) for number, unit in parts)


def _seconds(unit: str) -> float:
    return 0.001 if unit.lower() == "ms" else _UNITS[unit[0].lower()]


def _iso(match: re.Match[str], zone: tzinfo) -> Iterator[float]:
    day, clock, offset = match.groups()
    try:
        at = datetime.fromisoformat(f"{day}T{clock}{(offset or '').replace('Z', '+00:00')}")
    except ValueError:
        return
    yield (at if at.tzinfo else at.replace(tzinfo=zone)).timestamp()


def _clock_alone(match: re.Match[str], now: float, zone: tzinfo) -> Iterator[float]:
    """Yield the next time that a clock shows this; a lone number is no clock time."""
    if match["minute"] is None and match["half"] is None:
        return
    named, clock = _zone(match["zone"], zone), _time(match)
    if clock is None or named is None:
        return
    today = datetime.fromtimestamp(now, named).date()
    for ahead in range(3):
        at = _at(today + timedelta(days=ahead), clock, named)
        if at > now:
            yield at
            return


def _day_and_clock(match: re.Match[str], now: float, zone: tzinfo) -> Iterator[float]:
    named = _zone(match["zone"], zone)
    clock = time() if match["hour"] is None else _time(match)
    if named is None or clock is None:
        return
    today = datetime.fromtimestamp(now, named).date()
    for day in _days(match, today):
        if (at := _at(day, clock, named)) > now:
            yield at
            return


def _days(match: re.Match[str], today: date) -> Iterator[date]:
    """Yield the days that may be meant, the nearest first."""
    if match["near"]:
        yield today + timedelta(days=match["near"].lower() == "tomorrow")
    elif match["weekday"]:
        ahead = (_WEEKDAYS.index(match["weekday"].lower()) - today.weekday()) % 7
        yield from (today + timedelta(days=ahead), today + timedelta(days=ahead + 7))
    else:
        month = _MONTHS.index((match["month"] or match["month2"]).lower()) + 1
        day = int(match["day"] or match["day2"])
        year = match["year"] or match["year2"]
        for candidate in [int(year)] if year else [today.year, today.year + 1]:
            try:
                yield date(candidate, month, day)
            except ValueError:
                continue


def _time(match: re.Match[str]) -> time | None:
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    half = (match["half"] or "").lower().replace(".", "")
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _zone(name: str | None, otherwise: tzinfo) -> tzinfo | None:
    """Return the zone of this name; the one of the machine for none, or for a word that is none."""
    if not name:
        return otherwise
    if name[0] in "+-":
        sign, digits = (-1 if name[0] == "-" else 1), name[1:].replace(":", "")
        return timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))
    if name.upper() in _ZONES:
        return timezone(timedelta(hours=_ZONES[name.upper()]))
    try:
        return ZoneInfo(name) if "/" in name else otherwise
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _at(day: date, clock: time, zone: tzinfo) -> float:
    return datetime.combine(day, clock, zone).timestamp()
