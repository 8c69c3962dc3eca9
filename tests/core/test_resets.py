"""When a limit ends, in all the ways that CLIs and providers say it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import format_datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mittelo.core.resets import FARTHEST, find_reset

NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")
SECOND, MINUTE, HOUR, DAY = 1.0, 60.0, 3600.0, 86400.0
NOON = datetime(2026, 6, 16, 12, 0, tzinfo=UTC)
"""A Tuesday; 14:00 in Berlin, 08:00 in New York."""


def found(text: str, now: datetime = NOON, zone: tzinfo = UTC) -> str:
    """Return the instant that a text names, in UTC; "" for none."""
    at = find_reset(text, now.timestamp(), zone)
    return "" if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Retry after 120 seconds", 120),
        ("retry-after: 120", 120),
        ("Retry-After: 3; x: 9", 3),
        ('"retry-after":"120"', 120),
        ("retry-after-ms: 1500", 1.5),
        ('"retryDelayMs": 2000', 2),
        ("retry_after_seconds=90", 90),
        ('"retryDelay": "34.074824224s"', 34.074824224),
        ("Please retry in 34.5s.", 34.5),
        ("Please try again in 2.5s.", 2.5),
        ("Please try again in 20ms", 0.02),
        ("try again in 6m0s", 360),
        ("please wait 45 seconds before the next", 45),
        ("Waiting for 2 minutes", 120),
        ("Resets in 96h.", 96 * HOUR),
        ("Resets in 5h30m.", 5.5 * HOUR),
        ("Resets in 30m", 30 * MINUTE),
        ("Resets in 1h30m5.5s!", 5405.5),
        ("Resets in 7d.", 7 * DAY),
        ("Resets in 1.5d.", 1.5 * DAY),
        ("Resets in 7d12h", 7.5 * DAY),
        ("Resets in 5h 30m", 5.5 * HOUR),
        ("resets 5h", 5 * HOUR),
        ("resets in 3h 24m", 3 * HOUR + 24 * MINUTE),
        ("try again in 3 days 4 hours", 3 * DAY + 4 * HOUR),
        ("try again in 4d 3h", 4 * DAY + 3 * HOUR),
        ("resets in 2 days, 3 hours and 5 minutes.", 2 * DAY + 3 * HOUR + 5 * MINUTE),
        ("resets in 1 week", 7 * DAY),
        ("resets in about an hour", HOUR),
        ("available again in a day", DAY),
        ("resets in one minute", MINUTE),
        ("Your quota will reset after 4h30m12s.", 4.5 * HOUR + 12),
        ('"quotaResetDelay":"4h30m"', 4.5 * HOUR),
        ("resets in 02:30:00", 2.5 * HOUR),
        ('"resets_in_seconds": 9840', 9840),
        ("x-codex-primary-reset-after-seconds: 3600", HOUR),
        ("x-ratelimit-reset-after: 60", MINUTE),
        ("x-ratelimit-reset-requests: 1m30s", 90),
        ("RESETS IN 5 MINUTES", 300),
        ("limit will refresh in 5 min", 300),
        ("resets in `3h`", 3 * HOUR),
        ("unlocks in (2 hrs)", 2 * HOUR),
    ],
)
def test_a_length_of_time_counts_from_now(text: str, seconds: float) -> None:
    now = NOON.timestamp()
    assert find_reset(text, now, BERLIN) == pytest.approx(now + seconds)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("resets at 14:30", "2026-06-16 14:30:00"),
        ("resets 14:30", "2026-06-16 14:30:00"),
        ("resets at 2:30 PM", "2026-06-16 14:30:00"),
        ("resets at 2:30 p.m.", "2026-06-16 14:30:00"),
        ("resets 3pm", "2026-06-16 15:00:00"),
        ("You've hit your limit · resets 3PM", "2026-06-16 15:00:00"),
        ("resets at 12am", "2026-06-17 00:00:00"),
        ("resets at 12:05 AM", "2026-06-17 00:05:00"),
        ("resets at 12:30 pm", "2026-06-16 12:30:00"),
        ("resets at 12:00", "2026-06-17 12:00:00"),
        ("resets at 11:59", "2026-06-17 11:59:00"),
        ("try again at 5:22 AM.", "2026-06-17 05:22:00"),
        ("try again at 5:22AM", "2026-06-17 05:22:00"),
        ("Try again at 11:30 PM.", "2026-06-16 23:30:00"),
        ("resets at midnight", "2026-06-17 00:00:00"),
        ("resets at noon", "2026-06-17 12:00:00"),
        ("limit until 18:00:30", "2026-06-16 18:00:00"),
    ],
)
def test_a_time_of_day_is_its_next_occurrence(text: str, at: str) -> None:
    assert found(text) == at


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("resets 3pm", "2026-06-16 13:00:00"),
        ("resets 3pm (UTC)", "2026-06-16 15:00:00"),
        ("resets 3pm (Europe/Berlin)", "2026-06-16 13:00:00"),
        ("resets 3pm (America/New_York)", "2026-06-16 19:00:00"),
        ("resets 3pm America/Argentina/Buenos_Aires", "2026-06-16 18:00:00"),
        ("resets 3pm (america/new_york)", "2026-06-16 19:00:00"),
        ("resets 3pm (Etc/GMT+5)", "2026-06-16 20:00:00"),
        ("resets 3pm EST", "2026-06-16 20:00:00"),
        ("resets 3pm EDT", "2026-06-16 19:00:00"),
        ("resets 3 pm ET", "2026-06-16 19:00:00"),
        ("resets 3pm PT.", "2026-06-16 22:00:00"),
        ("resets at midnight Pacific Time", "2026-06-17 07:00:00"),
        ("resets 9pm CEST", "2026-06-16 19:00:00"),
        ("resets at 21:00 +02:00", "2026-06-16 19:00:00"),
        ("resets at 21:00 UTC+2", "2026-06-16 19:00:00"),
        ("resets at 21:00 (GMT+05:30)", "2026-06-16 15:30:00"),
        ("resets at 3pm or later", "2026-06-16 13:00:00"),
        ("resets at 3pm and/or later", "2026-06-16 13:00:00"),
        ("resets 3pm (Europe/Atlantis)", ""),
        ("resets 3pm (America/Argentina)", ""),
        ("resets 3pm UTC+99", ""),
    ],
)
def test_a_named_zone_counts_else_that_of_the_machine(text: str, at: str) -> None:
    assert found(text, zone=BERLIN) == at


@pytest.mark.parametrize(
    ("now", "text", "zone", "at"),
    [
        # Clocks go forward on 2026-03-08 in New York and 2026-03-29 in Berlin.
        ("2026-03-08T05:00Z", "resets 3pm", NEW_YORK, "2026-03-08 19:00:00"),
        ("2026-03-07T21:00Z", "resets 3pm", NEW_YORK, "2026-03-08 19:00:00"),
        ("2026-03-08T06:00Z", "resets at 2:30 AM", NEW_YORK, "2026-03-08 07:30:00"),
        ("2026-03-28T23:00Z", "resets 3pm", BERLIN, "2026-03-29 13:00:00"),
        ("2026-03-28T15:00Z", "resets 3pm (Europe/Berlin)", UTC, "2026-03-29 13:00:00"),
        ("2026-03-29T00:30Z", "resets at 02:30", BERLIN, "2026-03-29 01:30:00"),
        ("2026-03-29T00:30Z", "resets in 2h", BERLIN, "2026-03-29 02:30:00"),
        # They go back on 2026-11-01 and 2026-10-25.
        ("2026-10-31T20:00Z", "resets 3pm", NEW_YORK, "2026-11-01 20:00:00"),
        ("2026-11-01T05:00Z", "resets 1:30 AM", NEW_YORK, "2026-11-01 05:30:00"),
        ("2026-11-01T05:45Z", "resets 1:30 AM", NEW_YORK, "2026-11-01 06:30:00"),
        ("2026-11-01T06:45Z", "resets 1:30 AM", NEW_YORK, "2026-11-02 06:30:00"),
        ("2026-10-24T14:00Z", "resets 3pm", BERLIN, "2026-10-25 14:00:00"),
        ("2026-10-25T00:45Z", "resets at 02:30", BERLIN, "2026-10-25 01:30:00"),
        ("2026-10-24T20:00Z", "resets tomorrow at 3pm", BERLIN, "2026-10-25 14:00:00"),
        ("2026-10-20T20:00Z", "resets Sunday 3pm", BERLIN, "2026-10-25 14:00:00"),
    ],
)
def test_clocks_that_change_between_now_and_then_are_heeded(
    now: str, text: str, zone: tzinfo, at: str
) -> None:
    assert found(text, datetime.fromisoformat(now), zone) == at


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("Your limit will reset at 2026-06-16 18:29:51", "2026-06-16 16:29:51"),
        ("reset at 2026-06-16T18:29:51", "2026-06-16 16:29:51"),
        ("reset at 2026-06-16T18:29:51Z", "2026-06-16 18:29:51"),
        ("reset at 2026-06-16T18:29:51.123456Z", "2026-06-16 18:29:51"),
        ("reset at 2026-06-16T18:29:51+00:00", "2026-06-16 18:29:51"),
        ("reset at 2026-06-16T18:29:51-05:00", "2026-06-16 23:29:51"),
        ("reset at 2026-06-16T18:29:51.5-0500", "2026-06-16 23:29:51"),
        ("reset at 2026-06-16 18:29 UTC", "2026-06-16 18:29:00"),
        ("reset at 2026-06-16 18:29:51 (America/New_York)", "2026-06-16 22:29:51"),
        ("resets on 2026-07-01", "2026-06-30 22:00:00"),
        ("resets on 2026/07/01", "2026-06-30 22:00:00"),
        ('"quotaResetTimeStamp": "2026-06-16T18:29:51Z"', "2026-06-16 18:29:51"),
        ("anthropic-ratelimit-unified-reset: 2026-06-16T18:29:51Z", "2026-06-16 18:29:51"),
        ("Retry-After: Tue, 16 Jun 2026 18:29:51 GMT", "2026-06-16 18:29:51"),
        ("resetsAt: 1781634591", "2026-06-16 18:29:51"),
        ('"resets_at": 1781634591,', "2026-06-16 18:29:51"),
        ("x-codex-primary-reset-at: 1781634591", "2026-06-16 18:29:51"),
        ("X-RateLimit-Reset: 1781634591000", "2026-06-16 18:29:51"),
        ("anthropic-ratelimit-unified-reset: 1781634591", "2026-06-16 18:29:51"),
        ("Claude AI usage limit reached|1781634591", "2026-06-16 18:29:51"),
    ],
)
def test_an_instant_is_taken_as_it_is_written(text: str, at: str) -> None:
    assert found(text, zone=BERLIN) == at


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("resets Thursday", "2026-06-18 00:00:00"),
        ("resets Thu 3pm", "2026-06-18 15:00:00"),
        ("resets on Monday at 9:00 (UTC)", "2026-06-22 09:00:00"),
        ("resets next Monday at 9", "2026-06-22 09:00:00"),
        ("resets Tuesday", "2026-06-23 00:00:00"),
        ("resets Tuesday, 3pm", "2026-06-16 15:00:00"),
        ("resets Tues. 11am", "2026-06-23 11:00:00"),
        ("resets 3pm on Wednesday", "2026-06-17 15:00:00"),
        ("resets 3pm (UTC) tomorrow", "2026-06-17 15:00:00"),
        ("resets today at 5pm", "2026-06-16 17:00:00"),
        ("resets tomorrow", "2026-06-17 00:00:00"),
        ("weekly limit · resets Jul 6, 1pm (UTC)", "2026-07-06 13:00:00"),
        ("resets July 6th at 13:00 UTC", "2026-07-06 13:00:00"),
        ("resets 6 July 2026 13:00", "2026-07-06 13:00:00"),
        ("try again at Jul 6th, 2026 6:00 AM.", "2026-07-06 06:00:00"),
        ("resets on July 1, 2026", "2026-07-01 00:00:00"),
        ("resets Mon, Jul 6, 1pm", "2026-07-06 13:00:00"),
        ("resets on June 16", ""),
        ("resets June 15 at 3pm", ""),
        ("resets June 31", ""),
        ("resets Jan 1", ""),
        ("resets monthly, 5 requests left", ""),
        ("wait until sunset", ""),
    ],
)
def test_days_and_months_are_known_by_name(text: str, at: str) -> None:
    assert found(text) == at


def test_a_year_may_end_between_now_and_then() -> None:
    assert found("resets Jan 3 at 1pm", datetime(2026, 12, 30, tzinfo=UTC)) == "2027-01-03 13:00:00"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("retry-after: 3; resets_at: 1781634591", "2026-06-16 18:29:51"),
        ("for 5 hour. Your limit will reset at 2026-06-16 18:29:51", "2026-06-16 18:29:51"),
        ("resets in 2h, weekly resets in 3d", "2026-06-16 14:00:00"),
        ("resets in 3d, hourly resets in 2h", "2026-06-19 12:00:00"),
        ("try again later. Resets in 1h.", "2026-06-16 13:00:00"),
        ("reset at 2026-06-15 10:00:00, retry after 60", "2026-06-16 12:01:00"),
    ],
)
def test_of_several_the_first_instant_counts_else_the_first_span(text: str, at: str) -> None:
    assert found(text) == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "usage limit. Upgrade to Pro.",
        "Usage limit reached for 5 hour.",
        "30 days free, 5 hours of work",
        "at 5:22 AM",
        "2026-06-16 18:29:51",
        "preset in 5 minutes",
        "try again later",
        "try again in a moment",
        "Retrying after 5000ms...",
        "waiting for network",
        "resets soon",
        "resets at 25:00",
        "resets at 13pm",
        "resets at 5",
        "try again at 5",
        "try again 3 times",
        "retry-after: 0",
        "retry after -5 s",
        "resets in 0s",
        "resets in 36 days",
        "resets in 5 months",
        "resets at 2026-13-45 10:00:00",
        "resets at 2026-06-16 99:99:99",
        "resets at 2026-06-16 11:59:59",
        "resets at 2027-06-16 11:59:59",
        "resetsAt: 0",
        "resetsAt: 1600000000",
        "resetsAt: 9999999999999",
        "Retry-After: Mon, 01 Jan 2024 10:00:00 GMT",
        "Retry-After: Mon, 99 Jan 2026 10:00:00 GMT",
        "resets 5\N{LATIN SMALL LETTER LONG S}",
        "resets \N{LATIN SMALL LETTER LONG S}ep 5",
        "resets in " + "9" * 400 + "s",
        "resets in \N{ARABIC-INDIC DIGIT FIVE}h",
    ],
)
def test_what_names_no_time_to_come_is_none(text: str) -> None:
    assert find_reset(text, NOON.timestamp(), BERLIN) is None


INSTANTS = st.datetimes(datetime(2024, 1, 1), datetime(2030, 12, 31))  # noqa: DTZ001 - in UTC
ZONES = st.sampled_from([UTC, NEW_YORK, BERLIN, ZoneInfo("Asia/Kathmandu")])
PIECES = """
reset resets in at on after retry-after: until try again 5 12 3pm 14:30 2026-06-16 T18:29 Z UTC
(Europe/Berlin) +99:99 Mon Tuesday Jan 31 0000 h m s ms days and , : | midnight 1781634591 resetsAt
limit reached| a an tomorrow 1.5d Feb 29 Etc/GMT+5 ET GMT+5
"""
WORDS = st.lists(st.sampled_from(PIECES.split()), max_size=12).map(" ".join)


@given(st.one_of(st.text(), WORDS, WORDS.map(lambda text: text.replace(" ", ""))), INSTANTS, ZONES)
@example("resets at 3pm +99:99", datetime(2026, 1, 1), UTC)  # noqa: DTZ001
@example("resets Feb 29 0000", datetime(2026, 1, 1), NEW_YORK)  # noqa: DTZ001
def test_any_text_gives_a_time_to_come_within_bounds_or_none(
    text: str, made: datetime, zone: tzinfo
) -> None:
    now = made.replace(tzinfo=UTC).timestamp()
    at = find_reset(text, now, zone)
    assert at is None or now < at <= now + FARTHEST


CUES = re.compile(r"reset|retry|again|wait|until|unlock|renew|refresh|limit reached", re.IGNORECASE)


@given(st.one_of(st.text(), WORDS).filter(lambda text: not CUES.search(text)))
def test_without_a_word_for_a_reset_no_time_means_one(text: str) -> None:
    assert find_reset(text, NOON.timestamp(), UTC) is None


FORMS: dict[str, Callable[[float, float, tzinfo], str]] = {
    "seconds": lambda at, now, _: f"retry-after: {at - now:.0f}",
    "go": lambda at, now, _: f"Resets in {int(at - now) // 3600}h{int(at - now) % 3600 // 60}m1s",
    "words": lambda at, now, _: (
        f"try again in {int(at - now) // 86400} days {int(at - now) % 86400 // 60} minutes"
    ),
    "epoch": lambda at, *_: f"resetsAt: {at:.0f}",
    "milliseconds": lambda at, *_: f"reset: {at * 1000:.0f}",
    "http": lambda at, *_: (
        f"retry-after: {format_datetime(datetime.fromtimestamp(at, UTC), usegmt=True)}"
    ),
    "iso": lambda at, *_: f"reset at {datetime.fromtimestamp(at, UTC).isoformat()}",
    "iso abroad": lambda at, *_: (
        f"reset at {datetime.fromtimestamp(at, timezone(timedelta(hours=-9.5))).isoformat()}"
    ),
    "month": lambda at, *_: f"resets {datetime.fromtimestamp(at, UTC):%b %d, %Y %I:%M %p} (UTC)",
    "day first": lambda at, *_: f"resets {datetime.fromtimestamp(at, UTC):%H:%M UTC on %d %B %Y}",
}
SOON: dict[str, Callable[[float, tzinfo], str]] = {
    "clock": lambda at, zone: f"resets at {datetime.fromtimestamp(at, zone):%H:%M}",
    "half": lambda at, zone: f"try again at {datetime.fromtimestamp(at, zone):%I:%M %p}",
    "weekday": lambda at, zone: f"resets {datetime.fromtimestamp(at, zone):%A at %H:%M}",
    "named": lambda at, _: f"resets {datetime.fromtimestamp(at, BERLIN):%H:%M} (Europe/Berlin)",
}


@pytest.mark.parametrize("form", FORMS)
@given(made=INSTANTS, ahead=st.integers(60, int(FARTHEST) - 60), zone=ZONES)
def test_a_time_that_was_written_down_is_found_again(
    form: str, made: datetime, ahead: int, zone: tzinfo
) -> None:
    now = made.replace(tzinfo=UTC, microsecond=0).timestamp()
    at = find_reset(FORMS[form](now + ahead, now, zone), now, zone)
    assert at == pytest.approx(now + ahead, abs=60)


@pytest.mark.parametrize("form", SOON)
@given(made=INSTANTS, ahead=st.integers(60, 22 * 3600), zone=ZONES)
def test_a_time_of_day_that_was_written_down_is_found_again(
    form: str, made: datetime, ahead: int, zone: tzinfo
) -> None:
    """Where clocks go back, an hour comes twice, and the first that is to come is meant."""
    now = made.replace(tzinfo=UTC, microsecond=0).timestamp()
    at = find_reset(SOON[form](now + ahead, zone), now, zone)
    assert at is not None
    assert any(abs(at + hour - now - ahead) <= 60 for hour in (0, 3600))
