import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.config.configs import about, configured, graver

from mittelo.config.findings import ConfigurationError, Gravity
from mittelo.config.layers import Source, environment_source, parse_key, read_source
from mittelo.config.listing import list_settings
from mittelo.config.load import Configuration, assemble, load_configuration, preview
from mittelo.config.paths import WorkspacePaths, user_config
from mittelo.config.schema import ProviderTable, Settings
from mittelo.errors import MitteloError, UsageError


@pytest.fixture
def paths(tmp_path: Path) -> WorkspacePaths:
    paths = WorkspacePaths(tmp_path / "work")
    paths.rally.mkdir(parents=True)
    user_config().parent.mkdir(parents=True)
    return paths


def origins(configuration: Configuration) -> dict[str, str]:
    return {setting.key: str(setting.origin) for setting in list_settings(configuration)}


def test_without_any_file_the_built_in_settings_count(tmp_path: Path) -> None:
    configuration = load_configuration(WorkspacePaths(tmp_path))
    assert configuration.settings == Settings()
    assert configuration.findings == []
    assert set(origins(configuration).values()) == {"built-in"}


def test_the_repository_counts_over_the_user(paths: WorkspacePaths) -> None:
    user_config().write_text('[defaults]\nmix = "cc"\niterations = 3\n')
    paths.config.write_text('[defaults]\nmix = "cx"\n')
    defaults = load_configuration(paths).settings.defaults
    assert (defaults.mix, defaults.iterations) == ("cx", 3)


@pytest.mark.parametrize("missing", ["user", "repository"])
def test_one_file_alone_is_enough(paths: WorkspacePaths, missing: str) -> None:
    file = user_config() if missing == "repository" else paths.config
    file.write_text('[defaults]\nmix = "cc"\n')
    assert load_configuration(paths).settings.defaults.mix == "cc"


def test_the_users_file_lies_in_the_config_folder_of_the_home_without_xdg(
    paths: WorkspacePaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / ".config/rally/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("[defaults]\niterations = 8\n")
    assert load_configuration(paths).settings.defaults.iterations == 8


def test_the_environment_counts_over_both_files(
    paths: WorkspacePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_config().write_text("[defaults]\niterations = 1\n")
    paths.config.write_text("[defaults]\niterations = 2\n")
    monkeypatch.setenv("RALLY_DEFAULTS_ITERATIONS", "3")
    assert load_configuration(paths).settings.defaults.iterations == 3


def test_a_draft_is_read_instead_of_its_file(paths: WorkspacePaths) -> None:
    paths.config.write_text("[defaults]\niterations = 2\n")
    draft = "[defaults]\niterations = 5\n"
    assert preview(paths, paths.config, draft).settings.defaults.iterations == 5


@pytest.mark.parametrize(
    ("repository", "env"),
    [
        ('data_dir = ""\nrun_hooks_on_autocommit = false\n[defaults]\niterations = 0\n', {}),
        (
            "",
            {
                "RALLY_DATA_DIR": "",
                "RALLY_RUN_HOOKS_ON_AUTOCOMMIT": "false",
                "RALLY_DEFAULTS_ITERATIONS": "0",
            },
        ),
    ],
)
def test_a_value_of_nothing_counts_too(repository: str, env: dict[str, str]) -> None:
    user = 'data_dir = "/data"\nrun_hooks_on_autocommit = true\n[defaults]\niterations = 7\n'
    configuration = configured(repository, user, env)
    assert configuration.settings == Settings()
    assert configuration.findings == []


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("RALLY_DATA_DIR", " /with blanks ", " /with blanks "),
        ("RALLY_DEFAULTS_MIX", "cc cx:2", "cc cx:2"),
        ("RALLY_DEFAULTS_ITERATIONS", " 12 ", 12),
        ("RALLY_RELIABILITY_LIVENESS_PROBE", "1", True),
        ("RALLY_FREE_RUN_REQUIRE_CHANGES", "false", False),
        ("RALLY_SCHEMA_VERSION", "2", 2),
    ],
)
def test_a_variable_stands_for_every_single_setting(name: str, text: str, value: object) -> None:
    configuration = configured(env={name: text})
    changed = {s.key: s for s in list_settings(configuration) if s.origin.layer != "built-in"}
    assert [(s.value, str(s.origin)) for s in changed.values()] == [(value, f"environment {name}")]


def test_a_variable_with_a_wrong_value_is_an_error_and_left_out() -> None:
    configuration = configured(
        "[defaults]\niterations = 4\n", env={"RALLY_DEFAULTS_ITERATIONS": "many"}
    )
    assert configuration.settings.defaults.iterations == 4
    assert graver(configuration) == [
        (Gravity.ERROR, ("defaults", "iterations"), "RALLY_DEFAULTS_ITERATIONS")
    ]


def test_a_misspelt_variable_is_noted_with_the_nearest() -> None:
    _, found = environment_source({"RALLY_DEFAULTS_MIXX": "cc", "RALLY_TELEMETRY": "0", "X": "1"})
    assert [(f.gravity, "RALLY_DEFAULTS_MIXX" in f.what, f.todo) for f in found] == [
        (Gravity.NOTE, True, "Did you mean RALLY_DEFAULTS_MIX?")
    ]


def test_tables_merge_key_by_key_at_any_depth() -> None:
    user = (
        '[routes]\njunior = ["cc"]\nsenior = ["cx"]\n'
        '[harness.cc.models]\nopus = "old"\nsonnet = "sonnet-x"\n'
    )
    repository = '[routes]\njunior = ["op"]\n[harness.cc.models]\nopus = "new"\n'
    settings = configured(repository, user).settings
    assert settings.routes == {"junior": ["op"], "senior": ["cx"]}
    assert settings.harness["cc"].models == {"opus": "new", "sonnet": "sonnet-x"}


def test_lists_are_replaced_as_a_whole() -> None:
    configuration = configured('[routes]\na = ["op"]\n', '[routes]\na = ["cc", "cx"]\n')
    assert configuration.settings.routes == {"a": ["op"]}


ARRAY = '[providers]\np = ["cc:a.1"]\n'
TABLE = '[providers.p]\nmodels = ["cx:b.2"]\ndisabled = true\n'


@pytest.mark.parametrize(
    ("repository", "user", "held"),
    [
        (ARRAY, TABLE, ["cc:a.1"]),
        (TABLE, ARRAY, ProviderTable(["cx:b.2"], disabled=True)),
        (
            "[providers.p]\ndisabled = false\n",
            TABLE,
            ProviderTable(["cx:b.2"], disabled=False),
        ),
    ],
    ids=["a list over a table", "a table over a list", "a table over a table"],
)
def test_a_provider_is_replaced_unless_both_are_tables(
    repository: str, user: str, held: object
) -> None:
    assert configured(repository, user).settings.providers == {"p": held}


def test_roles_that_differ_by_case_in_two_layers_are_one() -> None:
    configuration = configured(
        '[routes]\nsenior = ["cx"]\n[reasoning]\nsenior = "low"\n',
        '[routes]\nSENIOR = ["cc"]\n[reasoning]\nSENIOR = "high"\n',
    )
    assert configuration.settings.routes == {"senior": ["cx"]}
    assert configuration.settings.reasoning == {"senior": "low"}
    assert configuration.findings == []


def test_every_setting_knows_its_file_and_line() -> None:
    configuration = configured(
        'claude_model = "a"\n\n[routes]\n# ours\njunior = [\n  "cx",\n]\n',
        'data_dir = "d"\n[routes]\njunior = ["cc"]\nsenior = ["cc"]\n'
        '[harness]\ncc.models.a = "b"\n',
        {"RALLY_DEFAULTS_ITERATIONS": "2"},
    )
    found = {key: where for key, where in origins(configuration).items() if where != "built-in"}
    assert found == {
        "data_dir": "user user.toml:1",
        "defaults.iterations": "environment RALLY_DEFAULTS_ITERATIONS",
        "defaults.claude_model": "repository repo.toml:1",
        "routes.junior": "repository repo.toml:5",
        "routes.senior": "user user.toml:4",
        "harness.cc.models.a": "user user.toml:6",
    }


PLACES = [
    ("wrong type", "\n[defaults]\n\niterations = 'x'\n", "repo.toml:4"),
    ("wrong type of a table", "\n\nreasoning = 1\n", "repo.toml:3"),
    ("unknown key", "# a\n[defaults]\nmixx = 'cc'\n", "repo.toml:3"),
    ("unknown table", "# a\n[wat]\nx = 1\n", "repo.toml:2"),
    ("old name", "\n[fallback]\ninstructions_file = 'x'\n", "repo.toml:3"),
    ("old name of a wrong type", "\nclaude_model = 4\n", "repo.toml:2"),
    ("schema", "# a\nschema_version = 99\n", "repo.toml:2"),
    ("default mix", "[defaults]\niterations = 1\nmix = 'gm'\n", "repo.toml:3"),
    ("a route's entry", "[routes]\na = ['cc']\nb = ['cc', 'gm']\n", "repo.toml:3"),
    ("an entry on a line of its own", "[routes]\na = [\n 'cc',\n 'gm',\n]\n", "repo.toml:4"),
    ("an empty route", "[routes]\na = ['cc']\nb = [\n]\n", "repo.toml:3"),
    ("a role twice", "[routes]\na = ['cc']\nA = ['cc']\n", "repo.toml:3"),
    ("reasoning", "[reasoning]\na = 'high'\nb = 'cc:nope'\n", "repo.toml:3"),
    ("harness", "[routes]\n[harness.d]\nmodels.a = 'b'\n", "repo.toml:2"),
    ("harness key", "[harness.cc]\nmodels.a = 'b'\ncommand = ['x']\n", "repo.toml:3"),
    ("model alias", "[harness.cc.models]\na = 'b'\n1 = 'c'\n", "repo.toml:3"),
    ("provider", "[providers]\np = ['cc:a.b']\nq = ['nope']\n", "repo.toml:3"),
    ("provider key", "[providers.p]\nmodels = ['cc:a.b']\nx = 1\n", "repo.toml:3"),
    ("number", "[reliability]\n\nrun_timeout_secs = 5\n", "repo.toml:3"),
    ("dotted", "defaults.iterations = 1\ndefaults.mixx = 'cc'\n", "repo.toml:2"),
    ("inline", "\nharness = { cc = { models = { a = '' } } }\n", "repo.toml:2"),
]


@pytest.mark.parametrize(("text", "where"), [p[1:] for p in PLACES], ids=[p[0] for p in PLACES])
def test_every_finding_tells_the_line_of_its_key(text: str, where: str) -> None:
    found = configured(text).findings
    assert found
    assert {finding.where for finding in found} == {where}


@pytest.mark.parametrize(
    "text",
    [
        "[routes]\na = [\n  'cc:gm.1',\n  'cc:gm.2',\n  'gm',\n]\n",
        "[routes]\na = [\n  # not gm\n  'cc',\n  'gm',\n]\n",
        "[providers]\np = [\n  'cc:a.b',\n  'cx:a.b',\n  'nope',\n]\n",
        "\n[providers.p]\nmodels = [\n  'cc:a.b',\n  'nope',\n]\n",
        "[routes]\na = [\n  'cc',\n  'cx',\n  5,\n]\n",
    ],
    ids=[
        "part of an earlier entry",
        "word of a comment",
        "a provider's list",
        "a provider's models",
        "an entry of a wrong type",
    ],
)
def test_a_wrong_entry_in_a_list_of_many_lines_is_told_with_its_own_line(text: str) -> None:
    assert configured(text).findings[-1].where == "repo.toml:5"


def test_a_providers_fault_is_told_of_the_layer_that_made_it() -> None:
    configuration = configured(
        '[providers.p]\nmodels = ["nope"]\n', "[providers.p]\ndisabled = true\n"
    )
    [finding] = about(configuration, "providers", "p", "models")
    assert finding.where.startswith("repo.toml:")


def test_a_fault_is_told_with_the_file_that_holds_it() -> None:
    user = "[defaults]\niterations = 'x'\n[routes]\na = ['gm']\n"
    configuration = configured("[defaults]\nmix = 5\n", user)
    assert graver(configuration) == [
        (Gravity.ERROR, ("defaults", "iterations"), "user.toml:2"),
        (Gravity.ERROR, ("defaults", "mix"), "repo.toml:2"),
        (Gravity.LANE, ("routes", "a"), "user.toml:4"),
    ]


def test_a_broken_setting_leaves_the_others_usable() -> None:
    configuration = configured(
        """
        data_dir = 3
        providers = "x"
        [defaults]
        iterations = "many"
        claude_model = "m.1"
        [routes]
        good = ["cc"]
        bad = "cc"
        [harness.123bad]
        command = ["x"]
        [harness.pelican]
        command = ["pelican"]
        models = { a = 1, b = "b.1" }
        """
    )
    settings = configuration.settings
    assert settings.data_dir == ""
    assert (settings.defaults.iterations, settings.defaults.claude_model) == (0, "m.1")
    assert settings.routes == {"good": ["cc"]}
    assert settings.harness["pelican"].models == {"b": "b.1"}
    assert "cc" in configuration.harnesses
    assert {".".join(f.key) for f in configuration.of(Gravity.ERROR, Gravity.LANE)} == {
        *("data_dir", "providers", "defaults.iterations", "routes.bad", "harness.123bad"),
        "harness.pelican.models.a",
    }


def test_a_broken_setting_does_not_hide_the_one_of_a_lower_layer() -> None:
    configuration = configured(
        "[defaults]\niterations = 'x'\n[routes]\na = 1\n",
        "[defaults]\niterations = 6\n[routes]\na = ['cc']\n",
    )
    assert configuration.settings.defaults.iterations == 6
    assert configuration.settings.routes == {"a": ["cc"]}


def _not_utf8(path: Path) -> None:
    path.write_bytes(b'data_dir = "\xff"\n')


def _syntax(path: Path) -> None:
    path.write_text("[defaults]\nmix = \n")


def _folder(path: Path) -> None:
    path.mkdir()


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _deep(path: Path) -> None:
    path.write_text("a = " + "[" * 5000 + "]" * 5000)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_syntax, "line 2"),
        (_not_utf8, "UTF-8 at byte 12"),
        (_folder, "directory"),
        (_loop, "symbolic links"),
        (_deep, "too deeply"),
    ],
)
@pytest.mark.parametrize("layer", ["user", "repository"])
def test_a_file_that_cannot_be_read_is_an_error_and_counts_as_empty(
    paths: WorkspacePaths, spoil: Callable[[Path], None], why: str, layer: str
) -> None:
    broken, other = (user_config(), paths.config)[:: 1 if layer == "user" else -1]
    spoil(broken)
    other.write_text("[defaults]\niterations = 9\n")
    configuration = load_configuration(paths)
    assert configuration.settings.defaults.iterations == 9
    [finding] = configuration.findings
    assert (finding.gravity, finding.where) == (Gravity.ERROR, str(broken))
    assert why in finding.what
    assert finding.todo.endswith("--repo") == (layer == "repository")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_is_closed_to_us_is_an_error_and_counts_as_empty(
    paths: WorkspacePaths,
) -> None:
    paths.config.write_text("[defaults]\niterations = 9\n")
    paths.config.chmod(0)
    configuration = load_configuration(paths)
    assert configuration.settings == Settings()
    assert graver(configuration) == [(Gravity.ERROR, (), str(paths.config))]


def test_a_file_where_a_folder_should_be_counts_as_no_configuration(paths: WorkspacePaths) -> None:
    user_config().parent.rmdir()
    user_config().parent.write_text("")
    assert load_configuration(paths).findings == []


@pytest.mark.parametrize(
    "text",
    [
        "[defaults]\niterations = " + "9" * 5000 + "\n",
        "[defaults]\niterations = -" + "9" * 30 + "\n",
        ".".join("a" * 3000) + " = 1\n",
        "harness = " + "{a = " * 300 + "1" + "}" * 300 + "\n",
        "defaults.iterations = 0x" + "f" * 5000 + "\n",
    ],
    ids=lambda text: f"{text[:24]!r} of {len(text)}",
)
def test_no_valid_toml_stops_a_reader(text: str) -> None:
    assert configured(text).settings.defaults.mix == ""


def test_no_depth_of_a_list_stops_a_reader() -> None:
    for depth in range(400, 500):
        assert configured(f"data_dir = {'[' * depth}{']' * depth}\n").of(Gravity.ERROR)


@given(st.text(), st.text())
def test_no_text_stops_a_reader(before: str, after: str) -> None:
    text = f"{before}\n[defaults]\nmix = '{after}'\n"
    source, found = read_source("user", Path("user.toml"), text)
    assert bool(found) == (source.table == {})
    assemble([source], found)


def test_a_sound_configuration_is_let_through() -> None:
    configured('[defaults]\nmixx = "cc"\n').require_sound(lanes=True)


def test_an_error_stops_a_command_and_a_spoilt_lane_only_one_that_needs_lanes() -> None:
    lane = configured('[defaults]\nmix = "gm"\n')
    lane.require_sound(lanes=False)
    with pytest.raises(ConfigurationError, match=r"repo\.toml:2: .*'gm'"):
        lane.require_sound(lanes=True)
    with pytest.raises(ConfigurationError, match="2 errors in the configuration"):
        configured('data_dir = 1\nroutes = 1\n[defaults]\nmix = "cc"\n').require_sound(lanes=True)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("data_dir", ("data_dir",)),
        ("routes.senior", ("routes", "senior")),
        ('harness."a b".models."c.d"', ("harness", "a b", "models", "c.d")),
        ("routes.'x'", ("routes", "x")),
        ('routes.""', ("routes", "")),
    ],
)
def test_a_key_is_taken_apart_as_toml_does(text: str, key: tuple[str, ...]) -> None:
    assert parse_key(text) == key


@pytest.mark.parametrize("text", ["", ".", "a.", "a b", "[a", "a=1", "a\nb", '"a'])
def test_what_is_not_a_key_is_refused(text: str) -> None:
    with pytest.raises(MitteloError, match="is not a key"):
        parse_key(text)


def test_what_is_not_a_key_is_a_fault_in_usage() -> None:
    with pytest.raises(UsageError):
        parse_key("a b")


BARE = {
    *("schema_version", "data_dir", "defaults", "mix", "iterations", "claude_model", "free_run"),
    *("prompt_file", "fallback", "instructions_file", "laps", "reliability", "retry_budget"),
    *("freeze_threshold_secs", "stall_threshold_secs", "try_timeout_secs", "liveness_probe"),
    *("routes", "default", "Default", "junior", "reasoning", "providers", "models", "exclude"),
    *("disabled", "harness", "cc", "claude", "op", "droid", "command", "model_flag", "telemetry"),
    *("output_strategy", "output_lines", "tail_stream", "laps_instructions", "gemini_model"),
}
SPECS = ["", " ", "cc", "cx:2", "cc:opus", "droid", "*", "cc:*", "*x", "a/*", ":", 'cc:"a', "cc:0"]
keys = st.sampled_from(sorted(BARE)) | st.text(max_size=4)
single = (
    st.sampled_from(SPECS)
    | st.text(max_size=5)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.dates()
    | st.datetimes()
    | st.times()
)
values = st.recursive(
    single,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
tables = st.dictionaries(keys, values, max_size=6)
SHAPES = st.fixed_dictionaries(
    {},
    optional={
        "routes": st.dictionaries(keys, st.lists(st.sampled_from(SPECS), max_size=3)),
        "reasoning": st.dictionaries(keys, st.sampled_from(SPECS)),
        "providers": st.dictionaries(
            keys,
            st.lists(st.sampled_from(SPECS), max_size=3)
            | st.fixed_dictionaries(
                {"models": st.lists(st.sampled_from(SPECS))},
                optional={"exclude": st.lists(st.sampled_from(SPECS)), "x": values},
            ),
        ),
        "harness": st.dictionaries(
            keys,
            st.fixed_dictionaries(
                {},
                optional={
                    "command": st.lists(st.text(max_size=3), max_size=2),
                    "models": st.dictionaries(keys, st.sampled_from(SPECS), max_size=3),
                    "tail_stream": st.text(max_size=3),
                    "output_lines": st.integers(),
                },
            ),
        ),
        "defaults": st.dictionaries(keys, st.sampled_from(SPECS), max_size=3),
        "reliability": st.dictionaries(keys, st.integers(), max_size=3),
    },
)


@given(st.lists(tables | SHAPES, min_size=1, max_size=3))
def test_no_values_of_toml_stop_a_reader(layers: list[dict[str, object]]) -> None:
    sources = [Source(f"layer {n}", f"{n}.toml", "", table) for n, table in enumerate(layers)]
    configuration = assemble(sources, [])
    for setting in list_settings(configuration):
        assert str(setting).startswith(setting.key)
    for finding in configuration.findings:
        assert finding.what
        assert str(finding)
