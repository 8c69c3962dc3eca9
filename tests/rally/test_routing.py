"""Who serves the runs of a relay: lanes, rosters, roles and providers."""

import json
import signal

import pytest
from lanes import agents, cut, refused, runs, served, shown, started, when, with_models
from support import Place

LANES = '[routes]\ndefault = ["a", "b"]\nsenior = ["c:1", "b:1"]\n'


def test_the_default_lane_serves_a_relay_that_names_nobody(place: Place) -> None:
    agents(place, "abc", LANES)
    when(place, "failing", [3])
    done = started(place, "-i", "4")
    assert done.code == 0, done.err
    assert served(place) == "aaabb"
    assert place.relays()[0].agent_mix == "__routes__"
    assert "with configured routes" in done.out
    assert "a failed" in done.out


def test_a_role_picks_its_own_lane(place: Place) -> None:
    agents(place, "abc", LANES)
    done = started(place, "-i", "3", "--role", " Senior ")
    assert done.code == 0, done.err
    assert served(place) == "cbc"
    assert {made.role.strip().casefold() for made in place.tries()} == {"senior"}
    assert "judgment" in (place.root / ".rally/state/current_task.md").read_text()


def test_a_role_without_a_lane_is_served_by_the_default_one_with_a_word(place: Place) -> None:
    agents(place, "ab", '[routes]\ndefault = ["a", "b"]\n')
    done = started(place, "-i", "1", "--role", "verify")
    assert done.code == 0, done.err
    assert served(place) == "a"
    assert "there is no route for the role 'verify'; the default one is used" in done.err


@pytest.mark.parametrize(("words", "named"), [((), "named default"), (("--role", "ui"), "'ui'")])
def test_without_a_default_lane_there_is_a_word(
    place: Place, words: tuple[str, ...], named: str
) -> None:
    agents(place, "ab", '[routes]\nplanner = ["a"]\n')
    refused(place, started(place, "-i", "1", *words), 2, "There is no route", named, "default")


def test_a_lane_of_one_is_told_of_before_it_runs(place: Place) -> None:
    agents(place, "ab", '[routes]\ndefault = ["a"]\nother = ["b"]\n')
    done = started(place, "-i", "1")
    assert "the lane default has only a: no fallback" in done.err
    assert "other" not in done.err
    assert "has only b" in started(place, "--new", "-i", "1", "-a", "b").err
    assert "no fallback" not in started(place, "--new", "-i", "1", "-a", "a b").err


def test_lanes_are_taken_before_the_default_mix(place: Place) -> None:
    agents(place, "ab", '[defaults]\nmix = "b"\n[routes]\ndefault = ["a"]\n')
    done = started(place, "-i", "1")
    assert served(place) == "a"
    assert "[defaults].mix is not used" in done.err


@pytest.mark.parametrize(
    ("mix", "expected"),
    [
        ("a b", "abab"),
        ("a:2 b", "aaba"),
        ("b, a:1-3", "baba"),
        ("a BOTH", "abbc"),
        ("both", "bbcc"),
        ("a Both:1", "abac"),
        ("both:2", "bbbb"),
        ("both:1 a", "baca"),
        ("pair:1 both:1", "abbc"),
    ],
)
def test_agents_and_roles_of_a_roster_take_turns(place: Place, mix: str, expected: str) -> None:
    agents(place, "abc", '[routes]\nboth = ["b:2", "c"]\npair = ["a", "b", "c"]\n')
    done = started(place, "-i", "4", "-a", mix)
    assert done.code == 0, done.err
    assert runs(place) == expected
    recorded = mix.replace(",", "")
    assert place.relays()[0].agent_mix == f"__override__:{recorded}"
    assert json.loads(place.rally("status", "--json").out)["relay"]["agent_mix"]


def test_models_with_any_sign_in_them_are_quoted(place: Place) -> None:
    with_models(place, "")
    roster = 'a:"m 1:2":2, b:"x,y"'
    when(place, "hanging", [2])
    cut(place, signal.SIGINT, "-i", "4", "-a", roster, "x")
    assert place.relays()[0].agent_mix == '__override__:a:"m 1:2":2 b:"x,y"'
    done = place.rally("start", "--resume")
    assert done.code == 0, done.err
    models = {made.run_id: made.model for made in place.tries()}
    assert [*models.values()] == ["m 1:2", "m 1:2", "x,y", "m 1:2"]


def test_blanks_around_the_name_of_a_role_do_not_count(place: Place) -> None:
    agents(place, "ab", '[routes]\n" Wide " = ["b"]\ndefault = ["a"]\n')
    assert json.loads(shown(place, "routes", "next", "--role", "wide", "--json"))["runner"] == "b"
    done = started(place, "-i", "1", "-a", "wide")
    assert done.code == 0, done.err
    assert served(place) == "b"


def test_several_values_make_one_roster(place: Place) -> None:
    agents(place, "abc")
    assert started(place, "-i", "3", "-a", "a, b", "--mix", "c").code == 0
    assert runs(place) == "abc"
    assert place.relays()[0].agent_mix == "__override__:a b c"


@pytest.mark.parametrize(
    ("mix", "words"),
    [
        ("a SENIOR:1-2", ["'SENIOR:1-2'", "single count"]),
        ("senior:x", ["'senior:x'", "is a role"]),
        ("a gm", ["unknown agent alias 'gm'", "ge"]),
        ("a:0", ["'a:0'", "not positive"]),
        ("a,,b", ["empty entry"]),
        (" ", ["empty entry"]),
        ("a:nope", ["unknown model 'nope' of a"]),
    ],
)
def test_a_roster_that_cannot_be_is_refused(place: Place, mix: str, words: list[str]) -> None:
    agents(place, "abc", LANES)
    refused(place, started(place, "-i", "1", "-a", mix), 2, *words)


def test_a_roster_serves_a_role_and_its_text_is_told(place: Place) -> None:
    agents(place, "abc", LANES)
    assert started(place, "-i", "1", "-a", "a", "--role", "senior").code == 0
    assert served(place) == "a"
    assert "# Senior" in (place.root / ".rally/state/current_task.md").read_text()


def test_a_bare_agent_of_a_roster_that_failed_has_its_turn_again_in_the_next_cycle(
    place: Place,
) -> None:
    agents(place, "ab")
    when(place, "failing", [1, 4])
    assert started(place, "-i", "4", "-a", "a b").code == 0
    assert served(place) == "ababab"


BROKEN = '[routes]\ndefault = ["a", "b"]\nplanner = ["gm"]\n'


@pytest.mark.parametrize("given", ["y\n", "Y", "yes\n", " YES \n"])
def test_a_relay_beside_a_broken_lane_goes_on_when_told_to(place: Place, given: str) -> None:
    agents(place, "ab", BROKEN)
    done = started(place, "-i", "1", given=given)
    assert done.code == 0, done.err
    assert "'planner'" in done.err
    assert "unknown agent alias 'gm'" in done.err
    assert "Continue anyway?" in done.err
    assert served(place) == "a"


@pytest.mark.parametrize("given", ["n\n", "", "\n", "what\n", "yesterday\n"])
def test_a_relay_beside_a_broken_lane_is_not_begun_without_a_yes(place: Place, given: str) -> None:
    agents(place, "ab", BROKEN)
    done = started(place, "-i", "1", given=given)
    refused(place, done, 1, "'planner'", "Continue anyway?", "aborted")
    assert place.rally("start", "-i", "1", "-", given="the task").code == 1


def test_two_questions_are_answered_from_one_pipe(place: Place) -> None:
    agents(place, "ab", LANES.replace('"c:1", ', ""))
    when(place, "hanging", [1])
    cut(place, signal.SIGINT, "-i", "1", "x")
    agents(place, "ab", BROKEN)
    done = started(place, "-i", "1", given="new\ny\n")
    assert done.code == 0, done.err
    assert [relay.ended_how for relay in place.relays()] == ["replaced", "complete"]


def test_a_no_leaves_an_unfinished_relay_as_it_was(place: Place) -> None:
    agents(place, "ab", BROKEN.replace("gm", "a"))
    when(place, "hanging", [1])
    cut(place, signal.SIGINT, "-i", "1", "x")
    agents(place, "ab", BROKEN)
    assert started(place, "--new", "-i", "1", given="n\n").code == 1
    assert [relay.ended_at for relay in place.relays()] == [""]


def test_a_roster_does_not_care_for_broken_lanes(place: Place) -> None:
    agents(place, "ab", '[routes]\nplanner = ["gm"]\nother = []\n')
    done = started(place, "-i", "1", "-a", "a")
    assert done.code == 0, done.err
    assert "planner" not in done.err


def test_a_roster_that_refers_to_a_broken_lane_is_refused(place: Place) -> None:
    agents(place, "ab", BROKEN)
    refused(place, started(place, "-i", "1", "-a", "a planner"), 2, "'planner'", "'gm'")


def test_a_broken_lane_that_is_needed_is_refused_without_a_question(place: Place) -> None:
    agents(place, "ab", '[routes]\ndefault = ["gm"]\nother = ["a"]\n')
    done = started(place, "-i", "1", given="y\n")
    refused(place, done, 2, "'default'", "unknown agent alias 'gm'")
    assert "Continue anyway?" not in done.err


def test_when_all_lanes_are_broken_the_first_is_named(place: Place) -> None:
    agents(place, "ab", '[routes]\ndefault = ["a:0"]\nother = ["gm"]\n')
    refused(place, started(place, "-i", "1", given="y\n"), 2, "'default'", "'a:0'")


def test_names_that_differ_by_case_are_refused(place: Place) -> None:
    agents(place, "ab", '[routes]\ndefault = ["a"]\nDEFAULT = ["b"]\n')
    done = started(place, "-i", "1")
    refused(place, done, done.code, "differ only by case")
    assert done.code in {1, 2}


def test_the_runners_of_a_disabled_provider_serve_no_run(place: Place) -> None:
    with_models(
        place,
        '[routes]\ndefault = ["a:x:1", "b:x:1", "a:y:1"]\n'
        '[providers.dear]\nmodels = ["a:*"]\nexclude = ["a:y"]\ndisabled = true\n',
    )
    done = started(place, "-i", "3")
    assert done.code == 0, done.err
    assert done.err.count("the provider dear is disabled") == 1
    assert [made.model for made in place.tries()] == ["x-2", "y-1", "x-2"]
    assert place.rally("unbench", "--all").code == 0
    assert started(place, "--new", "-i", "1").code == 0
    assert place.tries()[-1].model == "x-2"


@pytest.mark.parametrize("words", [(), ("-a", "a:x a:y")])
def test_a_lane_that_is_disabled_as_a_whole_is_refused(
    place: Place, words: tuple[str, ...]
) -> None:
    with_models(
        place,
        '[routes]\ndefault = ["a:x"]\n[providers.dear]\nmodels = ["a:*"]\ndisabled = true\n',
    )
    done = started(place, "-i", "1", *words)
    assert done.code in {1, 2}
    refused(place, done, done.code, "all agents disabled", "dear")


def test_an_error_in_the_configuration_stops_every_relay(place: Place) -> None:
    agents(place, "a", '[harness.123bad]\ncommand = ["x"]\n')
    refused(place, started(place, "-i", "1", "-a", "a"), 2, "invalid harness name")


def test_an_agent_that_is_not_installed_is_left_out_of_a_lane(place: Place) -> None:
    agents(place, "ab", '[routes]\ndefault = ["none", "a", "b"]\n')
    config = (place.root / ".rally/config.toml").read_text()
    place.configure(f'{config}\n[harness.none]\ncommand = ["no-such-agent"]\n')
    done = started(place, "-i", "1")
    assert done.code == 0, done.err
    assert "no-such-agent is not installed; the relay goes on without it" in done.err
    assert served(place) == "a"
