"""Instants: which texts are some, and how they sort."""

import pytest

from mittelo.core.instants import is_instant, moment, order_key

GOOD = [
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00.1Z",
    "2026-01-01T00:00:00.123456789Z",
    "2026-01-01T00:00:00+02:00",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
]


@pytest.mark.parametrize("text", GOOD)
def test_instants_are_known(text: str) -> None:
    assert is_instant(text)
    assert order_key(text)
    assert moment(text).tzinfo


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01 00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-01-01T25:00:00Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+99:00",
        "2026-01-01t00:00:00z",
        "２026-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z\n",
    ],
)
def test_other_texts_are_none(text: str) -> None:
    assert not is_instant(text)


def test_instants_sort_by_when_they_are() -> None:
    rising = [
        "2025-12-31T23:59:59.999999999Z",
        "2026-01-01T02:00:00+02:00",
        "2026-01-01T00:00:00.000000001Z",
        "2026-01-01T02:00:00.10+02:00",
        "2026-01-01T00:00:00.11Z",
        "2025-12-31T23:00:01-01:00",
    ]
    assert sorted(rising, key=order_key) == rising
    assert order_key("2026-01-01T00:00:00.100Z") == order_key("2026-01-01T00:00:00.1Z")
