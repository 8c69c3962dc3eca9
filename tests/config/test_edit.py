import json
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from support import RALLY, Place

from mittelo.config.edit import set_value, unset_value
from mittelo.config.layers import parse_key
from mittelo.config.paths import WorkspacePaths
from mittelo.errors import MitteloError, UsageError

FILE = ".rally/config.toml"
TEXT = """\
# of ours
whatever = { a = 1 } # unknown to rally

[defaults] # how it starts
mix = 'cc' # the mix
# iterations = 3

[routes]
junior = [ # cheap ones
  "cc",
]
[mine]
x = 1
"""


@contextmanager
def unchanged(file: Path) -> Iterator[None]:
    before = file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino
    yield
    assert (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino) == before


def mine(place: Place) -> Path:
    """Return the user's own file, with its folder."""
    file = place.home / "config/rally/config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The configuration of a repository that needs no git."""
    file = tmp_path / "work" / FILE
    file.parent.mkdir(parents=True)
    return file


def put(file: Path, key: str, value: str) -> object:
    """Set a setting of the repository, as the command does."""
    return set_value(WorkspacePaths(file.parent.parent), file, parse_key(key), value)


def test_set_makes_the_users_file_and_get_reads_it(place: Place) -> None:
    done = place.rally("config", "set", "defaults.mix", "cc cx:2")
    assert done.code == 0, done.err
    assert str(place.home / "config/rally/config.toml") in done.out
    assert tomllib.loads(mine(place).read_text()) == {
        "schema_version": 2,
        "defaults": {"mix": "cc cx:2"},
    }
    assert place.rally("config", "get", "defaults.mix").out == "cc cx:2\n"
    assert (place.root / FILE).read_text() == ""


def test_set_with_repo_changes_the_repositorys_file(place: Place) -> None:
    assert place.rally("config", "set", "--repo", "defaults.iterations", "4").code == 0
    assert tomllib.loads((place.root / FILE).read_text())["defaults"] == {"iterations": 4}
    assert not mine(place).exists()


def test_comments_and_unknown_keys_survive_a_change(place: Place) -> None:
    place.configure(TEXT)
    assert place.rally("config", "set", "--repo", "defaults.mix", "cx").code == 0
    assert place.rally("config", "set", "--repo", "defaults.iterations", "9").code == 0
    text = (place.root / FILE).read_text()
    left = [line for line in TEXT.splitlines() if "mix =" not in line]
    assert [line for line in text.splitlines() if line in left] == left
    assert tomllib.loads(text) == {
        **tomllib.loads(TEXT),
        "schema_version": 2,
        "defaults": {"mix": "cx", "iterations": 9},
    }
    assert "# the mix" in text


def test_comments_and_unknown_keys_survive_a_removal(place: Place) -> None:
    place.configure(TEXT)
    assert place.rally("config", "unset", "--repo", "defaults.mix").code == 0
    text = (place.root / FILE).read_text()
    for kept in ("# of ours", "whatever = { a = 1 } # unknown to rally", "# cheap ones", "[mine]"):
        assert kept in text
    assert "mix =" not in text


def test_a_comment_between_tables_survives_when_the_table_before_it_goes(file: Path) -> None:
    file.write_text('[routes]\na = ["cc"]\n\n# For our slow builds.\n[defaults]\niterations = 1\n')
    assert unset_value(file, ("routes", "a"))
    assert "# For our slow builds.\n[defaults]" in file.read_text()


def test_a_comment_inside_a_table_survives_its_last_key(file: Path) -> None:
    file.write_text('[routes]\n# b = ["op"]  as long as the others are away\na = ["cc"]\n')
    assert unset_value(file, ("routes", "a"))
    assert '# b = ["op"]' in file.read_text()


def test_unset_of_the_last_key_takes_its_empty_tables_along(place: Place) -> None:
    place.configure("[harness.cc.models]\na = 'b'\n[defaults]\nmix = 'cc'\n")
    assert place.rally("config", "unset", "--repo", "harness.cc.models.a").code == 0
    assert tomllib.loads((place.root / FILE).read_text()) == {"defaults": {"mix": "cc"}}


def test_unset_of_a_table_removes_all_of_it(place: Place) -> None:
    place.configure("[routes]\na = ['cc']\nb = ['cx']\n[defaults]\nmix = 'cc'\n")
    assert place.rally("config", "unset", "--repo", "routes").code == 0
    assert tomllib.loads((place.root / FILE).read_text()) == {"defaults": {"mix": "cc"}}


@pytest.mark.parametrize("key", ["routes.b", "defaults.iterations", "providers.p.models", "nope"])
def test_unset_of_what_is_not_there_says_so(place: Place, key: str) -> None:
    place.configure(TEXT)
    with unchanged(place.root / FILE):
        done = place.rally("config", "unset", "--repo", key)
    assert done.code == 1
    assert f"{key} is not set in " in done.err


def test_line_ends_of_other_systems_survive(place: Place) -> None:
    file = place.root / FILE
    file.write_bytes(TEXT.replace("\n", "\r\n").encode())
    assert place.rally("config", "set", "--repo", "defaults.mix", "cx").code == 0
    assert place.rally("config", "unset", "--repo", "routes.junior").code == 0
    lines = file.read_bytes().splitlines(keepends=True)
    for line in ("# of ours", "[defaults] # how it starts", "# iterations = 3", "x = 1"):
        assert f"{line}\r\n".encode() in lines
    assert tomllib.loads(file.read_bytes().decode())["defaults"] == {"mix": "cx"}


def test_a_new_line_ends_like_the_others(file: Path) -> None:
    file.write_bytes(b'[routes]\r\na = ["cc"]\r\n')
    put(file, "routes.b", "cx")
    assert file.read_bytes().count(b"\n") == file.read_bytes().count(b"\r\n")


def test_a_symlink_and_the_mode_of_its_file_survive(place: Place) -> None:
    real = place.home / "dotfiles.toml"
    real.write_text(TEXT)
    real.chmod(0o600)
    file = mine(place)
    file.symlink_to(real)
    assert place.rally("config", "set", "defaults.mix", "cx").code == 0
    assert place.rally("config", "unset", "routes.junior").code == 0
    assert file.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    assert tomllib.loads(real.read_text())["defaults"] == {"mix": "cx"}


def test_a_symlink_to_a_file_that_is_not_there_yet_makes_that_file(place: Place) -> None:
    real = place.home / "dotfiles/rally.toml"
    mine(place).symlink_to(real)
    assert place.rally("config", "set", "defaults.mix", "cx").code == 0
    assert mine(place).is_symlink()
    assert tomllib.loads(real.read_text())["defaults"] == {"mix": "cx"}


REFUSED = [
    ("defaults.iterations", "many", "a whole number is wanted"),
    ("defaults.iterations", "1.5", "a whole number is wanted"),
    ("defaults.iterations", "", "a whole number is wanted"),
    ("reliability.liveness_probe", "perhaps", "true or false is wanted"),
    ("defaults.mix", "gm", "unknown agent alias 'gm'"),
    ("defaults.mix", "cc:opux", "unknown model 'opux'"),
    ("routes.junior", "cc, gm", "unknown agent alias 'gm'"),
    ("routes.junior", "", "is empty"),
    ("routes.junior", '["cc", 1]', "cannot be"),
    ("routes.junior", '["cc"', "cannot be"),
    ("routes.JUNIOR", "cc", "differ only by case"),
    ('routes.""', "cc", "without a name"),
    ("routes.junior.x", "cc", "There is no setting routes.junior.x"),
    ("routes", "cc", "is a table"),
    ("harness.cc", "x", "is a table"),
    ("harness.cc.models", "x", "is a table"),
    ("harness.cc.command", "claude", "cannot be set for a built-in"),
    ("harness.cc.models.opus", "", "stands for nothing"),
    ("harness.cc.models.1", "x", "letter first"),
    ("harness.1bad.command", "x", "invalid harness name"),
    ("harness.pelican.models.a", "b", "needs a command"),
    ("reasoning.junior", "cc:nope", "unknown model alias 'nope'"),
    ("providers.p", "nope", "unknown model alias 'nope'"),
    ("providers.p", "cc", "no concrete model"),
    ("providers.p.models", "*", "unsupported wildcard"),
    ("whatever.a", "2", "There is no setting whatever.a"),
    ("defaults.mixx", "cc", "Did you mean defaults.mix?"),
    ("claude_model", "x", "Did you mean defaults.claude_model?"),
]


@pytest.mark.parametrize(("key", "value", "word"), REFUSED)
def test_a_refused_value_leaves_the_file_as_it_was(
    file: Path, key: str, value: str, word: str
) -> None:
    file.write_text(TEXT)
    with unchanged(file), pytest.raises(UsageError) as caught:
        put(file, key, value)
    assert word in str(caught.value)


def test_a_refusal_ends_with_code_2_and_names_the_nearest_key(place: Place) -> None:
    place.configure(TEXT)
    with unchanged(place.root / FILE):
        wrong = place.rally("config", "set", "--repo", "defaults.mix", "gm")
        unknown = place.rally("config", "set", "--repo", "defaults.mixx", "cc")
    assert (wrong.code, unknown.code) == (2, 2)
    assert "unknown agent alias 'gm'" in wrong.err
    assert "Did you mean defaults.mix?" in unknown.err


ACCEPTED = [
    ("routes.junior", "cc, cx:2,op:a/b", ["cc", "cx:2", "op:a/b"]),
    ("routes.junior", '["cc", "cx:2"]', ["cc", "cx:2"]),
    ("routes.junior", '[\n"cc", # first\n]', ["cc"]),
    ("routes.junior", 'ag:"a, b", cc', ['ag:"a, b"', "cc"]),
    ("routes.junior", r'cc:"a\",b"', [r'cc:"a\",b"']),
    ("routes.Junior", "cc", ["cc"]),
    ('routes."two words"', "cc", ["cc"]),
    ('harness.cc.models."a-1"', "x", "x"),
    ("harness.pelican.command", "pelican, run, $PROMPT", ["pelican", "run", "$PROMPT"]),
    ("providers.p", "cc:a.b, cx:c.d", ["cc:a.b", "cx:c.d"]),
    ("providers.p.models", "cc:a.b", ["cc:a.b"]),
    ("defaults.mix", "", ""),
    ("defaults.claude_model", "a \"b\" 'c' \\ é \u2028 \x7f \t\n#", None),
    ("defaults.iterations", "0", 0),
    ("defaults.iterations", "-3", -3),
    ("reliability.liveness_probe", "true", True),
    ("reliability.liveness_probe", "0", False),
    ("reasoning.junior", "ludicrous", "ludicrous"),
    ("data_dir", "~/data", "~/data"),
]


@pytest.mark.parametrize(("key", "words", "value"), ACCEPTED)
def test_a_right_value_is_written_as_it_was_meant(
    file: Path, key: str, words: str, value: object
) -> None:
    held: Any = words if value is None else value
    assert put(file, key, words) == held
    table: Any = tomllib.loads(file.read_text())
    for part in parse_key(key):
        table = table[part]
    assert table == held


def test_a_value_that_is_not_utf8_is_refused(place: Place) -> None:
    place.configure(TEXT)
    with unchanged(place.root / FILE):
        done = place.rally("config", "set", "--repo", "defaults.claude_model", "a\udcffb")
    assert done.code == 2, done.err


INLINE = "harness = { cc = { models = { a = 'b' } } }\n"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (INLINE, "harness.cc.models.c"),
        (INLINE, "harness.cx.models.c"),
        ("harness = { cc = {} }\n", "harness.cc.models.c"),
        ("harness.cc.models.a = 'b'\n", "harness.cc.models.c"),
        ("harness.cc.models.a = 'b'\n", "harness.cx.models.c"),
        ("[harness]\ncc.models.a = 'b'\n", "harness.cx.models.c"),
        ("[harness.cc.models]\na = 'b'\n[routes]\n[harness.op.models]\n", "harness.op.models.c"),
        ("[harness.cc.models]\na = 'b'\n[routes]\n[harness.op.models]\n", "harness.cx.models.c"),
        ("# only a comment", "harness.cx.models.c"),
    ],
)
def test_a_table_is_extended_however_it_is_written(file: Path, text: str, key: str) -> None:
    file.write_text(text)
    put(file, key, "new")
    wanted: Any = {"schema_version": 2, **tomllib.loads(text)}
    held = wanted
    for part in parse_key(key)[:-1]:
        held = held.setdefault(part, {})
    held["c"] = "new"
    assert tomllib.loads(file.read_text()) == wanted


@pytest.mark.parametrize("command", ["set", "unset"])
@pytest.mark.parametrize(
    ("content", "word"),
    [(b"[defaults\nmix = 1\n", "not valid TOML"), (b'data_dir = "\xff"\n', "not valid UTF-8")],
)
def test_a_broken_file_is_left_for_the_user_to_mend(
    place: Place, command: str, content: bytes, word: str
) -> None:
    file = place.root / FILE
    file.write_bytes(content)
    words = ["defaults.mix", "cc"][: 2 if command == "set" else 1]
    with unchanged(file):
        done = place.rally("config", command, "--repo", *words)
    assert done.code == 2
    assert word in done.err
    assert "rally config edit" in done.err


@pytest.mark.parametrize("kind", ["folder", "loop"])
def test_what_is_not_a_file_is_a_plain_error(place: Place, kind: str) -> None:
    file = mine(place)
    if kind == "folder":
        file.mkdir()
    else:
        file.symlink_to(file)
    done = place.rally("config", "set", "defaults.mix", "cc")
    assert done.code in {1, 2}, done.err
    assert str(file) in done.err


BROKEN = """
providers = 3
data_dir = 3
[defaults]
mix = "gm"
iterations = "many"
[routes]
junior = ["gm"]
senior = "cc"
[harness.123bad]
command = []
[reasoning]
junior = 5
"""


def test_a_broken_setting_can_be_mended_while_all_others_are_broken(place: Place) -> None:
    place.configure(BROKEN)
    for key, value in [
        ("defaults.mix", "cc"),
        ("defaults.iterations", "3"),
        ("routes.senior", "cc"),
        ("routes.junior", "cx"),
        ("reasoning.junior", "high"),
        ("data_dir", "d"),
        ("defaults.claude_model", "m.1"),
        ("harness.pelican.command", "pelican"),
    ]:
        put(place.root / FILE, key, value)
    for key in ("harness.123bad", "providers"):
        assert unset_value(place.root / FILE, parse_key(key))
    assert place.rally("routes", "check").code == 0


def test_a_broken_setting_can_be_removed_while_all_others_are_broken(place: Place) -> None:
    place.configure(BROKEN)
    for key in ("defaults.mix", "routes.senior", "harness.123bad.command", "providers"):
        assert place.rally("config", "unset", "--repo", key).code == 0, key
    left = tomllib.loads((place.root / FILE).read_text())
    assert "providers" not in left
    assert left["defaults"] == {"iterations": "many"}
    assert left["routes"] == {"junior": ["gm"]}


@pytest.mark.parametrize("text", ["[providers]\np = ['cc:a.b']\n", "[providers]\np = 3\n"])
def test_the_way_out_of_what_is_not_a_table_works(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(UsageError, match="not a table") as caught:
        put(file, "providers.p.models", "cx:c.d")
    key = caught.value.todo.rpartition(" ")[2]
    assert unset_value(file, parse_key(key)), caught.value.todo


def test_a_wrong_value_is_refused_beside_another_mistake_in_its_table(file: Path) -> None:
    file.write_text("[harness.pelican]\ncommand = ['pelican']\noutput_lines = 'x'\n")
    with unchanged(file), pytest.raises(UsageError):
        put(file, "harness.pelican.tail_stream", "loud")


def test_a_wrong_value_is_refused_though_a_higher_layer_hides_it(place: Place) -> None:
    place.configure('[routes]\ndefault = ["cc"]\n')
    done = place.rally("config", "set", "routes.default", "gm")
    assert done.code == 2, done.out
    assert not mine(place).exists()


@pytest.mark.parametrize("layer", ["repository", "environment"])
def test_a_right_value_is_accepted_though_a_higher_layer_is_wrong(place: Place, layer: str) -> None:
    if layer == "repository":
        place.configure('[defaults]\nmix = "gm"\n')
    else:
        place.env["RALLY_DEFAULTS_MIX"] = "gm"
    done = place.rally("config", "set", "defaults.mix", "cc")
    assert done.code == 0, done.err
    assert tomllib.loads(mine(place).read_text())["defaults"] == {"mix": "cc"}


def test_an_alias_of_the_user_may_be_named_in_the_repository(place: Place) -> None:
    mine(place).write_text("[harness.cc.models]\nswift = 'x'\n")
    assert put(place.root / FILE, "routes.default", "claude:swift") == ["claude:swift"]


def test_changes_by_many_processes_all_land(place: Place) -> None:
    place.configure(TEXT)
    changes = [
        ("defaults.iterations", "7"),
        ("defaults.claude_model", "c"),
        ("defaults.codex_model", "x"),
        ("routes.a", "cc"),
        ("routes.b", "cx"),
        ("reasoning.a", "high"),
        ("harness.cc.models.one", "1.0"),
        ("data_dir", "d"),
    ]
    processes = [
        subprocess.Popen(
            [RALLY, "config", "set", "--repo", key, value],
            cwd=place.root,
            env=place.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for key, value in changes
    ]
    ended = [(process.communicate()[1], process.returncode) for process in processes]
    assert ended == [(b"", 0)] * 8
    table = tomllib.loads((place.root / FILE).read_text())
    assert table["defaults"] == {
        "mix": "cc",
        "iterations": 7,
        "claude_model": "c",
        "codex_model": "x",
    }
    assert table["routes"] == {"junior": ["cc"], "a": ["cc"], "b": ["cx"]}
    assert table["harness"] == {"cc": {"models": {"one": "1.0"}}}
    assert (table["reasoning"], table["data_dir"]) == ({"a": "high"}, "d")


@pytest.mark.parametrize("key", ["routes.default", "harness.pelican.model_flag", "routes"])
def test_get_of_what_is_not_set_exits_with_1(place: Place, key: str) -> None:
    done = place.rally("config", "get", key)
    assert (done.code, done.out) == (1, "")
    assert f"{key} is not set" in done.err


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("defaults.mixx", "defaults.mix"),
        ("claude_model", "defaults.claude_model"),
        ("route.default", ""),
        ("retry_budget", "reliability.retry_budget"),
    ],
)
def test_get_of_an_unknown_key_exits_with_2_and_names_the_nearest(
    place: Place, key: str, near: str
) -> None:
    done = place.rally("config", "get", key)
    assert (done.code, done.out) == (2, "")
    assert f"There is no setting {key}" in done.err
    assert f"Did you mean {near}?" in done.err or not near


def test_get_of_what_is_not_a_key_is_a_fault_in_usage(place: Place) -> None:
    done = place.rally("config", "get", "a b")
    assert (done.code, done.out) == (2, "")
    assert "'a b' is not a key" in done.err


def test_get_prints_a_value_as_a_script_wants_it(place: Place) -> None:
    place.configure(
        "[routes]\na = ['cc', 'ag:\"x y\"']\n[defaults]\nmix = 'a \"b\"'\niterations = 3"
    )
    shown = {
        key: place.rally("config", "get", key).out
        for key in ("routes.a", "defaults.mix", "defaults.iterations", "free_run.require_changes")
    }
    assert shown == {
        "routes.a": '["cc", "ag:\\"x y\\""]\n',
        "defaults.mix": 'a "b"\n',
        "defaults.iterations": "3\n",
        "free_run.require_changes": "true\n",
    }


def test_show_lists_every_setting_and_warns_of_what_is_wrong(place: Place) -> None:
    place.configure("[defaults]\niterations = 'x'\nmixx = 1\n")
    done = place.rally("config", "show")
    assert done.code == 0
    assert "defaults.iterations = 0" in done.out.splitlines()
    assert f"{place.root / FILE}:2: defaults.iterations: expected a whole number" in done.err
    assert f"{place.root / FILE}:3: unknown key defaults.mixx" in done.err


def test_show_tells_where_each_value_is_from(place: Place) -> None:
    mine(place).write_text("\n[defaults]\nmix = 'cc'\n")
    place.configure("data_dir = 'd'\n")
    place.env["RALLY_DEFAULTS_ITERATIONS"] = "2"
    shown = dict(
        line.split("  # ", 1) for line in place.rally("config", "show", "--origin").out.splitlines()
    )
    found = {setting.strip(): origin for setting, origin in shown.items()}
    assert found['data_dir = "d"'] == f"repository {place.root / FILE}:1"
    assert found['defaults.mix = "cc"'] == f"user {mine(place)}:3"
    assert found["defaults.iterations = 2"] == "environment RALLY_DEFAULTS_ITERATIONS"
    assert found['defaults.codex_model = ""'] == "built-in"


def test_show_gives_the_same_as_data(place: Place) -> None:
    place.configure("\nclaude_model = 'm'\n[routes]\n'a b' = ['cc']\n")
    settings_shown = json.loads(place.rally("config", "show", "--json").out)
    found = {one["key"]: (one["value"], one["origin"]["layer"]) for one in settings_shown}
    assert found['routes."a b"'] == (["cc"], "repository")
    assert found["defaults.claude_model"] == ("m", "repository")
    assert found["defaults.mix"] == ("", "built-in")
    [old] = [one for one in settings_shown if one["key"] == "defaults.claude_model"]
    assert old["origin"]["line"] == 2


def test_show_of_a_key_lists_what_is_below_it(place: Place) -> None:
    place.configure("[routes]\na = ['cc']\nb = ['cx']\n")
    assert place.rally("config", "show", "routes").out.splitlines() == [
        'routes.a = ["cc"]',
        'routes.b = ["cx"]',
    ]


@pytest.mark.parametrize("words", [["show"], ["show", "--json"], ["get", "defaults.iterations"]])
def test_a_number_of_any_size_is_shown(place: Place, words: list[str]) -> None:
    place.configure(f"[defaults]\niterations = {'9' * 40}\n")
    done = place.rally("config", *words)
    assert done.code == 0, done.err


@pytest.mark.parametrize("words", [["show"], ["show", "--json"]])
def test_a_variable_that_is_not_utf8_stops_no_command(place: Place, words: list[str]) -> None:
    place.env["RALLY_DEFAULTS_CLAUDE_MODEL"] = "a\udcffb"
    done = place.rally("config", *words)
    assert done.code != 3, done.err


def test_the_form_needs_a_terminal(place: Place) -> None:
    done = place.rally("config")
    assert done.code == 2
    assert "rally config set" in done.err


names = st.sampled_from(["a", "b", "cc", "x y", "é", "1"])
tables = st.fixed_dictionaries(
    {},
    optional={
        "data_dir": st.just("d"),
        "mine": st.dictionaries(names, st.integers() | st.dictionaries(names, st.booleans())),
        "defaults": st.fixed_dictionaries({}, optional={"mix": st.just("cc"), "x": st.none()}).map(
            lambda table: {key: value or 1 for key, value in table.items()}
        ),
        "routes": st.dictionaries(st.sampled_from(["a", "x y", "1"]), st.just(["cx"])),
        "harness": st.dictionaries(
            st.sampled_from(["cc", "op"]),
            st.fixed_dictionaries(
                {}, optional={"models": st.dictionaries(st.sampled_from("ab"), st.just("m"))}
            ),
        ),
    },
)
changes = st.sampled_from(
    [
        ("data_dir", "new"),
        ("defaults.mix", "cx"),
        ("defaults.iterations", 5),
        ("routes.a", ["op"]),
        ('routes."x y"', ["op"]),
        ("harness.cc.models.a", "new"),
        ("harness.ag.models.b", "new"),
    ]
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=50,
)
@given(tables, st.lists(changes, min_size=1, max_size=3))
def test_any_file_holds_just_the_changes_more_and_after_removals_less(
    file: Path, table: dict[str, Any], wanted: list[tuple[str, Any]]
) -> None:
    text = tomlkit.dumps(table)
    assume(tomllib.loads(text) == table)
    file.write_text(text)
    for key, value in wanted:
        put(file, key, json.dumps(value) if isinstance(value, list) else str(value))
    table.setdefault("schema_version", 2)
    for key, value in wanted:
        *way, last = parse_key(key)
        held = table
        for part in way:
            held = held.setdefault(part, {})
        held[last] = value
    assert tomllib.loads(file.read_text()) == table
    for key in {key for key, _ in wanted}:
        assert unset_value(file, parse_key(key))
        with pytest.raises(MitteloError):
            put(file, key + ".nope.nope", "x")
        assert not unset_value(file, parse_key(key))
