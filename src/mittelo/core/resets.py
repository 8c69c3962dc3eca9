"""When a limit ends: reset times in all the forms that agent CLIs and providers write them.

Forms seen with claude 2.1, codex 0.169, gemini 0.61, opencode 1.18 and in their specifications.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

FARTHEST = timedelta(days=35).total_seconds()
"""A reset that is farther away is not believed."""

_FLAGS = re.IGNORECASE | re.ASCII
_CUE = re.compile(
    r"(?:\b|_|quota)resets?(?:[_ -]?(?:at|in|on|time|stamp|after|date|delay|requests|tokens)){0,3}"
    r"(?:[_ -]?(?P<unit>ms|seconds|secs))?\b"
    r"|(?:\b|_)retry[_ -]?(?:after|in|at|delay)(?:[_ -]?(?P<retry_unit>ms|seconds|secs))?\b"
    r"|\btry again\b|\bavailable (?:again )?(?:in|at|on)\b|\bagain (?:in|at|on|after)\b"
    r"|\bwait(?:ing)?\b|\buntil\b|\bunlocks?\b|\brenews?\b|\brefresh(?:es)?\b"
    r"|\blimit reached(?=\|)",
    _FLAGS,
)
_LEAD = re.compile(
    r"[\s\"'=:|\\(*`]*(?:(?:in|at|on|after|is|by|for|about|around|approximately|within|next|the)\b"
    r"[\s\"'=:~(*`]*)*",
    _FLAGS,
)
_SAYS_SPAN = re.compile(r"(?:\b|_)in(?:\b|_)|after|delay|wait|[:=]", _FLAGS)

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_UNIT = (
    r"(?:weeks?|w|days?|d|hours?|hrs?|hr|h|minutes?|mins?|min|m(?!s)|seconds?|secs?|sec|s|ms)"
    r"(?![a-z])"
)
_AMOUNT = r"(?:(\d+(?:\.\d+)?)\s*|\b(?:an?|one)\s+)"
_PART = re.compile(rf"{_AMOUNT}({_UNIT})", _FLAGS)
_SPANS = re.compile(rf"{_AMOUNT}{_UNIT}(?:(?:\s*,)?(?:\s*and\b)?\s*{_AMOUNT}{_UNIT})*", _FLAGS)
_GO_SPAN = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[dhms]))+(?![a-z])", _FLAGS)
_GO_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])", _FLAGS)
_HOURS = re.compile(r"(\d{1,3}):([0-5]\d):([0-5]\d)(?![:\d])", re.ASCII)
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)(?![\d:/-]|\.\d|\s*[a-z])", _FLAGS)

_HOURS_FROM_UTC = {
    "UTC": 0, "GMT": 0, "Z": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10, "WET": 0, "WEST": 1, "CET": 1,
    "CEST": 2, "EET": 2, "EEST": 3, "BST": 1, "MSK": 3, "IST": 5.5, "SGT": 8, "HKT": 8, "JST": 9,
    "KST": 9, "AWST": 8, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip
_REGIONS = {
    "ET": "America/New_York", "EASTERN": "America/New_York", "CT": "America/Chicago",
    "CENTRAL": "America/Chicago", "MT": "America/Denver", "MOUNTAIN": "America/Denver",
    "PT": "America/Los_Angeles", "PACIFIC": "America/Los_Angeles",
}  # fmt: skip
_CONTINENTS = (
    "Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Canada|Etc|Europe|Indian|Pacific|US"
)
_ZONE = re.compile(
    rf"\s*\(?(?:(?P<name>(?:{_CONTINENTS})(?:/[A-Za-z0-9_+-]+)+)"
    r"|(?:(?:UTC|GMT)\s?)?(?P<offset>[+-]\d{1,2}(?::?\d{2})?)(?!\d)"
    rf"|(?P<short>{'|'.join((*_HOURS_FROM_UTC, *_REGIONS))})(?![a-z/]))",
    _FLAGS,
)
_CLOCK = re.compile(
    r"(?:(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?(?::\d{2})?(?:\.\d+)?"
    r"\s*(?P<half>[ap]\.?m\b\.?)?(?![\w/-]*\d)|(?P<word>midnight|noon))",
    _FLAGS,
)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_WEEKDAY = r"(?:mon|tue(?:s)?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\b\.?"
_DAY = re.compile(
    rf"(?:{_WEEKDAY},?\s+)?"
    rf"(?:(?P<month>{_MONTH})\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?![\d:])"
    r"(?:,?\s+(?P<year>\d{4})\b(?!:))?"
    rf"|(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?\s+(?P<month2>{_MONTH})"
    r"(?:,?\s+(?P<year2>\d{4})\b(?!:))?)"
    rf"|(?P<weekday>{_WEEKDAY})|(?P<near>today|tomorrow)\b",
    _FLAGS,
)
_JOIN = re.compile(r"[),\s]*(?:\b(?P<at>at)\s+|on\s+)?", _FLAGS)
_ISO_DAY = re.compile(r"(\d{4})[-/](\d{2})[-/](\d{2})(?!\d)", _FLAGS)
_ISO_CLOCK = re.compile(r"(?:T|\s+)(\d{1,2}):(\d{2})(?::(\d{2}))?(?:[.,]\d+)?", _FLAGS)
_HTTP_DATE = re.compile(
    r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} (?:GMT|UTC|[+-]\d{4})", re.ASCII
)
_EPOCH = re.compile(r"(\d{10}|\d{13})(?!\d)(?:\.\d+)?", re.ASCII)


class _Found(Struct, frozen=True):
    """What stands after a cue: an instant, or a span, which tells less exactly."""

    at: float
    is_span: bool = False


def find_reset(text: str, now: float, zone: tzinfo) -> float | None:
    """Return the epoch second at which a text says that a limit ends; None when it says none.

    Times without a zone are of `zone`; a clock time means its next occurrence. What is past, or
    more than 35 days away, is not believed. Of several, the first after its cue counts, and an
    instant beats a span.
    """
    found: list[_Found] = []
    for cue in _CUE.finditer(text):
        lead = _LEAD.match(text, cue.end())
        start = lead.end() if lead else cue.end()
        told = _told(text, start, cue, now, zone)
        if told and 0 < told.at - now <= FARTHEST:
            found.append(told)
    return min(found, key=lambda told: told.is_span).at if found else None


def _told(text: str, start: int, cue: re.Match[str], now: float, zone: tzinfo) -> _Found | None:
    """Return what stands at a place; the first form that fits decides."""
    if match := _HTTP_DATE.match(text, start):
        return _http_date(match[0])
    if match := _ISO_DAY.match(text, start):
        return _iso(text, match, now, zone)
    if match := _EPOCH.match(text, start):
        return _Found(float(match[1]) / (1000 if len(match[1]) == 13 else 1))
    says_span = _SAYS_SPAN.search(text[cue.start() : start])
    if says_span and (match := _HOURS.match(text, start)):
        hours, minutes, seconds = map(int, match.groups())
        return _Found(now + 3600 * hours + 60 * minutes + seconds, is_span=True)
    unit = 0.001 if (cue["unit"] or cue["retry_unit"] or "").lower() == "ms" else 1.0
    if (seconds_ := _span(text, start)) is not None:
        return _Found(now + seconds_, is_span=True)
    if told := _day_and_clock(text, start, now, zone):
        return told
    if says_span and (match := _NUMBER.match(text, start)):
        return _Found(now + unit * float(match[1]), is_span=True)
    return None


def _span(text: str, start: int) -> float | None:
    """Return the seconds of a length of time, in words or as Go writes it, the longer reading."""
    words, compact = _SPANS.match(text, start), _GO_SPAN.match(text, start)
    longest = max((match for match in (words, compact) if match), key=re.Match.end, default=None)
    if longest is None:
        return None
    parts = (_PART if longest is words else _GO_PART).findall(longest[0])
    return sum(float(number or 1) * _seconds(unit) for number, unit in parts)


def _seconds(unit: str) -> float:
    return 0.001 if unit.lower() == "ms" else _UNITS[unit[0].lower()]


def _http_date(written: str) -> _Found | None:
    try:
        return _Found(parsedate_to_datetime(written).timestamp())
    except (ValueError, OverflowError):
        return None


def _iso(text: str, match: re.Match[str], now: float, zone: tzinfo) -> _Found | None:
    """Return the instant of an ISO date, with a time of day or at midnight."""
    clock = _ISO_CLOCK.match(text, match.end())
    named = _zone(text, clock.end(), zone) if clock else zone
    try:
        hour, minute, second = (int(part or 0) for part in clock.groups()) if clock else (0, 0, 0)
        at = time(hour, minute, second)
        day = date(*map(int, match.groups()))
    except ValueError:
        return None
    return _next([day], at, named, now) if named else None


def _day_and_clock(text: str, start: int, now: float, zone: tzinfo) -> _Found | None:
    """Return the next instant that a day, a time of day or both name, in either order."""
    day, clock = _DAY.match(text, start), _CLOCK.match(text, start)
    if day:
        clock = _clock_after(text, day.end())
    elif clock is None or _is_bare(clock):
        return None
    at = _time(clock) if clock else time()
    named = _zone(text, clock.end(), zone) if clock else zone
    if at is None or named is None:
        return None
    if clock and not day:
        day = _day_after(text, clock.end())
    today = datetime.fromtimestamp(now, named).date()
    days = _days(day, today) if day else (today + timedelta(days=n) for n in range(3))
    return _next(days, at, named, now)


def _clock_after(text: str, end: int) -> re.Match[str] | None:
    joined = _JOIN.match(text, end)
    clock = _CLOCK.match(text, joined.end() if joined else end)
    named = joined and joined["at"]
    return clock if clock and (named or not _is_bare(clock)) else None


def _day_after(text: str, end: int) -> re.Match[str] | None:
    zone = _ZONE.match(text, end)
    end = zone.end() if zone else end
    joined = _JOIN.match(text, end)
    return _DAY.match(text, joined.end() if joined else end)


def _is_bare(clock: re.Match[str]) -> bool:
    """Tell whether it is a lone number, which is no time of day unless "at" says so."""
    return clock["minute"] is None and clock["half"] is None and clock["word"] is None


def _days(match: re.Match[str], today: date) -> Iterator[date]:
    """Yield the days that may be meant, the nearest first."""
    if match["near"]:
        yield today + timedelta(days=match["near"].lower() == "tomorrow")
    elif month_ := match["month"] or match["month2"]:
        month = _MONTHS.index(month_[:3].lower()) + 1
        day = int(match["day"] or match["day2"])
        year = match["year"] or match["year2"]
        for candidate in [int(year)] if year else [today.year, today.year + 1]:
            try:
                yield date(candidate, month, day)
            except ValueError:
                continue
    else:
        ahead = (_WEEKDAYS.index(match["weekday"][:3].lower()) - today.weekday()) % 7
        yield from (today + timedelta(days=ahead), today + timedelta(days=ahead + 7))


def _next(days: Iterator[date] | list[date], at: time, zone: tzinfo, now: float) -> _Found | None:
    instants = (instant for day in days for instant in _instants(day, at, zone))
    return next((_Found(instant) for instant in instants if instant > now), None)


def _instants(day: date, at: time, zone: tzinfo) -> Iterator[float]:
    """Yield when a clock shows this: twice where clocks go back, and once where they skip it."""
    there = datetime.combine(day, at, zone)
    first, second = there.timestamp(), there.replace(fold=1).timestamp()
    yield first
    if second > first:
        yield second


def _time(match: re.Match[str]) -> time | None:
    if match["word"]:
        return time(12) if match["word"].lower() == "noon" else time()
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    half = (match["half"] or "").lower().replace(".", "")
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _zone(text: str, start: int, otherwise: tzinfo) -> tzinfo | None:
    """Return the zone that stands at a place; `otherwise` for none, None for an unknown one."""
    match = _ZONE.match(text, start)
    if match is None:
        return otherwise
    if match["offset"]:
        return _offset(match["offset"])
    if match["short"] and match["short"].upper() in _HOURS_FROM_UTC:
        return timezone(timedelta(hours=_HOURS_FROM_UTC[match["short"].upper()]))
    return _region(match["name"] or _REGIONS[match["short"].upper()])


def _offset(written: str) -> tzinfo | None:
    sign, digits = (-1 if written[0] == "-" else 1), written[1:].replace(":", "")
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "0")
    try:
        return timezone(sign * timedelta(hours=int(hours), minutes=int(minutes)))
    except ValueError:
        return None


def _region(name: str) -> tzinfo | None:
    for spelled in (name, name.title()):
        try:
            return ZoneInfo(spelled)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return None
