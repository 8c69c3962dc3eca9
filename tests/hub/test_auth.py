"""Who may do what: tokens and roles, and where a hub listens without any."""

from pathlib import Path
from typing import Any

import pytest
from hubs import RunningHub
from support import wait_until

from mittelo.core.requests import METHODS
from mittelo.errors import UsageError
from mittelo.hub.auth import (
    ALLOWED,
    Role,
    Token,
    Tokens,
    is_loopback,
    load_tokens,
    require_token,
)
from mittelo.hub.client import HubError

SECRETS = {role: f"secret-of-{role}" for role in Role}


@pytest.fixture
def tokens() -> Tokens:
    return Tokens([Token(f"{role}-name", role, secret) for role, secret in SECRETS.items()])


CALLS: dict[str, dict[str, Any]] = {
    "enqueue": {"prompt": "x"},
    "enqueue_many": {"tasks": []},
    "lease": {"worker_id": "w"},
    "renew": {"task_id": 1, "lease_id": "l"},
    "ack": {"task_id": 1, "status": "done"},
    "cancel": {"task_id": 1},
    "retry": {"task_id": 1},
    "purge": {"days": 1},
    "get": {"task_id": 1},
}
MAY = {
    Role.ADMIN: set(METHODS),
    Role.SUBMIT: {"enqueue", "enqueue_many", "cancel"}
    | (reads := {"list", "get", "stats", "events", "workers", "hello"}),
    Role.WORK: {"lease", "renew", "ack", "stats", "hello"},
    Role.READ: reads,
}


@pytest.mark.parametrize("role", Role)
def test_a_role_may_do_its_work_and_nothing_else(role: Role, tokens: Tokens) -> None:
    with RunningHub(tokens=tokens) as hub, hub.wire() as wire:
        assert wire.call("hello", token=SECRETS[role])["role"] == role
        for method in [name for name in METHODS if name not in {"hello", "shutdown"}]:
            wire.request(method, **CALLS.get(method, {}))
            error = wire.reply()["error"]
            assert (error or {}).get("code") != "unauthorized" or method not in MAY[role]
            assert (error or {}).get("code") == "unauthorized" or method in MAY[role]
    assert {METHODS[name] for name in MAY[role]} == ALLOWED[role]


def test_without_a_token_nobody_gets_in(tokens: Tokens) -> None:
    with RunningHub(tokens=tokens) as hub, hub.wire() as wire:
        for method in METHODS:
            error = wire.refused(method, **CALLS.get(method, {}))
            assert error["code"] == "unauthorized"
        assert wire.refused("hello", token="wrong")["code"] == "unauthorized"
        assert wire.refused("hello", token="\ud7ff")["code"] == "unauthorized"
        wire.call("hello", token=SECRETS[Role.READ])
        assert wire.call("stats")
        assert wire.refused("hello", token="wrong")["code"] == "unauthorized"
        assert wire.refused("shutdown")["code"] == "unauthorized"


def test_who_submits_cancels_only_his_own(tokens: Tokens) -> None:
    with RunningHub(tokens=tokens) as hub, hub.client(SECRETS[Role.ADMIN]) as admin:
        admin.enqueue("admin's")
        with hub.client(SECRETS[Role.SUBMIT]) as submitter:
            own = submitter.enqueue("own")
            with pytest.raises(HubError, match="not yours"):
                submitter.cancel(1)
            submitter.cancel(own)
            assert submitter.get(own).owner == "submit-name"


def test_strangers_are_shown_out(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mittelo.hub.tcp.LOOK_SECONDS", 0.05)
    with RunningHub(tokens=tokens) as hub, hub.wire() as friend, hub.wire() as stranger:
        friend.call("hello", token=SECRETS[Role.READ])
        with monkeypatch.context() as patch:
            patch.setattr("mittelo.hub.tcp.STRANGER_SECONDS", 0.1)
            assert stranger.is_closed()
        assert friend.call("stats")
        with hub.wire() as long:
            long.send(b"x" * 70_000)
            assert long.reply()["error"]["code"] == "too_large"
        wait_until(lambda: friend.call("workers"), "the hub")


def test_a_token_file_has_names_roles_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("# ours\n\nann admin 12345678\nbob  submit abcdefgh\n")
    path.chmod(0o600)
    tokens = load_tokens(path, "from-the-environment")
    found = [tokens.find(secret) for secret in ("12345678", "abcdefgh", "from-the-environment")]
    assert [(t.name, t.role) for t in found if t] == [
        ("ann", "admin"),
        ("bob", "submit"),
        ("admin", "admin"),
    ]
    assert tokens.find("") is None
    assert "12345678" not in repr(found)


@pytest.mark.parametrize("line", ["a b", "ann chief 12345678", "ann admin short", "", "x" * 30])
def test_a_bad_token_file_is_refused_without_telling_what_it_holds(
    tmp_path: Path, line: str
) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"{line}\n")
    path.chmod(0o600)
    with pytest.raises(UsageError) as caught:
        load_tokens(path, None)
    assert str(path) in str(caught.value)
    for word in ("12345678", "short ", "x" * 30):
        assert word not in str(caught.value)
    with pytest.raises(UsageError):
        load_tokens(tmp_path / "missing", None)
    with pytest.raises(UsageError, match="MITTELO_TOKEN"):
        load_tokens(None, "short")


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",  # noqa: S104 - what must be refused
        "",
        "::",
        "192.0.2.7",
        "example.org",
    ],
)
def test_nobody_listens_for_others_without_a_token(host: str, tokens: Tokens) -> None:
    require_token(host, tokens)
    with pytest.raises(UsageError, match="without a token"):
        require_token(host, Tokens([]))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_needs_none(host: str) -> None:
    assert is_loopback(host)
    require_token(host, Tokens([]))
