import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.config.configs import about, configured

from mittelo.config.findings import Gravity

CODEX = ("gpt-5.3", "gpt-5.5", "gpt-5.4", "gpt-5.3-codex-spark")
G53, G55, G54, SPARK = [("codex", model) for model in CODEX]
DS = ("opencode", "opencode-go/deepseek-v4")
ZAI = ("opencode", "zai-coding-plan/glm-5.2")
MODELS = """
[defaults]
codex_model = "gpt-5.3"
[harness.cx.models]
g55 = "gpt-5.5"
g54 = "gpt-5.4"
spark = "gpt-5.3-codex-spark"
[harness.op.models]
ds = "opencode-go/deepseek-v4"
zai = "zai-coding-plan/glm-5.2"
[harness.cc.models]
both = "claude-x"
[harness.pelican]
command = ["pelican"]
models = { both = "pelican-x", cx = "looks like a harness" }
[providers]
"""
MEMBERS = [
    ('["g55","g54","opencode:openai/gpt-5.5"]', {G55, G54, ("opencode", "openai/gpt-5.5")}),
    ('["codex:*"]', {G53, G55, G54, SPARK}),
    ('["cx:*"]', {G53, G55, G54, SPARK}),
    ('["codex:*spark"]', {SPARK}),
    ('["*spark"]', {SPARK}),
    ('{models=["codex:*"],exclude=["codex:*spark"]}', {G53, G55, G54}),
    ('{models=["codex:*"],exclude=["cx:spark"]}', {G53, G55, G54}),
    ('{models=["codex:*"],exclude=["spark"]}', {G53, G55, G54}),
    ('{models=["codex:*"],exclude=["cx"]}', {G55, G54, SPARK}),
    ('{models=["codex:*"],exclude=["codex:*missing"]}', {G53, G55, G54, SPARK}),
    ('{models=["codex:*"],exclude=["missing"]}', {G53, G55, G54, SPARK}),
    ('{models=["codex:*"],exclude=["cx:missing"]}', {G53, G55, G54, SPARK}),
    ('{models=["codex:*"],exclude=["cc"]}', {G53, G55, G54, SPARK}),
    ('["opencode-go/*"]', {DS}),
    ('["op:opencode-go/*"]', {DS}),
    ('["op:*"]', {DS, ZAI}),
    ('["cx"]', {G53}),
    ('["g55", "cx:g55", "codex:gpt-5.5"]', {G55}),
    ('["cc:both"]', {("claude", "claude-x")}),
    ('["pelican:*"]', {("pelican", "pelican-x"), ("pelican", "looks like a harness")}),
    ('["ge:gemini-3.1-pro"]', {("gemini", "gemini-3.1-pro")}),
]
WRONG = [
    ('{models=["cx:g55","cx:g54"],exclude=["codex:*"]}', "nothing remains"),
    ('["opencode-go*"]', "unsupported wildcard"),
    ('["codex:g*5"]', "unsupported wildcard"),
    ('["codex:**"]', "unsupported wildcard"),
    ('["*"]', "unsupported wildcard"),
    ('["/*"]', "unsupported wildcard"),
    ('["*:g55"]', "unsupported wildcard"),
    ('["codex:*nope"]', "matched no configured models"),
    ('["cc-x/*"]', "matched no configured models"),
    ('["nope"]', "unknown model alias"),
    ('["gm:x"]', "unknown agent alias"),
    ('["gm:*"]', "unknown agent alias"),
    ('["cx:nope"]', "unknown model 'nope'"),
    ('["cc"]', "no concrete model"),
    ('["both"]', "ambiguous"),
    ('["g55:2"]', "count"),
    ('["a:b:c"]', "'a:b:c'"),
    ('[""]', "empty"),
    ("[]", "no models"),
    ("{models=[]}", "no models"),
    ("{exclude=['g55']}", "no models"),
    ("{disabled=true}", "no models"),
    ('{models=["g55"],exclude=[""]}', "empty"),
    ('{models=["g55"],exclude=["x*y"]}', "unsupported wildcard"),
    ('{models=["g55"],exclude=["gm:x"]}', "unknown agent alias"),
    ('{models=["g55"],exclude=["both"]}', "ambiguous"),
]


@pytest.mark.parametrize(("value", "members"), MEMBERS)
def test_a_provider_has_the_runners_that_its_words_mean(
    value: str, members: set[tuple[str, str]]
) -> None:
    configuration = configured(f"{MODELS}p = {value}\n")
    assert configuration.findings == []
    [provider] = configuration.providers
    assert set(provider.members) == members
    assert len(provider.members) == len(members)


@pytest.mark.parametrize(("value", "word"), WRONG)
def test_a_provider_that_means_nothing_is_an_error(value: str, word: str) -> None:
    configuration = configured(f"{MODELS}p = {value}\n")
    assert configuration.providers == []
    [finding] = configuration.findings
    assert finding.gravity is Gravity.ERROR
    assert finding.key[:2] == ("providers", "p")
    assert word in finding.what


def test_a_runner_has_one_provider_and_the_error_names_all_three() -> None:
    configuration = configured(f'{MODELS}b = ["cx:g55"]\na = ["g55"]\n')
    assert [provider.name for provider in configuration.providers] == ["a"]
    [finding] = about(configuration, "providers", "b")
    for word in ("codex:gpt-5.5", "'a'", "b"):
        assert word in finding.what


def test_what_is_excluded_is_free_for_another_provider() -> None:
    configuration = configured(f'{MODELS}a = {{models=["codex:*"],exclude=["g55"]}}\nb = ["g55"]\n')
    assert configuration.findings == []
    assert [provider.members[-1] for provider in configuration.providers] == [SPARK, G55]


def test_providers_that_differ_by_case_are_an_error_and_so_is_one_without_a_name() -> None:
    configuration = configured(f"{MODELS}P = ['g55']\np = ['g54']\n'' = ['spark']\n")
    assert [provider.name for provider in configuration.providers] == ["P"]
    assert {finding.key for finding in configuration.findings} == {
        ("providers", "p"),
        ("providers", ""),
    }


def test_a_disabled_provider_is_known_as_such() -> None:
    configuration = configured(f"{MODELS}p = {{ models = ['g55'], disabled = true }}\n")
    assert [provider.disabled for provider in configuration.providers] == [True]


SCOPES = [
    ("antigravity", "Gemini 3.5 Flash (High)", "antigravity:flash"),
    ("antigravity", "Gemini 3.5 Pro", "antigravity:pro"),
    ("antigravity", "CLAUDE 4 SONNET", "antigravity:claude"),
    ("antigravity", "Some Unknown Model", "antigravity:some unknown model"),
    ("opencode", "zai-coding-plan/glm-5.1", "opencode:zai-coding-plan"),
    ("opencode", "opencode-go/kimi-k2.6", "opencode:opencode-go"),
    ("opencode", "a/b/c", "opencode:a"),
    ("opencode", "plain", "opencode:plain"),
    ("claude", "org/model", "claude"),
    ("claude", "", "claude"),
    ("gemini", "any", "gemini"),
    ("pelican", "x", "pelican"),
    ("gone", "x", "gone"),
    ("codex", "gpt-5.5", "provider:fast"),
    ("codex", "gpt-5.4", "codex"),
    ("opencode", "opencode-go/deepseek-v4", "provider:off"),
]


@pytest.mark.parametrize(("harness", "model", "scope"), SCOPES)
def test_a_usage_limit_covers_a_quota_scope(harness: str, model: str, scope: str) -> None:
    configuration = configured(
        f"{MODELS}fast = ['g55']\noff = {{ models = ['ds'], disabled = true }}\n"
    )
    assert configuration.quota_scope((harness, model)) == scope


words = st.text("cxg5*:/ \"2-'", max_size=6) | st.sampled_from(["g55", "cx:*", "op:*", "*x"])
lists = st.lists(words, max_size=3)


@given(lists, lists)
def test_a_provider_is_either_wrong_or_has_members(models: list[str], exclude: list[str]) -> None:
    configuration = configured(f"{MODELS}p = {{ models = {models!a}, exclude = {exclude!a} }}\n")
    if configuration.providers:
        assert configuration.providers[0].members
        assert configuration.findings == []
    else:
        assert configuration.of(Gravity.ERROR)
