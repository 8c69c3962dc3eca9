"""Relays that go on from the mix that is on record."""

import signal

from lanes import agents, cut, runs, served, started, when
from support import Place, wait_until

LANES = '[routes]\ndefault = ["a", "b"]\nsenior = ["c:1", "b:1"]\n'


def test_a_relay_by_routes_goes_on_with_the_routes_as_they_are_then(place: Place) -> None:
    agents(place, "abc", LANES)
    when(place, "hanging", [2])
    cut(place, signal.SIGINT, "-i", "3", "x")
    agents(place, "abc", '[routes]\ndefault = ["c", "b"]\n')
    done = place.rally("start", "--resume")
    assert done.code == 0, done.err
    assert served(place) == "aacc"
    assert place.relays()[0].agent_mix == "__routes__"


def test_a_relay_by_routes_needs_some(place: Place) -> None:
    agents(place, "abc", LANES)
    when(place, "hanging", [2])
    cut(place, signal.SIGINT, "-i", "2", "x")
    agents(place, "abc")
    done = place.rally("start", "--resume")
    assert (done.code, served(place)) == (2, "aa")
    assert "runs by [routes], and none are configured" in done.err
    assert not place.relays()[0].ended_at
    assert place.rally("start", "--resume", "-a", "b").code == 0
    assert served(place) == "aab"
    assert place.relays()[0].agent_mix == "__override__:b"


def test_a_relay_of_a_role_goes_on_in_its_lane(place: Place) -> None:
    agents(place, "abc", LANES)
    when(place, "hanging", [2])
    cut(place, signal.SIGINT, "-i", "3", "--role", "senior", "x")
    assert place.rally("start", "--resume").code == 0
    assert runs(place) == "cbc"
    assert place.relays()[0].role == "senior"


def test_a_roster_goes_on_whatever_becomes_of_the_routes(place: Place) -> None:
    agents(place, "abc", LANES)
    when(place, "hanging", [2])
    cut(place, signal.SIGINT, "-i", "4", "-a", "a b", "x")
    agents(place, "abc", '[routes]\ndefault = ["c"]\n')
    assert place.rally("start", "--resume").code == 0
    assert runs(place) == "abab"


def test_a_role_in_a_roster_stands_for_its_lane_as_it_is_then(place: Place) -> None:
    agents(place, "abc", LANES)
    when(place, "hanging", [2])
    cut(place, signal.SIGINT, "-i", "4", "-a", "a senior:1", "x")
    agents(place, "abc")
    done = place.rally("start", "--resume")
    assert done.code == 2
    assert "unknown agent alias 'senior'" in done.err
    agents(place, "abc", '[routes]\ndefault = ["a"]\nsenior = ["b"]\n')
    done = place.rally("start", "--resume")
    assert done.code == 0, done.err
    assert runs(place) == "abab"
    assert place.tries()[-1].agent_type == "b"


def test_a_mix_is_on_record_and_goes_on_when_it_was_changed(place: Place) -> None:
    agents(place, "ab", '[defaults]\nmix = "a:2 b"\n')
    when(place, "hanging", [2])
    cut(place, signal.SIGINT, "-i", "4", "x")
    assert place.relays()[0].agent_mix == "a a b"
    agents(place, "ab", '[routes]\ndefault = ["b"]\n')
    assert place.rally("start", "--resume").code == 0
    assert runs(place) == "aaba"
    assert place.relays()[0].agent_mix == "a a b"


def test_a_mix_whose_agent_is_configured_no_more_is_named(place: Place) -> None:
    agents(place, "ab", '[defaults]\nmix = "a b"\n')
    when(place, "hanging", [1])
    cut(place, signal.SIGINT, "-i", "2", "x")
    agents(place, "b")
    done = place.rally("start", "--resume")
    assert (done.code, served(place)) == (2, "a")
    assert "unknown agent alias 'a'" in done.err
    assert not place.relays()[0].ended_at


def test_the_mix_of_named_models_is_on_record_by_their_short_names(place: Place) -> None:
    agents(place, "")
    place.configure(
        '[defaults]\nmix = "a:m b:2"\n[reliability]\nretry_budget = 1\n'
        '[harness.a]\ncommand = ["sh", ".git/agent", "a"]\n[harness.a.models]\nm = "model-1"\n'
        '[harness.b]\ncommand = ["sh", ".git/agent", "b"]\n'
    )
    assert started(place, "-i", "3").code == 0
    assert place.relays()[0].agent_mix == "a:m b b"
    assert [made.model for made in place.tries()] == ["model-1", "", ""]


def test_a_new_roster_begins_with_its_first_agent(place: Place) -> None:
    agents(place, "abc")
    when(place, "hanging", [2])
    cut(place, signal.SIGINT, "-i", "3", "-a", "a", "x")
    done = place.rally("start", "--resume", "-a", "b c")
    assert done.code == 0, done.err
    assert served(place) == "aabc"


def test_the_failure_of_an_agent_of_the_old_roster_is_not_laid_to_the_new_one(
    place: Place,
) -> None:
    agents(place, "abc")
    when(place, "failing", [1])
    relay = place.begin("start", "-i", "2", "-a", "a", "x")
    wait_until(lambda: "waiting" in place.relay_log(), "the wait after a cycle of failures")
    relay.send_signal(signal.SIGINT)
    assert relay.wait(10) == 130
    done = place.rally("start", "--resume", "-a", "b c")
    assert done.code == 0, done.err
    assert served(place) == "abc"
