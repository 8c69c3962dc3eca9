import msgspec
import pytest

from mittelo.core.notices import (
    Happening,
    Notice,
    Spend,
    is_wanted,
    secrets_in,
    without_secrets,
)


def test_who_names_no_events_is_told_of_all() -> None:
    assert all(is_wanted(event, []) for event in Happening)
    assert is_wanted(Happening.BUDGET, ["done", "budget"])
    assert not is_wanted(Happening.WAITING, ["done", "budget"])


def test_a_notice_has_all_its_fields_also_the_empty_ones() -> None:
    notice = Notice(
        event=Happening.DONE,
        why="",
        workspace="/w",
        relay_id=1,
        runs_done=2,
        runs_target=2,
        runner="",
        until="",
        spend=Spend(),
        time="2026-03-05T10:00:00Z",
    )
    assert msgspec.json.decode(msgspec.json.encode(notice)) == {
        "v": 1,
        "event": "done",
        "why": "",
        "workspace": "/w",
        "relay_id": 1,
        "runs_done": 2,
        "runs_target": 2,
        "runner": "",
        "until": "",
        "spend": {"tokens": 0, "cost_usd": 0.0},
        "time": "2026-03-05T10:00:00Z",
    }


@pytest.mark.parametrize(
    "said",
    [
        "> Authorization: Bearer abcdef0123456789",
        "POST https://hooks.example/T0/B1/XyZ failed",
        "key sk-very-secret is wrong",
    ],
)
def test_what_a_command_is_given_in_confidence_is_not_repeated(said: str) -> None:
    words = ["-H", "Authorization: Bearer abcdef0123456789", "https://hooks.example/T0/B1/XyZ"]
    secrets = secrets_in(words, {"MY_API_KEY": "sk-very-secret", "HOME": "/root"}.items())
    told = without_secrets(said, secrets)
    assert "***" in told
    assert not any(part in told for part in ("abcdef", "XyZ", "sk-very"))


def test_short_words_are_no_secrets() -> None:
    assert secrets_in(["-n", "done"], {"KEY": "1", "HOME": "/home/somebody"}.items()) == []
