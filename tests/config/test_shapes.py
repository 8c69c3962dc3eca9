import pytest
from tests.config.configs import about, configured

from mittelo.config.findings import Gravity
from mittelo.config.schema import Settings
from mittelo.config.shapes import key_kind, nearest_key

TEXT, NUMBER, SWITCH, LIST, TABLE = "text", "a whole number", "true or false", "a list", "a table"
WRONG = [
    ("schema_version", '"2"', NUMBER),
    ("schema_version", "true", NUMBER),
    ("data_dir", "1", TEXT),
    ("data_dir", "1979-05-27", TEXT),
    ("run_hooks_on_autocommit", '"yes"', SWITCH),
    ("run_hooks_on_autocommit", "1", SWITCH),
    ("defaults", "3", TABLE),
    ("defaults", "[[]]", TABLE),
    ("defaults.iterations", "1.5", NUMBER),
    ("defaults.iterations", "nan", NUMBER),
    ("defaults.iterations", '"3"', NUMBER),
    ("defaults.iterations", "{}", NUMBER),
    ("defaults.mix", '["cc"]', TEXT),
    ("defaults.mix", "12:30:00", TEXT),
    ("defaults.gemini_model", "{}", TEXT),
    ("free_run.prompt_file", "true", TEXT),
    ("free_run.require_changes", "0", SWITCH),
    ("laps.instructions_file", "[]", TEXT),
    ("reliability", '"x"', TABLE),
    ("reliability.retry_budget", "1.0", NUMBER),
    ("reliability.liveness_probe", '"true"', SWITCH),
    ("reasoning", "[]", TABLE),
    ("reasoning.verify", "1", TEXT),
    ("providers", '["cc"]', TABLE),
    ("providers.p", "1", f"{LIST} or {TABLE}"),
    ("providers.p", "[1]", TEXT),
    ("providers.p.models", '"cc"', LIST),
    ("providers.p.exclude", "[1]", TEXT),
    ("providers.p.disabled", "1", SWITCH),
    ("harness", "true", TABLE),
    ("harness.cc", '"x"', TABLE),
    ("harness.cc.models", '["opus"]', TABLE),
    ("harness.cc.models.opus", "1", TEXT),
    ("harness.pelican.command", '"pelican"', LIST),
    ("harness.pelican.command", '["pelican", 1]', TEXT),
    ("harness.pelican.model_flag", "1", TEXT),
    ("harness.pelican.output_lines", '"5"', NUMBER),
    ("harness.pelican.tail_stream", "1", TEXT),
    ("routes", "3", TABLE),
    ("routes.a", '"cc"', LIST),
    ("routes.a", '["cc", 1]', TEXT),
    ("routes.a", "{}", LIST),
]


@pytest.mark.parametrize(("key", "value", "wanted"), WRONG)
def test_a_value_of_a_wrong_type_is_told_in_plain_words(key: str, value: str, wanted: str) -> None:
    parts = key.split(".")
    [finding] = about(configured(f"{key} = {value}"), *parts)
    assert finding.gravity is (Gravity.LANE if parts[0] == "routes" else Gravity.ERROR)
    assert finding.what.startswith(f"{key}: expected {wanted}")
    assert not {"`", "$", "null", "object", "array"} & {*finding.what, *finding.what.split()}


@pytest.mark.parametrize(("key", "value", "wanted"), WRONG)
def test_a_value_of_a_wrong_type_is_left_out(key: str, value: str, wanted: str) -> None:
    del wanted
    settings = configured(f"{key} = {value}").settings
    assert (settings.defaults, settings.reliability) == (
        Settings().defaults,
        Settings().reliability,
    )
    assert settings.data_dir == ""


UNKNOWN = [
    ("defualts = 1", ("defualts",), "Did you mean defaults?"),
    ("mix = 'cc'", ("mix",), "Did you mean defaults.mix?"),
    ("claude_modle = 'x'", ("claude_modle",), "Did you mean defaults.claude_model?"),
    ("[defaults]\nmx = 1", ("defaults", "mx"), "Did you mean defaults.mix?"),
    ("[reliability]\nretry_buget = 1", ("reliability", "retry_buget"), "reliability.retry_budget"),
    ("[harness.cc]\nmodles = {}", ("harness", "cc", "modles"), "harness.cc.models"),
    ('[harness."a b"]\ncomand = []', ("harness", "a b", "comand"), 'harness."a b".command'),
    ("[route]\na = ['cc']", ("route",), "Did you mean routes?"),
    ("[wat]\nx = 1", ("wat",), "It is ignored."),
    ('"" = 1', ("",), "It is ignored."),
]


@pytest.mark.parametrize(("text", "key", "todo"), UNKNOWN)
def test_an_unknown_key_is_noted_with_the_nearest(
    text: str, key: tuple[str, ...], todo: str
) -> None:
    [finding] = about(configured(text), *key)
    assert finding.gravity is Gravity.NOTE
    assert todo in finding.todo


def test_an_unknown_key_of_a_provider_is_an_error() -> None:
    text = '[providers.p]\nmodels = ["cc:a.b"]\ndisable = true\n'
    [finding] = about(configured(text), "providers", "p", "disable")
    assert finding.gravity is Gravity.ERROR
    assert finding.todo == "Did you mean providers.p.disabled?"


@pytest.mark.parametrize(
    "key",
    [
        ("routes", "any thing"),
        ("reasoning", ""),
        ("providers", "p", "models"),
        ("harness", "x", "models", "y"),
        ("harness", "x", "model_flag"),
    ],
)
def test_keys_below_named_tables_are_settings_whatever_the_name(key: tuple[str, ...]) -> None:
    assert key_kind(key) is not None


@pytest.mark.parametrize(
    "key",
    [
        ("nope",),
        ("defaults", "nope"),
        ("routes", "a", "b"),
        ("data_dir", "x"),
        ("providers", "p", "nope"),
        ("harness", "x", "command", "0"),
    ],
)
def test_there_is_no_setting_where_the_schema_has_none(key: tuple[str, ...]) -> None:
    assert key_kind(key) is None


@pytest.mark.parametrize(
    ("key", "near"),
    [
        (("reliability", "retry_budgt"), "reliability.retry_budget"),
        (("retry_budgt",), "reliability.retry_budget"),
        (("harness", "pelican", "modelflag"), "harness.pelican.model_flag"),
        (("zzzz",), ""),
        (("routes", "a", "b"), ""),
        (("zzzz", "zzzz"), ""),
    ],
)
def test_the_nearest_key_is_looked_for_beside_it_and_then_everywhere(
    key: tuple[str, ...], near: str
) -> None:
    assert nearest_key(key) == near
