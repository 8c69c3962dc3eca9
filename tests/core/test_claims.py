"""Claims: who keeps whom from which lap, and what files of older ones say."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from mittelo.core.claims import (
    Claim,
    ClaimError,
    Claims,
    encode_claims,
    make_claim,
    parse_claims,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=5)
HOUR = 3600.0


def made(lap: str, session: str, hours: float = 4) -> Claim:
    return make_claim(lap, "laps.json", "root", session, NOW, hours * HOUR)


def test_the_newest_claim_stands_where_older_readers_look() -> None:
    claims = Claims().add(made("l-1", "a")).add(made("l-2", "b"))
    raw = encode_claims(claims)
    assert raw
    told = msgspec.json.decode(raw)
    assert list(told) == ["lap", "file", "scope", "claimedAt", "session", "expiresAt", "others"]
    assert (told["lap"], told["others"][0]["lap"]) == ("l-2", "l-1")
    assert raw.count(b"\n") == 1
    assert parse_claims(raw, NOW) == claims


def test_without_claims_there_is_no_file() -> None:
    assert encode_claims(Claims()) is None
    assert parse_claims(b" \n", NOW) == Claims()


def test_a_session_has_one_claim_and_a_lap_one_claimant() -> None:
    claims = Claims().add(made("l-1", "a")).add(made("l-2", "b")).add(made("l-3", "a"))
    assert [(c.lap, c.session) for c in claims.held] == [("l-3", "a"), ("l-2", "b")]
    claims = claims.add(made("l-2", "c"))
    assert [(c.lap, c.session) for c in claims.held] == [("l-2", "c"), ("l-3", "a")]


def test_a_live_claim_bars_others_only() -> None:
    claims = Claims().add(made("l-1", "a"))
    assert claims.bars("b", "laps.json", "l-1", NOW)
    assert not claims.bars("a", "laps.json", "l-1", NOW)
    assert not claims.bars("b", "other.json", "l-1", NOW)
    assert not claims.bars("b", "laps.json", "l-1", LATER)


def test_a_bare_id_is_a_claim_on_root() -> None:
    (claim,) = parse_claims(b"repo-12ab\n", NOW).held
    assert (claim.lap, claim.file, claim.scope, claim.claimed_at) == (
        "repo-12ab",
        "laps.json",
        "root",
        "",
    )
    assert claim.is_live(NOW)
    assert not claim.is_live(LATER)


@pytest.mark.parametrize(
    ("file", "scope"),
    [("", "root"), ("laps.json", "root"), ("stints/a.laps.json", "a"), ("x.json", "x.json")],
)
def test_a_missing_scope_follows_from_the_file(file: str, scope: str) -> None:
    raw = msgspec.json.encode({"lap": "l", "file": file, "unknown": 1})
    assert parse_claims(raw, NOW).held[0].scope == scope


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[",
        b'"x',
        b"7",
        b"true",
        b"null",
        b"{}",
        b'{"lap":7}',
        b'{"lap":"x","claimedAt":"now"}',
        b'{"lap":"x","others":[{}]}',
        b"{" * 5000,
    ],
)
def test_a_malformed_claim_is_told_of(raw: bytes) -> None:
    with pytest.raises(ClaimError) as caught:
        parse_claims(raw, NOW)
    assert caught.value.exit_code == 2
