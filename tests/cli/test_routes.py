"""`rally routes`: what the check finds, and that the next runner is the one that is picked."""

import json
import signal
from typing import Any

import pytest
from lanes import agents, cut, install, runs, when
from support import Place, wait_until

LANES = '[routes]\ndefault = ["a", "b", "c"]\nSenior = ["c:1", "a:2"]\n'


def check(place: Place, settings: str, *words: str) -> tuple[int, str, str]:
    place.configure(settings)
    done = place.rally("routes", "check", *words)
    assert "Traceback" not in done.err
    return done.code, done.out, done.err


def checked(place: Place, settings: str) -> dict[str, Any]:
    place.configure(settings)
    found: dict[str, Any] = json.loads(place.rally("routes", "check", "--json").out)
    return found


def next_of(place: Place, *words: str) -> dict[str, Any]:
    done = place.rally("routes", "next", "--json", *words)
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


@pytest.fixture
def both(place: Place) -> Place:
    """A repository on a machine that has Claude Code and Codex."""
    install(place, "claude", "codex")
    return place


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("", ["- no routes declared"]),
        ('[routes]\ndefault = ["cc", "cx"]', ["- default: 2 entries"]),
        ('[routes]\ndefault = ["cc"]', ["- default: 1 entry\n"]),
        ('schema_version = 99\n[defaults]\nmix = "cc"', ["warning: ", "99", "2"]),
        (
            '[defaults]\nclaude_model = "claude-haiku-*"\n[routes]\nplanner = ["cc:2"]',
            ["warning: no default route", "info: route 'planner' is not used", "- planner: 1"],
        ),
        (
            '[routes]\ndefault = ["cc:2"]\nplanner = ["cc:2"]\nexecutor = ["cc:1"]',
            ["- default: 1 entry", "- executor: 1 entry", "- planner: 1 entry"],
        ),
        (
            '[routes]\ndefault = ["cc"]\n[reasoning]\nverify = "ludicrous"',
            ["warning: ", "verify", "'ludicrous' is neither a model alias nor a known effort"],
        ),
        (
            '[harness.mine]\ncommand = ["opencode"]\n[routes]\ndefault = ["mine"]',
            ["warning: ", "[harness.mine]", "TUI mode"],
        ),
        ('[routes]\ndefault = ["ge", "op"]', ["gemini (gemini) is not installed", "needed by"]),
        ('[routes]\ndefault = ["cc"]', ["warning: route 'default' has only claude", "no fallback"]),
        ('[defaults]\nmix = "cc:3"', ["warning: ", "(default mix)", "has only claude"]),
        (
            '[defaults]\nmix = "cc"\n[routes]\ndefault = ["cc", "cx"]',
            ["[defaults].mix is not used"],
        ),
    ],
)
def test_a_doubt_is_told_and_passes(both: Place, settings: str, words: list[str]) -> None:
    code, out, err = check(both, settings)
    assert (code, err) == (0, "")
    assert out.startswith("routes check summary:\n")
    for word in words:
        assert word in out


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('[harness.123bad]\ncommand = ["echo"]', ["invalid harness name", "123bad"]),
        ('[routes]\ndefault = ["cc:0"]', ["'default'", "'cc:0'", "not positive"]),
        ('[routes]\ndefault = ["cc:0-5"]', ["'default'", "'cc:0-5'"]),
        ('[routes]\ndefault = ["cc:5-3"]', ["'default'", "'cc:5-3'"]),
        ('[routes]\ndefault = ["cc:"]', ["'default'", "'cc:'"]),
        ('[routes]\ndefault = [""]', ["'default'", "''"]),
        ('[routes]\ndefault = ["cc:-1"]', ["'default'", "'cc:-1'"]),
        ('[routes]\ndefault = ["claude:opus:4.7"]', ["'default'", "'claude:opus:4.7'"]),
        ('[routes]\ndefault = ["op:ollama/x:7b"]', ["'op:ollama/x:7b'", "quotes"]),
        ('[routes]\ndefault = ["gm"]', ["unknown agent alias 'gm'", "Did you mean glm"]),
        ('[routes]\ndefault = ["copex"]', ["unknown agent alias 'copex'", "Did you mean codex"]),
        ('[routes]\ndefault = ["CC"]', ["unknown agent alias 'CC'"]),
        ('[routes]\ndefault = ["cc", "4"]', ["'default'", "'4'"]),
        (
            '[routes]\ndefault = ["op:gp"]\n[harness.op.models]\ngk = "opencode-go/kimi-k2.6"',
            ["unknown model 'gp'", "Did you mean gk"],
        ),
        (
            '[routes]\ndefault = ["cc:opux"]\n[harness.cc.models]\nopus = "claude-opus-4-7"',
            ["unknown model 'opux'", "opus"],
        ),
        (
            '[routes]\ndefault = ["SENIOR"]\nSENIOR = ["cc"]',
            ["'default'", "'SENIOR' is a role", "--agent only"],
        ),
        (
            '[routes]\ndefault = ["senior:2"]\nSENIOR = ["cc"]',
            ["'default'", "'SENIOR' is a role", "--agent only"],
        ),
        ('[routes]\ndefault = ["cc"]\nDEFAULT = ["cx"]', ["'DEFAULT'", "differ only by case"]),
        ("[routes]\ndefault = []", ["'default' is empty"]),
        (
            '[harness.cc.models]\nopus-high = "o"\n[reasoning]\nverify = "cc:opus-hihg"',
            ["verify", "'opus-hihg'", "Did you mean opus-high"],
        ),
        ('[harness.cc]\ncommand = ["x"]', ["[harness.cc]", "command cannot be set"]),
        ('[harness.mine]\nmodel_flag = "-m"', ["[harness.mine]", "needs a command"]),
        ('[harness.mine]\ncommand = ["x", "-m$MODEL"]', ["[harness.mine]", "model_flag"]),
        ('[harness.mine]\ncommand = ["x"]\ntail_stream = "no"', ["tail_stream", "'no'"]),
        ('[harness.mine]\ncommand = ["x"]\n[harness.mine.models]\n4 = "m"', ["model alias '4'"]),
        ('[harness.op.models]\nx = "a/b"\n[providers]\np = ["nope"]', ["unknown model alias"]),
        ('[harness.op.models]\nx = "a/b"\n[providers]\np = ["a*"]', ["unsupported wildcard"]),
        ('[harness.op.models]\nx = "a/b"\n[providers]\np = ["op:*z"]', ["matched no configured"]),
        ('[providers]\np = ["cc"]', ["no concrete model"]),
        (
            '[harness.op.models]\nx = "a/b"\n[providers]\np = ["x"]\nq = ["op:x"]',
            ["opencode:a/b", "'p'", "q"],
        ),
        ('[routes]\ndefault = "cc"', ["routes.default"]),
        ("[routes\n", ["config.toml"]),
    ],
)
def test_an_error_is_told_and_fails(both: Place, settings: str, words: list[str]) -> None:
    code, _, err = check(both, settings)
    assert code == 1, err
    assert err.startswith("error: ")
    for word in words:
        assert word in err


@pytest.mark.parametrize("value", ["high", "xhigh", "cc:opus", "opus"])
def test_a_known_preference_raises_no_doubt(both: Place, value: str) -> None:
    models = '[harness.cc.models]\nopus = "claude-opus-4-7"\n'
    found = checked(
        both, f'{models}[routes]\ndefault = ["cc", "cx"]\n[reasoning]\nverify = "{value}"\n'
    )
    assert (found["errors"], found["warnings"]) == ([], [])


def test_a_sound_lane_is_shown_beside_a_broken_one(both: Place) -> None:
    code, out, err = check(both, '[routes]\ndefault = ["cc", "cx"]\nplanner = ["gm"]\n')
    assert code == 1
    assert "- default: 2 entries" in out
    assert "- planner: broken" in out
    assert "'planner'" in err


def test_entries_are_shown_as_they_resolve(both: Place) -> None:
    found = checked(
        both,
        '[defaults]\nclaude_model = "sonnet-4"\n'
        '[harness.cc.models]\nopus = "claude-opus-4-7"\n'
        '[harness.ag.models]\nflash = "Gemini 3.5 Flash (High)"\n'
        '[harness.droid]\ncommand = ["droid", "run"]\n[harness.droid.models]\nv1 = "droid-v1"\n'
        '[reasoning]\ndefault = "high"\n'
        '[routes]\ndefault = ["cc", "cc:2", "claude:opus:1-3", "cx:gpt-5.4-mini", "agy:flash"]\n'
        'other = ["op:zai-coding-plan/glm-5.1", "droid:v1", "ge:claude-haiku-4-5"]\n',
    )
    assert found["errors"] == []
    shown = {
        lane["name"]: [
            tuple(entry[key] for key in ("harness", "model", "effort", "quota", "quota_scope"))
            for entry in lane["entries"]
        ]
        for lane in found["lanes"]
    }
    assert shown == {
        "default": [
            ("claude", "sonnet-4", "high", "", "claude"),
            ("claude", "sonnet-4", "high", "2", "claude"),
            ("claude", "claude-opus-4-7", "", "1-3", "claude"),
            ("codex", "gpt-5.4-mini", "", "", "codex"),
            ("antigravity", "Gemini 3.5 Flash (High)", "", "", "antigravity:flash"),
        ],
        "other": [
            ("opencode", "zai-coding-plan/glm-5.1", "", "", "opencode:zai-coding-plan"),
            ("droid", "droid-v1", "", "", "droid"),
            ("gemini", "claude-haiku-4-5", "", "", "gemini"),
        ],
    }
    installed = {
        entry["harness"]: entry["installed"] for lane in found["lanes"] for entry in lane["entries"]
    }
    assert installed == {
        "claude": True,
        "codex": True,
        "antigravity": False,
        "opencode": False,
        "droid": False,
        "gemini": False,
    }


def test_a_lane_is_shown_as_its_own_role_prefers_it(both: Place) -> None:
    found = checked(
        both,
        '[harness.cc.models]\nopus = "claude-opus-4-7"\n'
        '[reasoning]\ndefault = "high"\nSenior = "cc:opus"\n'
        '[routes]\ndefault = ["cc"]\nsenior = ["cc", "cx"]\nplain = ["cc"]\n',
    )
    shown = {
        lane["name"]: [(entry["model"], entry["effort"]) for entry in lane["entries"]]
        for lane in found["lanes"]
    }
    assert shown == {
        "default": [("", "high")],
        "plain": [("", "")],
        "senior": [("claude-opus-4-7", ""), ("", "")],
    }
    preferred = next_of(both, "--role", "plain")["candidates"][0]
    assert (preferred["model"], preferred["effort"]) == ("", "")


def test_lanes_are_sorted_and_their_entries_told_in_words(both: Place) -> None:
    _, out, _ = check(
        both,
        '[routes]\nverify = ["cx:gpt-5.5:2"]\ndefault = ["cc", "cx:1-3"]\n[reasoning]\n'
        'default = "low"\n',
    )
    assert out.splitlines()[1:6] == [
        "- default: 2 entries",
        "    cc = claude (its own choice of model), effort low, until it fails",
        "    cx:1-3 = codex (its own choice of model), effort low, 1-3 in a row",
        "- verify: 1 entry",
        "    cx:gpt-5.5:2 = codex gpt-5.5, 2 in a row",
    ]


PROVIDERS = """
[defaults]
codex_model = "gpt-5.3"
[harness.cx.models]
g55 = "gpt-5.5"
g54 = "gpt-5.4"
spark = "gpt-5.3-codex-spark"
[harness.op.models]
ds = "opencode-go/deepseek-v4"
zai = "zai-coding-plan/glm-5.2"
"""


@pytest.mark.parametrize(
    ("given", "members"),
    [
        (
            'p = ["g55", "g54", "opencode:openai/gpt-5.5"]',
            ["codex:gpt-5.5", "codex:gpt-5.4", "opencode:openai/gpt-5.5"],
        ),
        (
            'p = ["codex:*"]',
            ["codex:gpt-5.3", "codex:gpt-5.5", "codex:gpt-5.4", "codex:gpt-5.3-codex-spark"],
        ),
        ('p = ["*spark"]', ["codex:gpt-5.3-codex-spark"]),
        (
            'p = { models = ["codex:*"], exclude = ["cx:spark"] }',
            ["codex:gpt-5.3", "codex:gpt-5.5", "codex:gpt-5.4"],
        ),
        ('p = ["opencode-go/*"]', ["opencode:opencode-go/deepseek-v4"]),
    ],
)
def test_providers_are_shown_with_their_members(
    both: Place, given: str, members: list[str]
) -> None:
    found = checked(both, f"{PROVIDERS}[providers]\n{given}\n")
    assert found["errors"] == []
    assert found["providers"] == [{"name": "p", "members": members, "disabled": False}]
    many = f"{len(members)} model{'s' if len(members) > 1 else ''}"
    assert f"- p: {many}\n    {', '.join(members)}\n" in both.rally("routes", "check").out


def test_a_disabled_provider_and_its_runners_are_marked(both: Place) -> None:
    settings = (
        f'{PROVIDERS}[providers.p]\nmodels = ["g55", "g54"]\ndisabled = true\n'
        '[routes]\ndefault = ["cx:g55", "cx:spark", "cc"]\n'
    )
    code, out, _ = check(both, settings)
    assert code == 0
    assert "- p: 2 models [disabled]\n    codex:gpt-5.5, codex:gpt-5.4\n" in out
    assert "info: provider 'p' is disabled" in out
    assert "cx:g55 = codex gpt-5.5, until it fails, disabled\n" in out
    assert "cx:spark = codex gpt-5.3-codex-spark, until it fails\n" in out
    entries = checked(both, settings)["lanes"][0]["entries"]
    assert [entry["disabled"] for entry in entries] == [True, False, False]
    assert [entry["quota_scope"] for entry in entries] == ["provider:p", "codex", "claude"]


def role_sources(place: Place) -> dict[str, str]:
    return {role["name"]: role["source"] for role in checked(place, "")["roles"]}


def test_roles_are_embedded_managed_or_custom(both: Place) -> None:
    names = ["junior", "recovery", "senior", "ui", "verify"]
    assert role_sources(both) == dict.fromkeys(names, "embedded")
    agents_ = both.root / ".rally/agents"
    for folder in ("user", "builtin"):
        (agents_ / folder).mkdir(parents=True)
    (agents_ / "builtin/verify.md").write_text("managed")
    (agents_ / "builtin/senior.md").write_text("managed")
    (agents_ / "user/Senior.md").write_text("s" * 404)
    (agents_ / "user/qa.txt").write_text("of another ending")
    (agents_ / "user/ui.md").write_text(" \n")
    (agents_ / "flat.md").write_text("flat")
    assert {name.casefold(): source for name, source in role_sources(both).items()} == {
        "flat": "custom",
        "junior": "embedded",
        "qa": "custom",
        "recovery": "embedded",
        "senior": "custom",
        "ui": "embedded",
        "verify": "managed",
    }
    assert "enior: about 101 tokens, custom\n" in both.rally("routes", "check").out


def test_only_a_role_text_of_the_users_own_is_advised_about(both: Place) -> None:
    own = both.root / ".rally/agents/user"
    own.mkdir(parents=True)
    managed = both.root / ".rally/agents/builtin"
    managed.mkdir()
    (managed / "verify.md").write_text("Say laps done.")
    (own / "qa.md").write_text("First Laps Wrapup, then LAPS DONE, headless.")
    (own / "ops.md").write_text("You run headless.")
    (own / "plain.md").write_text("Do it.")
    found = checked(both, "")
    assert len(found["advisories"]) == 2
    ops, qa = found["advisories"]
    assert "'ops'" in ops
    assert "'headless'" in ops
    assert "'qa'" in qa
    assert "'laps done'" in qa
    code, out, _ = check(both, "")
    assert code == 0
    assert out.count("advice: ") == 2


QUEUE = {
    "laps": [
        {"id": 1, "assignee": " SENIOR ", "isDone": False},
        {"id": 2, "assignee": "finished", "isDone": True},
        {"id": 3, "inner": [{"deep": {"assignee": "nested"}}]},
        {"id": 4, "isDone": True, "inner": {"assignee": "below-a-finished-one"}},
        {"id": 5, "assignee": None},
        {"id": 6, "assignee": ""},
    ]
}


def queue(place: Place, text: str) -> None:
    (place.root / ".laps").mkdir(exist_ok=True)
    (place.root / ".laps/laps.json").write_text(text)


def test_the_open_laps_tell_which_lanes_are_used(both: Place) -> None:
    queue(both, json.dumps(QUEUE))
    lane = '["cc", "cx"]'
    found = checked(
        both,
        f"[routes]\ndefault = {lane}\nsenior = {lane}\nfinished = {lane}\nrecovery = {lane}\n",
    )
    assert found["errors"] == []
    assert [line for line in found["infos"] if "not used" in line] == [
        "route 'finished' is not used: no open lap is assigned to it."
    ]
    unserved = [line for line in found["warnings"] if "has no route" in line]
    assert [line.split("'")[1] for line in unserved] == ["nested"]


@pytest.mark.parametrize("text", ["{", "", "\x00", "[1, 2", pytest.param("[" * 100_000, id="deep")])
def test_a_malformed_queue_is_an_error(both: Place, text: str) -> None:
    queue(both, text)
    code, out, err = check(both, '[routes]\ndefault = ["cc", "cx"]\n')
    assert code == 1
    assert "- default: 2 entries" in out
    assert "laps.json cannot be read" in err


@pytest.mark.parametrize("text", ["[]", "null", "3", '"x"', '{"laps": null}', '[[["x"]]]'])
def test_a_queue_of_any_shape_is_read(both: Place, text: str) -> None:
    queue(both, text)
    assert check(both, '[routes]\ndefault = ["cc", "cx"]\n')[0] == 0


def test_a_queue_that_is_a_folder_is_an_error(both: Place) -> None:
    (both.root / ".laps/laps.json").mkdir(parents=True)
    code, _, err = check(both, "")
    assert code == 1
    assert "laps.json cannot be read" in err


def test_the_data_holds_what_the_words_say(both: Place) -> None:
    settings = '[routes]\nplanner = ["cc", "gm"]\n[reasoning]\nplanner = "odd"\n'
    found = checked(both, settings)
    assert set(found) == {
        *("lanes", "broken", "providers", "roles"),
        *("errors", "warnings", "infos", "advisories"),
    }
    both.configure(settings)
    done = both.rally("routes", "check", "--json")
    assert (done.code, done.err) == (1, "")
    code, out, err = check(both, settings)
    assert code == 1
    for line in found["errors"]:
        assert f"error: {line}" in err
    for kind, title in (("warnings", "warning"), ("infos", "info")):
        for line in found[kind]:
            assert f"{title}: {line}" in out


def test_routes_can_be_checked_where_rally_was_never_set_up(plain: Place) -> None:
    done = plain.rally("routes", "check")
    assert done.code == 0, done.err
    assert "- no routes declared" in done.out
    assert not (plain.root / ".rally").exists()


def test_routes_alone_tells_of_its_commands(place: Place) -> None:
    done = place.rally("routes")
    assert "check" in done.out + done.err
    assert "next" in done.out + done.err


def test_the_next_runner_of_a_new_relay_is_the_first_of_its_lane(place: Place) -> None:
    agents(place, "abc", LANES)
    found = next_of(place)
    assert (found["runner"], found["lane"], found["mix"]) == ("a", "default", "configured routes")
    assert (found["relay"], found["run"]) == (0, 1)
    assert [c["state"] for c in found["candidates"]] == ["next", "ready", "ready"]
    assert place.relays() == []
    senior = next_of(place, "--role", "SENIOR")
    assert (senior["runner"], senior["lane"]) == ("c", "Senior")
    assert [c["quota"] for c in senior["candidates"]] == ["1", "2"]
    out = place.rally("routes", "next", "--role", "senior").out
    assert out.splitlines() == [
        "a new relay: c (it is the first that can serve)",
        "lane Senior, from configured routes:",
        "→ c × 1  next",
        "  a × 2  ready",
    ]


def test_a_role_without_a_lane_is_served_by_the_default_one(place: Place) -> None:
    agents(place, "abc", LANES)
    done = place.rally("routes", "next", "--json", "--role", "nobody")
    assert "no route for the role 'nobody'" in done.err
    assert json.loads(done.out)["lane"] == "default"


def test_the_next_runner_is_told_without_routes_too(place: Place) -> None:
    agents(place, "ab", '[defaults]\nmix = "b a:2"\n')
    found = next_of(place)
    assert (found["runner"], found["mix"]) == ("b", "b a a")
    assert [c["quota"] for c in found["candidates"]] == ["1", "2"]


def test_who_is_missing_or_benched_is_passed_over_and_told(place: Place) -> None:
    settings = '[harness.none]\ncommand = ["no-such-agent"]\n'
    agents(place, "ab", f'[routes]\ndefault = ["none", "a", "b"]\n{settings}')
    assert place.rally("bench", "a", "--for", "2h", "--why", "too dear").code == 0
    found = next_of(place)
    assert found["runner"] == "b"
    states = [(c["runner"], c["state"], c["why"]) for c in found["candidates"]]
    assert states == [
        ("none", "out", "no-such-agent is not installed"),
        ("a", "benched", "too dear"),
        ("b", "next", ""),
    ]
    assert found["candidates"][1]["until"]
    assert "  a  benched until 2" in place.rally("routes", "next").out
    place.rally("bench", "b", "--for", "1h")
    nobody = next_of(place)
    assert (nobody["runner"], "too dear" in nobody["why"]) == ("", True)
    assert place.rally("routes", "next").out.startswith("a new relay: nobody (")
    place.rally("unbench", "--all")
    assert next_of(place)["runner"] == "a"


ROUTES = '[routes]\ndefault = ["a", "b", "c"]\nother = ["b:2", "c"]\npair = ["b", "c"]\n'


@pytest.mark.parametrize(
    ("settings", "mix", "failing", "at", "expected"),
    [
        pytest.param(ROUTES, "", {2}, 4, "aabbb", id="until it fails"),
        pytest.param(
            '[routes]\ndefault = ["a:1", "b:2", "c:3"]', "", (), 5, "abbcccab", id="quota"
        ),
        pytest.param('[routes]\ndefault = ["a:1", "b:2", "c:3"]', "", (), 3, "abbccca", id="mid"),
        pytest.param('[routes]\ndefault = ["a:2-3", "b:1"]', "", (), 4, "aabaab", id="range"),
        pytest.param(
            '[routes]\ndefault = ["a:1", "b:2-4"]', "", {1}, 4, "abbbbabba", id="range alone"
        ),
        pytest.param('[routes]\ndefault = ["a:2", "b:1"]', "", {1}, 3, "abaabaa", id="new cycle"),
        pytest.param(ROUTES, "a b c", (), 3, "abcab", id="one each"),
        pytest.param(ROUTES, "a b a", (), 3, "abaab", id="twice in a lane"),
        pytest.param(ROUTES, "a pair:1", (), 4, "abacabac", id="reference"),
        pytest.param(ROUTES, "DEFAULT:2", (), 3, "acbacb", id="reference by two"),
        pytest.param(ROUTES, "a pair:1", {2}, 4, "abacab", id="reference that failed"),
        pytest.param(ROUTES, "DEFAULT:1", {1}, 3, "abcab", id="reference alone"),
        pytest.param(ROUTES, "a other", {5}, 4, "abbccabb", id="inlined"),
        pytest.param('[defaults]\nmix = "a:2 b"', "", (), 3, "aabaab", id="mix"),
    ],
)
def test_the_next_runner_is_the_one_that_the_relay_picks_when_it_goes_on(
    place: Place,
    settings: str,
    mix: str,
    failing: set[int],
    at: int,
    expected: str,
) -> None:
    number = signal.SIGKILL if at % 2 else signal.SIGINT
    agents(place, "abc", settings)
    # The start that was cut off is made again, so that later starts count one more.
    when(place, "failing", [start if start < at else start + 1 for start in failing])
    when(place, "hanging", [at])
    agent = ["-a", mix] if mix else []
    cut(place, number, "-i", str(len(expected) - len(failing)), *agent, "x")
    found = next_of(place)
    done = place.rally("start", "--resume")
    assert done.code == 0, done.err
    assert runs(place) == expected
    again = next(made for made in place.tries() if made.run_id == at and made.attempt_number == 2)
    assert (found["relay"], found["run"], found["runner"]) == (1, at, again.agent_type)


def test_the_next_runner_is_right_between_two_runs(place: Place) -> None:
    agents(place, "ab", '[routes]\ndefault = ["a", "b"]\n')
    when(place, "failing", [1, 2])
    relay = place.begin("start", "-i", "1", "x")
    wait_until(lambda: "waiting" in place.relay_log(), "the wait after a cycle of failures")
    relay.send_signal(signal.SIGINT)
    assert relay.wait(10) == 130
    found = next_of(place)
    assert (found["run"], found["runner"]) == (3, "a")
    assert place.rally("start", "--resume").code == 0
    assert runs(place) == "aba"


def test_the_next_runner_of_a_relay_that_failed_is_whom_resume_picks(place: Place) -> None:
    agents(place, "ab", '[routes]\ndefault = ["b", "a"]\n')
    agent = place.root / ".git/agent"
    sound = agent.read_text()
    agent.write_text("echo invalid api key >&2; exit 1\n")
    assert place.rally("start", "-i", "2", "-a", "a", "x").code == 1
    assert place.relays()[0].ended_how == "failed"
    agent.write_text(sound)
    found = next_of(place)
    assert place.rally("start", "--resume").code == 0
    assert place.tries()[1].relay_id == 1
    assert (found["relay"], found["run"], found["runner"]) == (1, 2, "a")


def test_a_bench_moves_the_next_runner_and_the_relay_alike(place: Place) -> None:
    agents(place, "abc", '[routes]\ndefault = ["a:1", "b:1", "c:1"]\n')
    when(place, "hanging", [2])
    cut(place, signal.SIGINT, "-i", "4", "x")
    place.rally("bench", "b")
    found = next_of(place)
    assert found["runner"] == "c"
    done = place.rally("start", "--resume")
    assert done.code == 0, done.err
    assert runs(place) == "acac"


def test_an_agent_that_stands_twice_in_a_lane_keeps_its_place_while_another_is_benched(
    place: Place,
) -> None:
    agents(place, "abc", '[routes]\ndefault = ["a:1", "b:1", "a:1", "c:1"]\n')
    place.rally("bench", "b")
    when(place, "hanging", [2])
    cut(place, signal.SIGINT, "-i", "6", "x")
    assert place.rally("start", "--resume").code == 0
    assert runs(place) == "aacaac"


def test_a_role_asks_about_a_new_relay_though_one_is_unfinished(place: Place) -> None:
    agents(place, "abc", LANES)
    when(place, "hanging", [1])
    cut(place, signal.SIGINT, "-i", "2", "-a", "b", "x")
    assert (next_of(place)["relay"], next_of(place)["runner"]) == (1, "b")
    assert (next_of(place, "--role", "senior")["relay"], "c") == (
        0,
        next_of(place, "--role", "senior")["runner"],
    )


def test_the_next_runner_cannot_be_told_from_broken_routes(place: Place) -> None:
    agents(place, "a", '[routes]\ndefault = ["gm"]\nother = ["a"]\n')
    done = place.rally("routes", "next")
    assert done.code == 2
    assert "unknown agent alias 'gm'" in done.err
    assert place.rally("routes", "next", "--role", "other").code == 0
