import re

import pytest
from tests.config.configs import MODELS, configured

from mittelo.config.models import Catalogue
from mittelo.core.mixes import parse_entry
from mittelo.errors import UsageError

FLASH = "Gemini 3.5 Flash (High)"
TABLE_B = configured(MODELS).catalogue


def resolve(entry: str, catalogue: Catalogue = TABLE_B) -> tuple[str, str]:
    harness, model = catalogue.resolve(parse_entry(entry))
    return harness.name, model


RESOLVED = [
    (36, "cc", "claude", "sonnet-4"),
    (37, "claude", "claude", "sonnet-4"),
    (38, "cx", "codex", ""),
    (39, "cc:2", "claude", "sonnet-4"),
    *((40, word, "antigravity", FLASH) for word in ("ag", "agy", "antigravity")),
    (41, "ag:flash", "antigravity", FLASH),
    (42, "cc:opus", "claude", "claude-opus-4-7"),
    (43, "op:z", "opencode", "zai-coding-plan/glm-5.1"),
    (44, "opencode:zai-coding-plan/glm-5.1", "opencode", "zai-coding-plan/glm-5.1"),
    (45, "cx:gpt-5.4-mini", "codex", "gpt-5.4-mini"),
    (46, "ge:gemini-3.1-pro-preview", "gemini", "gemini-3.1-pro-preview"),
    (47, "cc:claude-haiku-4-5", "claude", "claude-haiku-4-5"),
    (48, "droid", "droid", ""),
    (49, "droid:v1", "droid", "droid-v1"),
    (56, "claude:opus", "claude", "claude-opus-4-7"),
    (56, "agy:flash", "antigravity", FLASH),
    (56, "antigravity:flash", "antigravity", FLASH),
    (56, "opencode:gk", "opencode", "opencode-go/kimi-k2.6"),
]


@pytest.mark.parametrize(("row", "entry", "harness", "model"), RESOLVED)
def test_an_entry_names_a_harness_and_a_model(
    row: int, entry: str, harness: str, model: str
) -> None:
    del row
    assert resolve(entry) == (harness, model)


REFUSED = [
    (50, "bare:fast", "unknown model 'fast' of bare", "No models are defined"),
    (51, "op:gp", "unknown model 'gp' of opencode", "Did you mean gk"),
    (52, "cc:opux", "unknown model 'opux' of claude", "Did you mean opus?"),
    (53, "gm", "unknown agent alias 'gm'", "ge"),
    (54, "unknown:foo", "unknown agent alias 'unknown'", "Known are: "),
    (57, "CC", "unknown agent alias 'CC'", "Known are: "),
    (57, "Claude", "unknown agent alias 'Claude'", "Did you mean claude"),
    (0, "cc:zzz", "unknown model 'zzz' of claude", "Its aliases are: opus, sonnet."),
    (0, "copex", "unknown agent alias 'copex'", "Did you mean codex"),
    (0, "dorid:v1", "unknown agent alias 'dorid'", "Did you mean droid"),
    (0, "cc:Opus", "unknown model 'Opus' of claude", "Did you mean opus?"),
]


@pytest.mark.parametrize(("row", "entry", "what", "todo"), REFUSED)
def test_an_unknown_word_is_refused_with_what_was_probably_meant(
    row: int, entry: str, what: str, todo: str
) -> None:
    del row
    with pytest.raises(UsageError, match=re.escape(what)) as caught:
        resolve(entry)
    assert todo in caught.value.todo


def test_at_most_three_aliases_are_suggested() -> None:
    models = "".join(f"opu{letter} = 'x'\n" for letter in "abcdef")
    catalogue = configured(f"[harness.cx.models]\n{models}").catalogue
    with pytest.raises(UsageError) as caught:
        resolve("cx:opuz", catalogue)
    assert len(re.findall(r"\bopu[a-f]\b", caught.value.todo)) == 3


def test_what_a_refusal_proposes_for_a_raw_name_is_accepted() -> None:
    with pytest.raises(UsageError) as caught:
        resolve("bare:fast")
    assert 'bare:"fast"' in caught.value.todo
    assert resolve('bare:"fast"') == ("bare", "fast")


@pytest.mark.parametrize("word", ["haiku", "opusplan", "default"])
def test_a_word_of_the_cli_itself_needs_no_alias(word: str) -> None:
    assert resolve(f"cc:{word}") == ("claude", word)


def test_an_alias_counts_before_a_word_of_the_cli() -> None:
    assert resolve("cc:sonnet") == ("claude", "claude-sonnet-4-6")
    assert resolve("cc:opus", configured().catalogue) == ("claude", "opus")


@pytest.mark.parametrize("model", ["opux", "opus", "fast", "a:b", "2", "1-2", "with blanks"])
def test_a_model_in_quotes_is_its_own_name(model: str) -> None:
    assert resolve(f'cc:"{model}"') == ("claude", model)


@pytest.mark.parametrize(
    "slug", ["gemini-3-flash-preview", "gpt-5", "claude-opus-4-7", "o4-mini", "opus-4"]
)
def test_a_slug_with_a_dash_and_a_digit_is_a_models_own_name(slug: str) -> None:
    assert resolve(f"cc:{slug}") == ("claude", slug)


def test_a_slug_that_is_very_near_to_an_alias_is_taken_for_a_slip() -> None:
    catalogue = configured("[harness.cc.models]\nopus-4-hihg = 'x'\n").catalogue
    with pytest.raises(UsageError, match="unknown model 'opus-4-high'") as caught:
        resolve("cc:opus-4-high", catalogue)
    assert "opus-4-hihg" in caught.value.todo


BOTH = """
[harness.claude.models]
a = "by name"
only = "name"
[harness.cc.models]
a = "by alias"
own = "alias"
"""


@pytest.mark.parametrize(
    ("entry", "model"),
    [
        ("claude:a", "by name"),
        ("cc:a", "by alias"),
        ("cc:only", "name"),
        ("claude:own", "alias"),
    ],
)
def test_tables_of_all_spellings_count_and_the_spelling_in_use_wins(entry: str, model: str) -> None:
    assert resolve(entry, configured(BOTH).catalogue) == ("claude", model)


def test_all_models_of_a_harness_are_listed_once() -> None:
    text = "[defaults]\nclaude_model = 'by name'\n" + BOTH
    catalogue = configured(text).catalogue
    claude, _ = catalogue.resolve(parse_entry("cc"))
    assert catalogue.models(claude) == ["by name", "name", "by alias", "alias"]


def test_every_harness_is_listed_once() -> None:
    names = [harness.name for harness in TABLE_B.canonical()]
    assert len(names) == len(set(names))
    assert {"antigravity", "claude", "codex", "gemini", "opencode", "droid", "bare"} < set(names)
