import itertools

import pytest
from tests.config.configs import MODELS, configured

from mittelo.config.load import Configuration
from mittelo.core.mixes import Quota
from mittelo.core.routes import Entry, Key, Lane, Reference, Runner, pick
from mittelo.errors import UsageError
from mittelo.rally.roster import (
    BUILT_IN_MIX,
    Wanted,
    lane_for_role,
    lane_of,
    mix_label,
    mix_lane,
    override_lane,
    route_lane,
    route_lanes,
    shown_mix,
    stored_mix,
)

ROUTES = """
[routes]
default = ["claude:opus-4.7", "codex:gpt-5.5"]
SENIOR = ["cx:gpt-5.5", "claude:opus-4.7"]
"""
NOBODY = Wanted()
MIXES = configured(MODELS)
ROUTED = configured(MODELS + ROUTES)
CLAUDE = Runner("claude", "sonnet-4")
CODEX = Runner("codex")
OPUS = Runner("claude", "opus-4.7")
GPT = Runner("codex", "gpt-5.5")
FLASH = Runner("antigravity", "Gemini 3.5 Flash (High)")
GLM = Runner("opencode", "zai-coding-plan/glm-5.1")


def runs(runner: Runner, low: int, high: int = 0) -> Entry:
    return Entry(runner, Quota(low, high or low))


def picks(lane: Lane, count: int) -> list[Key]:
    """Return who serves the next runs, all of which go well."""
    served = []
    for _ in range(count):
        lane, slot = pick(lane)
        assert slot is not None
        served.append(lane.runner(slot).key)
    return served


ROSTERS = [
    (58, "cc ag op", [runs(CLAUDE, 1), runs(FLASH, 1), runs(Runner("opencode"), 1)]),
    (59, "op:z:4 claude:opus-4.7", [runs(GLM, 4), runs(OPUS, 1)]),
    (60, "claude:opus-4.7 SENIOR", [runs(OPUS, 1), Entry(GPT), Entry(OPUS)]),
    (
        61,
        "op:x/y DEFAULT:1",
        [runs(Runner("opencode", "x/y"), 1), Reference("default", 1, (OPUS, GPT))],
    ),
    (62, "DEFAULT:2", [Reference("default", 2, (OPUS, GPT))]),
    (65, "cc:2", [runs(CLAUDE, 2)]),
    (66, "cc cx cc", [runs(CLAUDE, 1), runs(CODEX, 1), runs(CLAUDE, 1)]),
    (0, "senior", [Entry(GPT), Entry(OPUS)]),
    (0, "cc:2-4 Senior:1", [runs(CLAUDE, 2, 4), Reference("SENIOR", 1, (GPT, OPUS))]),
    (0, 'ag:"a model":2', [runs(Runner("antigravity", "a model"), 2)]),
]


@pytest.mark.parametrize(("row", "roster", "entries"), ROSTERS)
def test_a_roster_makes_a_lane(row: int, roster: str, entries: list[Entry | Reference]) -> None:
    del row
    stored = stored_mix([roster], ROUTED)
    assert [*lane_of(stored, ROUTED, NOBODY).entries] == entries
    assert shown_mix(stored) == roster


@pytest.mark.parametrize(
    ("roster", "served"),
    [
        ("cc ag op", [CLAUDE, FLASH, Runner("opencode"), CLAUDE]),
        ("op:x/y DEFAULT:1", [Runner("opencode", "x/y"), OPUS, Runner("opencode", "x/y"), GPT]),
        ("DEFAULT:2", [OPUS, OPUS, OPUS]),
        ("DEFAULT:1", [OPUS, GPT, OPUS]),
        ("claude:opus-4.7 SENIOR", [OPUS, GPT, GPT, GPT]),
        ("cc:2 cx", [CLAUDE, CLAUDE, CODEX, CLAUDE]),
    ],
)
def test_the_runners_of_a_roster_serve_in_turn(roster: str, served: list[Runner]) -> None:
    lane = override_lane(roster.split(), ROUTED, NOBODY)
    assert picks(lane, len(served)) == [runner.key for runner in served]


@pytest.mark.parametrize(
    ("row", "word", "what"),
    [
        (63, "DEFAULT:1-2", "single count"),
        (64, "gm", "unknown agent alias 'gm'"),
        (0, "SENIOR:x.y", "role, which has no models"),
        (0, "cc:0", "'cc:0'"),
        (0, "nobody", "unknown agent alias 'nobody'"),
    ],
)
def test_a_wrong_word_of_a_roster_is_refused(row: int, word: str, what: str) -> None:
    del row
    with pytest.raises(UsageError) as caught:
        override_lane(["cc", word], ROUTED, NOBODY)
    assert what in str(caught.value)


def test_an_empty_roster_is_refused() -> None:
    with pytest.raises(UsageError, match="empty entry"):
        stored_mix([""], MIXES)


def test_a_reference_to_a_broken_route_tells_where_it_is_broken() -> None:
    configuration = configured("[routes]\na = ['cc']\nb = ['gm']\n")
    assert override_lane(["a"], configuration, NOBODY).entries == (Entry(Runner("claude")),)
    with pytest.raises(UsageError, match=r"repo\.toml:3: .*'gm'"):
        override_lane(["b:1"], configuration, NOBODY)


LABELS = [
    (67, "", [runs(CLAUDE, 1), runs(CODEX, 2)], "claude codex codex"),
    (68, "cc", [runs(CLAUDE, 1)], "claude"),
    (69, "cc:2 op:z", [runs(CLAUDE, 2), runs(GLM, 1)], "claude claude op:z"),
    (
        70,
        "cc cx:2 op:z",
        [runs(CLAUDE, 1), runs(CODEX, 2), runs(GLM, 1)],
        "claude codex codex op:z",
    ),
    (71, "op:z cc:opus", [runs(GLM, 1), runs(Runner("claude", "claude-opus-4-7"), 1)], None),
    (
        72,
        "cc:2 op:z cc:sonnet",
        [runs(Runner("claude", "claude-sonnet-4-6"), 1), runs(GLM, 1)],
        "cc:sonnet op:z",
    ),
    (74, "cc cx cc", [runs(CLAUDE, 2), runs(CODEX, 1)], "claude claude codex"),
    (
        0,
        'cc:"a:b" cc:"opux", ag:"x y"',
        [
            runs(Runner("claude", "a:b"), 1),
            runs(Runner("claude", "opux"), 1),
            runs(Runner("antigravity", "x y"), 1),
        ],
        'cc:"a:b" cc:"opux" ag:"x y"',
    ),
    (0, "op:z op:z", [runs(GLM, 2)], None),
    (0, "opencode:z op:z", [runs(GLM, 2)], None),
]


@pytest.mark.parametrize(("row", "mix", "entries", "label"), LABELS)
def test_a_mix_makes_a_lane_and_a_label_that_makes_it_again(
    row: int, mix: str, entries: list[Entry], label: str | None
) -> None:
    del row
    configuration = configured(MODELS.replace("[defaults]", f"[defaults]\nmix = '{mix}'"))
    stored = stored_mix([], configuration)
    assert stored == (mix if label is None else label)
    assert stored == mix_label(mix or BUILT_IN_MIX, configuration)
    for text in (mix or BUILT_IN_MIX, stored):
        assert [*mix_lane(text, configuration, NOBODY).entries] == entries
    assert lane_of(stored, configuration, NOBODY) == mix_lane(stored, configuration, NOBODY)
    assert shown_mix(stored) == stored


@pytest.mark.parametrize(
    "mix", ["cc:opus:2", "cc:1-2", "cc:m.1:1", "cc:0", "gm", "cc:-1", "cc:2:3", "cc,,cx"]
)
def test_a_mix_that_means_nothing_is_refused(mix: str) -> None:
    for make in (lambda: mix_lane(mix, MIXES, NOBODY), lambda: mix_label(mix, MIXES)):
        with pytest.raises(UsageError):
            make()


def test_a_mix_of_blanks_is_no_mix() -> None:
    configuration = configured("[defaults]\nmix = '  '\n")
    assert configuration.findings == []
    assert stored_mix([], configuration) == "claude codex codex"


def test_what_is_stored_comes_from_the_roster_then_the_routes_then_the_mix() -> None:
    both = configured("[defaults]\nmix = 'op'\n[routes]\ndefault = ['cc']\n")
    assert stored_mix(["cc, cx:2", "op"], both) == "__override__:cc cx:2 op"
    assert stored_mix([], both) == "__routes__"
    assert stored_mix([], configured("[defaults]\nmix = 'op'\n")) == "opencode"
    assert stored_mix([], configured()) == "claude codex codex"


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("__routes__", "configured routes"),
        ("__override__:cc cx:2", "cc cx:2"),
        ("__override__:", "(override)"),
        ("claude codex", "claude codex"),
        ("", "(empty)"),
    ],
)
def test_a_stored_mix_is_shown_to_a_person_in_words(stored: str, shown: str) -> None:
    assert shown_mix(stored) == shown


def test_a_quoted_model_survives_on_record() -> None:
    stored = stored_mix(['ag:"a, b" cc:"x:y":2'], MIXES)
    assert lane_of(stored, MIXES, NOBODY).entries == (
        runs(Runner("antigravity", "a, b"), 1),
        runs(Runner("claude", "x:y"), 2),
    )


@pytest.mark.parametrize("role", ["SENIOR", "senior", " Senior "])
def test_a_role_has_its_own_lane(role: str) -> None:
    lane = lane_of("__routes__", ROUTED, Wanted(role))
    assert (lane.name, lane.entries) == ("SENIOR", (Entry(GPT), Entry(OPUS)))


def test_without_a_role_the_default_lane_serves(capsys: pytest.CaptureFixture[str]) -> None:
    assert lane_for_role(ROUTED, NOBODY).entries == (Entry(OPUS), Entry(GPT))
    assert capsys.readouterr().err == ""


def test_a_role_without_a_lane_is_served_by_the_default_one_with_a_word(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert lane_for_role(ROUTED, Wanted("painter")).name == "default"
    assert "no route for the role 'painter'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "role", "what"),
    [
        ("[routes]\na = ['cc']\n", "", "There is no route named default"),
        ("[routes]\na = ['cc']\n", "b", "no route for the role 'b' and no default"),
        ("", "", "none are configured"),
        ("[routes]\nDEFAULT = ['gm']\n", "", "unknown agent alias 'gm'"),
        ("[routes]\ndefault = ['cc']\na = []\n", "a", "is empty"),
        ("[routes]\na = ['cc']\nA = ['cx']\n", "a", "differ only by case"),
        ("[routes]\ndefault = ['default']\n", "", "'default' is a role"),
    ],
)
def test_without_a_lane_that_will_do_the_relay_is_refused(text: str, role: str, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        lane_for_role(configured(text), Wanted(role))
    assert what in str(caught.value)


def test_a_sound_lane_serves_beside_broken_ones() -> None:
    configuration = configured(
        "[routes]\ndefault = ['cc']\nbad = ['gm']\nempty = []\ntyped = 'cc'\n"
    )
    lanes, broken = route_lanes(configuration, NOBODY)
    assert list(lanes) == ["default"]
    assert list(broken) == ["bad", "empty"]
    assert lane_for_role(configuration, NOBODY).entries == (Entry(Runner("claude")),)


def test_entries_of_routes_keep_their_quotas_and_serve_until_failure_without_one() -> None:
    configuration = configured("[routes]\na = ['cc', 'cx:2', 'op:x/y:1-3']\n")
    lane = route_lane("a", configuration, NOBODY)
    assert [str(entry) for entry in lane.entries] == ["claude", "codex × 2", "opencode:x/y × 1-3"]


PREFERENCES = """
[defaults]
claude_model = "usual"
[harness.cc.models]
swift = "claude-swift"
[routes]
default = ["cc", "cc:swift", "cx"]
verify = ["cc", "cx:gpt-5.5", "cx:2"]
[reasoning]
verify = "high"
default = "claude:swift"
"""


@pytest.fixture(scope="module")
def preferring() -> Configuration:
    return configured(PREFERENCES)


def runners(lane: Lane) -> list[Runner]:
    return [*itertools.chain.from_iterable(entry.runners for entry in lane.entries)]


def test_a_roles_preference_counts_only_for_entries_without_a_model(
    preferring: Configuration,
) -> None:
    assert runners(lane_for_role(preferring, Wanted("verify"))) == [
        Runner("claude", "usual", "high"),
        Runner("codex", "gpt-5.5"),
        Runner("codex", "", "high"),
    ]


def test_without_a_role_the_default_ones_preference_counts(preferring: Configuration) -> None:
    for wanted in (NOBODY, Wanted("default"), Wanted("Default")):
        assert runners(lane_for_role(preferring, wanted)) == [
            Runner("claude", "claude-swift"),
            Runner("claude", "claude-swift"),
            Runner("codex"),
        ]


@pytest.mark.parametrize("stored", ["__override__:cc cx:gpt-5.5 verify:1", "claude"])
def test_a_preference_counts_in_rosters_and_mixes_too(
    preferring: Configuration, stored: str
) -> None:
    lane = lane_of(stored, preferring, Wanted("verify"))
    assert runners(lane)[0] == Runner("claude", "usual", "high")
    assert {runner.effort for runner in runners(lane) if runner.model == "gpt-5.5"} <= {""}


@pytest.mark.parametrize(
    "stored", ["__routes__", "__override__:cc verify:1 verify", "claude op:a/b"]
)
def test_an_effort_that_was_asked_for_counts_over_every_preference(
    preferring: Configuration, stored: str
) -> None:
    lane = lane_of(stored, preferring, Wanted("verify", "max"))
    assert {runner.effort for runner in runners(lane)} == {"max"}


def test_an_effort_that_was_asked_for_keeps_a_preferred_model(preferring: Configuration) -> None:
    lane = lane_for_role(preferring, Wanted(effort="max"))
    assert runners(lane)[0] == Runner("claude", "claude-swift", "max")
