import pytest

from mittelo.errors import UsageError
from mittelo.harness.base import Job
from mittelo.harness.declared import Declaration
from mittelo.harness.registry import BUILT_IN, all_harnesses, find_harness

KNOWN = all_harnesses({"pelican": Declaration(["pelican"])})


@pytest.mark.parametrize(
    ("word", "name"),
    [
        *(("cc", "claude"), ("cx", "codex"), ("ge", "gemini"), ("op", "opencode")),
        *(("ag", "antigravity"), ("agy", "antigravity"), ("pelican", "pelican")),
        *(("cp", "copilot"), ("ki", "kimi"), ("qw", "qwen"), ("gl", "glm")),
        *((harness.name, harness.name) for harness in BUILT_IN),
    ],
)
def test_a_harness_is_found_by_its_name_and_its_aliases(word: str, name: str) -> None:
    assert find_harness(word, KNOWN).name == name


def test_no_two_harnesses_share_a_name() -> None:
    words = [word for harness in BUILT_IN for word in (harness.name, *harness.aliases)]
    assert len(words) == len(set(words))
    assert set(words) | {"pelican"} == set(KNOWN)


def test_an_unknown_alias_is_named_with_the_nearest_that_are_known() -> None:
    with pytest.raises(UsageError, match=r"unknown agent alias 'gm'") as caught:
        find_harness("gm", KNOWN)
    told = str(caught.value)
    assert "Did you mean" in told
    assert " ge" in told.partition("Known are")[0]


@pytest.mark.parametrize("word", ["zzzzzz", "", " ", "cc ", "claude:opus"])
def test_every_known_name_is_told_to_who_is_lost(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_harness(word, KNOWN)
    told = str(caught.value)
    assert all(name in told for name in KNOWN)


@pytest.mark.parametrize("word", ["CC", "Claude", "GEMINI", "Pelican"])
def test_letter_case_matters(word: str) -> None:
    with pytest.raises(UsageError, match="unknown agent alias"):
        find_harness(word, KNOWN)


@pytest.mark.parametrize("word", ["claude", "cc", "agy", "echo"])
def test_a_declared_harness_cannot_hide_a_built_in_one(word: str) -> None:
    known = all_harnesses({word: Declaration(["false"])})
    assert known[word] in BUILT_IN
    assert known[word].command(Job(prompt="x")).argv[0] != "false"
