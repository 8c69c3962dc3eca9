"""Claims belong to sessions, and are never taken without a word."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from lapping import Laps, lap, ref

ANNA = {"LAPS_SESSION": "anna"}
BOB = {"LAPS_SESSION": "bob"}


@pytest.fixture
def two(laps: Laps) -> Laps:
    laps.write("laps.json", lap("repo-a"), lap("repo-b"))
    return laps


def reasons(laps: Laps) -> list[tuple[str, str, str]]:
    return [
        (event["event"], event["lap"], event["detail"].get("reason", "")) for event in laps.events()
    ]


def expire(laps: Laps) -> None:
    """Let every claim be over."""
    claim = laps.claim()
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
    for one in (claim, *claim.get("others", [])):
        one["expiresAt"] = past
    laps.put("claim", msgspec.json.encode(claim))


def test_each_session_gets_a_lap_of_its_own(two: Laps) -> None:
    assert two.json("claim", **ANNA)["claimedId"] == "repo-a"
    assert two.ok("get", **BOB).startswith("Title of repo-b")
    assert two.json("claim", **BOB)["claimedId"] == "repo-b"
    claim = two.claim()
    assert (claim["lap"], claim["session"]) == ("repo-b", "bob")
    assert [(one["lap"], one["session"]) for one in claim["others"]] == [("repo-a", "anna")]


def test_when_all_is_claimed_it_is_said_by_whom(two: Laps) -> None:
    two.ok("claim", **ANNA)
    two.ok("claim", **BOB)
    with two.unchanged():
        done = two("claim", "--json-output")
    assert (done.code, done.out) == (10, '{"exitCode":10,"state":"claimed"}\n')
    for word in ("repo-a", "session anna", "repo-b", "session bob", "since", "until"):
        assert word in done.err
    assert two("get").code == 10
    assert two.json("status")["state"] == "active"


def test_the_queue_behind_is_served_when_a_stint_is_all_claimed(staged: Laps) -> None:
    staged.ok("claim", **ANNA)
    assert staged.json("claim", **BOB)["claimedId"] == "repo-last"
    assert staged.ok("list", "--oneline", **BOB).count("\n") == 2
    assert staged.ok("list", "--oneline", **ANNA) == "1. auth-aaaa — Title of auth-aaaa\n"


def test_a_named_claim_of_another_is_refused_unless_taken(two: Laps) -> None:
    two.ok("claim", **ANNA)
    with two.unchanged():
        done = two("claim", "repo-a", **BOB)
    assert (done.code, done.out) == (1, "")
    for word in ("session anna", "since", "until", "--take"):
        assert word in done.err
    done = two("claim", "repo-a", "--take", **BOB)
    assert done.code == 0
    assert "session anna" in done.err
    assert (two.claim()["session"], "others" in two.claim()) == ("bob", False)
    assert reasons(two)[1:] == [("unclaimed", "repo-a", "taken"), ("claimed", "repo-a", "")]


def test_an_expired_claim_can_be_taken_and_that_is_said(two: Laps) -> None:
    two.ok("claim", **ANNA)
    expire(two)
    done = two("claim", **BOB)
    assert (done.code, two.claim()["lap"]) == (0, "repo-a")
    assert "the claim of session anna" in done.err
    assert ("unclaimed", "repo-a", "expired") in reasons(two)
    done = two("done", **ANNA)
    assert done.code == 3
    assert "session bob" in done.err


def test_an_expired_claim_that_nobody_took_is_still_ones_own(two: Laps) -> None:
    two.ok("claim", **ANNA)
    expire(two)
    two.ok("done", **ANNA)
    assert two.find("repo-a")["isDone"]


def test_claiming_again_renews_and_keeps_the_beginning(two: Laps) -> None:
    two.ok("claim")
    first = two.claim()
    logged = two.events()
    done = two("claim")
    assert (done.code, done.err) == (0, "")
    again = two.claim()
    assert again["claimedAt"] == first["claimedAt"]
    assert again["expiresAt"] > first["expiresAt"]
    assert two.events() == logged


def test_a_claim_in_a_held_stint_is_renewed_but_not_begun(staged: Laps) -> None:
    staged.ok("claim", **ANNA)
    first = staged.claim()
    staged.ok("stints", "hold", "auth")
    staged.ok("claim", "auth-aaaa", **ANNA)
    assert staged.claim()["expiresAt"] > first["expiresAt"]
    assert staged("claim", "auth-aaaa", "--take", **BOB).code == 10


def test_ones_own_claim_is_replaced_with_a_word(two: Laps) -> None:
    two.ok("claim")
    done = two("claim", "repo-b")
    assert done.code == 0
    assert "replaces your claim on repo-a" in done.err
    assert reasons(two) == [
        ("claimed", "repo-a", ""),
        ("unclaimed", "repo-a", "replaced"),
        ("claimed", "repo-b", ""),
    ]


def test_done_without_a_claim_tells_of_those_of_others(two: Laps) -> None:
    two.ok("claim", **ANNA)
    done = two("done", **BOB)
    assert (done.code, done.out) == (3, "")
    for word in ("repo-a", "session anna", "laps done <id>"):
        assert word in done.err


def test_a_claim_of_another_ends_with_its_lap(two: Laps) -> None:
    two.ok("claim", **ANNA)
    done = two("done", "repo-a", **BOB)
    assert done.code == 0
    assert "this ends the claim of session anna" in done.err
    assert two.claim() is None
    assert reasons(two)[-1] == ("unclaimed", "repo-a", "completed")


def test_no_claimed_lap_is_deleted_or_transferred_without_force(two: Laps) -> None:
    two.stint("alpha")
    two.ok("claim", **ANNA)
    with two.unchanged():
        assert two("delete", "repo-a", **BOB).code == 1
        assert two("transfer", "alpha", "repo-a", **BOB).code == 1
    two.ok("delete", "repo-a", "--force", **BOB)
    assert two.claim() is None


def test_an_expired_claim_guards_nothing(two: Laps) -> None:
    two.stint("alpha")
    two.ok("claim", **ANNA)
    expire(two)
    assert two("transfer", "alpha", "repo-a", **ANNA).code == 1
    two.ok("transfer", "alpha", "repo-a", **BOB)
    assert two.claim() is None
    two.ok("claim", **ANNA)
    expire(two)
    two.ok("delete", "repo-b", **BOB)
    assert two.claim() is None


def test_only_ones_own_claim_is_given_back(two: Laps) -> None:
    two.ok("claim", **ANNA)
    done = two("claim", "undo", **BOB)
    assert done.code == 3
    assert "session anna" in done.err
    out = two.json("claim", "undo", **ANNA)
    assert out == {"title": "Title of repo-a", "unclaimedId": "repo-a"}
    assert two.claim() is None


def test_how_long_a_claim_holds_can_be_set(two: Laps) -> None:
    two.ok("claim", LAPS_CLAIM_SECS="60")
    claim = two.claim()
    began, ends = (datetime.fromisoformat(claim[key]) for key in ("claimedAt", "expiresAt"))
    assert (ends - began).total_seconds() == 60
    for wrong in ("0", "-1", "nan", "inf", "soon"):
        done = two("claim", LAPS_CLAIM_SECS=wrong)
        assert done.code == 2
        assert "LAPS_CLAIM_SECS" in done.err


def test_an_old_claim_is_read(two: Laps) -> None:
    two.put("claim", b"repo-b\n")
    assert two.json("claim", **ANNA)["claimedId"] == "repo-a"
    assert "> Title of repo-b" in two.ok("list")
    two.ok("done")
    assert two.ids() == ["repo-a"]
    assert two.claim()["lap"] == "repo-a"


def test_a_claim_in_a_raw_file_is_finished_there(laps: Laps) -> None:
    laps.write("laps.json", lap("repo-a"))
    laps.write("auth.json", lap("repo-z"))
    laps.ok("claim", "-f", "auth")
    assert laps.json("status")["claim"]["valid"]
    assert laps.ok("done").startswith("Title of repo-z\n")
    assert laps.find("repo-z", "auth.json")["isDone"]
    laps.ok("done", "undo")
    assert not laps.find("repo-z", "auth.json")["isDone"]
    event = laps.events()[-1]
    assert (event["event"], event["file"]) == ("reopened", "auth.json")


@pytest.mark.parametrize("words", [["claim", "repo-auth", "--root"], ["claim", "--root"]])
def test_a_stint_itself_is_not_claimed_or_finished(staged: Laps, words: list[str]) -> None:
    with staged.unchanged():
        done = staged(*words)
        assert (done.code, done.out) == (1, "")
        assert "auth" in done.err
        assert staged("done", "repo-auth", "--root").code == 1


def test_what_is_done_is_not_claimed(laps: Laps) -> None:
    laps.write("laps.json", lap("repo-a", done=True), lap("repo-b"))
    assert laps("claim", "repo-a").code == 3


def test_a_claimed_lap_that_is_gone_is_told_of(two: Laps) -> None:
    two.ok("claim")
    two.write("laps.json", lap("repo-b"))
    done = two("done")
    assert done.code == 3
    assert "gone" in done.err
    two.put("claim", b'{"lap":"x","file":"none.json"}')
    assert two("done").code == 3
    two.put("claim", b'{"lap":"x","file":"../../etc/passwd"}')
    assert two("done").code == 1
    assert two.json("status")["claim"]["valid"] is False


def test_an_emptied_stint_blocks_nothing(laps: Laps) -> None:
    laps.write("laps.json", ref("empty"), ref("auth"), lap("repo-last"))
    laps.stint("empty", held=True)
    laps.stint("auth", lap("auth-a"), lap("auth-b", done=True))
    assert laps.ok("get").startswith("Title of auth-a")
    laps.ok("delete", "auth-a")
    assert (laps.folder / "stints/archive/auth.laps.json").exists()
    assert laps.find("repo-auth")["isDone"]
    assert laps.ok("get").startswith("Title of repo-last")
    assert laps.json("status")["head"]["id"] == "repo-last"


def test_what_empties_a_stint_drains_it(laps: Laps) -> None:
    for words in (["transfer", "root", "auth-a"], ["prune", "9"]):
        laps.write("laps.json", ref("auth"))
        done = words[0] == "prune"
        laps.stint("auth", lap("auth-a", done=done), lap("auth-b", done=True))
        (laps.folder / "stints/archive/auth.laps.json").unlink(missing_ok=True)
        laps.ok(*words)
        assert (laps.folder / "stints/archive/auth.laps.json").exists(), words
        assert laps.find("repo-auth")["isDone"]


def test_a_stint_is_brought_back_though_its_reference_is_gone(staged: Laps) -> None:
    staged.ok("claim")
    staged.ok("done")
    staged.ok("delete", "repo-auth", "--root")
    staged.ok("done", "undo")
    assert staged.ok("get").startswith("Title of auth-aaaa")


def test_a_stint_is_not_moved_into_itself(nested: Laps) -> None:
    with nested.unchanged():
        done = nested("transfer", "search", "repo-auth", "--root")
        assert done.code == 1
        assert nested("transfer", "auth", "repo-auth", "--root").code == 1


def test_a_removed_stint_leaves_no_broken_chain(nested: Laps) -> None:
    with nested.unchanged():
        assert nested("stints", "rm", "search").code == 3
    nested.ok("stints", "rm", "search", "--force")
    assert nested.entries("stints/auth.laps.json") == []
    assert nested("get").code == 11
    assert nested("stints", "rm", "nobody").code == 3
