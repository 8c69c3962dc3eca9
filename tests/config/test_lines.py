import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import tomlkit
from hypothesis import assume, given
from hypothesis import strategies as st

from mittelo.config.findings import dotted
from mittelo.config.layers import parse_key
from mittelo.config.lines import find_line

TEXT = """\
# a comment with mix = "no"
data_dir = "d" # and mix

[defaults]
mix = '''
iterations = 1
'''
iterations = 2

[routes]
default = [
  "cc:opux-1",
  "cx", # not cc
  "cc",
]
harness.x = ["harness"]

[harness.cc.models]
opus = "o"
[harness."a b"]
command = ["c"]
"""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("data_dir",), 2),
        (("defaults",), 4),
        (("defaults", "mix"), 5),
        (("defaults", "iterations"), 8),
        (("routes", "default"), 11),
        (("routes", "harness"), 16),
        (("routes", "harness", "x"), 16),
        (("harness",), 18),
        (("harness", "cc", "models"), 18),
        (("harness", "cc", "models", "opus"), 19),
        (("harness", "a b"), 20),
        (("harness", "a b", "command"), 21),
        (("harness", "a b", "command", "c"), 0),
        (("mix",), 0),
        (("defaults", "nope"), 0),
        ((), 0),
    ],
    ids=str,
)
def test_a_key_is_found_on_the_line_that_sets_it(key: tuple[str, ...], line: int) -> None:
    assert find_line(TEXT, key) == line


@pytest.mark.parametrize(("word", "line"), [("cc:opux-1", 12), ("cx", 13), ("gone", 11)])
def test_an_entry_of_a_list_is_found_on_its_own_line(word: str, line: int) -> None:
    assert find_line(TEXT, ("routes", "default"), word) == line


def test_an_entry_is_not_mistaken_for_a_part_of_another_or_of_a_comment() -> None:
    assert find_line(TEXT, ("routes", "default"), "cc") == 14


@pytest.mark.parametrize("letter", ["\u2028", "\u2029", "\x85"], ids=ascii)
def test_only_line_feeds_end_a_line(letter: str) -> None:
    text = f'# {letter}\na = "x{letter}y"\nb = 1\n'
    assert [find_line(text, (key,)) for key in "ab"] == [2, 3]


@pytest.mark.parametrize(
    "text",
    [
        *("", "\n", "a = ", "[a", "a = 1\nb = [", "\x00", "a = [" * 3000),
        *(
            "a = " + "[" * 3000,
            "a = " + "{a=" * 3000,
            "a = " + "9" * 5000,
            "a" + ".a" * 3000 + "=1",
        ),
    ],
    ids=lambda text: f"{text[:9]!r} of {len(text)}",
)
def test_a_text_that_does_not_hold_a_key_has_no_line_for_it(text: str) -> None:
    assert find_line(text, ("b",)) == 0


@given(st.text() | st.text("[]{}=.,\"'#ab1 \n\r\t"), st.lists(st.text("ab1")), st.text())
def test_no_text_breaks_the_search(text: str, key: list[str], word: str) -> None:
    assert 0 <= find_line(text, key, word) <= text.count("\n") + text.count("\r") + len(text) + 1


names = st.text("abc-_ .é\"'#=[]", min_size=0, max_size=5)
documents = st.recursive(
    st.just("leaf") | st.lists(st.just("leaf"), max_size=3),
    lambda inner: st.dictionaries(names, inner, max_size=4),
    max_leaves=15,
).filter(lambda value: isinstance(value, dict))


def number(value: Any, count: Iterator[int]) -> Any:
    """Return a document whose every value is one of a kind."""
    if isinstance(value, dict):
        return {name: number(inner, count) for name, inner in value.items()}
    if isinstance(value, list):
        return [number(inner, count) for inner in value]
    return f"value {next(count)}."


def leaves(table: dict[str, Any], at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from leaves(value, (*at, name))
        elif value:
            yield (*at, name), value if isinstance(value, str) else value[0]


def holds_still(text: str, document: dict[str, Any]) -> bool:
    """Tell whether the text is that document; one with odd names may have been broken by us."""
    try:
        return tomllib.loads(text) == document
    except tomllib.TOMLDecodeError:
        return False


@given(documents, st.booleans())
def test_the_line_of_any_setting_is_found(shape: dict[str, Any], wide: bool) -> None:
    document = number(shape, iter(range(1000)))
    text = tomlkit.dumps(document)
    assume(holds_still(text, document))
    if wide:
        text = text.replace("= [", "= [\n# value\n").replace(", ", ",\n\n")
        assume(holds_still(text, document))
    lines = text.split("\n")
    for key, value in leaves(document, ()):
        [holds] = [n for n, line in enumerate(lines, 1) if f'"{value}"' in line]
        found = find_line(text, key)
        if wide and found != holds:
            assert lines[found - 1].endswith("= [")
        else:
            assert found == holds
        assert find_line(text, key, value) == holds


@given(st.lists(st.text(max_size=6), min_size=1, max_size=4))
def test_a_key_as_it_is_shown_can_be_given_back(parts: list[str]) -> None:
    key = tuple(parts)
    assert parse_key(dotted(key)) == key
