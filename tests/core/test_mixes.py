import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mittelo.core.mixes import Quota, Spec, parse_entry, split_mix
from mittelo.errors import UsageError

KIMI = "opencode-go/kimi-k2.6"

# The rows of the grammar's table, by their numbers.
MEANT = {
    1: ("cc", Spec("cc")),
    2: ("cc:3", Spec("cc", quota=Quota(3, 3))),
    3: ("cc:2-2", Spec("cc", quota=Quota(2, 2))),
    4: ("model-pro:2-5", Spec("model-pro", quota=Quota(2, 5))),
    5: ("claude:opus-4.7", Spec("claude", "opus-4.7")),
    6: ("claude:opus-4.7:1", Spec("claude", "opus-4.7", Quota(1, 1))),
    7: ("claude:opus-4.7:2-4", Spec("claude", "opus-4.7", Quota(2, 4))),
    8: ("op:z:4", Spec("op", "z", Quota(4, 4))),
    9: ("op:gk:2-6", Spec("op", "gk", Quota(2, 6))),
    10: (f"opencode:{KIMI}", Spec("opencode", KIMI)),
    11: (f"opencode:{KIMI}:3", Spec("opencode", KIMI, Quota(3, 3))),
    12: (f"opencode:{KIMI}:1-5", Spec("opencode", KIMI, Quota(1, 5))),
    13: ("codex:gpt-4", Spec("codex", "gpt-4")),
    14: ("claude:claude-4.5-sonnet", Spec("claude", "claude-4.5-sonnet")),
    15: ("mycode:kimi", Spec("mycode", "kimi")),
    16: ("SENIOR", Spec("SENIOR")),
    17: ("DEFAULT:1", Spec("DEFAULT", quota=Quota(1, 1))),
    18: ("4", Spec("4")),
    19: ("42", Spec("42")),
    20: ("4:2", Spec("4", quota=Quota(2, 2))),
    21: ("cc:01", Spec("cc", quota=Quota(1, 1))),
}
REFUSED = {
    22: ("cc:2:3", "'2' in 'cc:2:3' is neither a count nor a model"),
    23: ("cc:-1", "'-1' in 'cc:-1' is neither a count nor a model"),
    24: ("cc:1-", "'1-' in 'cc:1-' is neither a count nor a model"),
    25: ("cc:", "'cc:' is not an agent entry: a part of it is empty"),
    26: ("", "'' is not an agent entry: a part of it is empty"),
    27: ("cc:0", "count of 'cc:0' is not positive"),
    28: ("cc:0-5", "count of 'cc:0-5' is not positive"),
    29: ("cc:5-3", "count of 'cc:5-3' is not positive or runs backwards"),
    30: ("claude:opus:4.7", "'claude:opus:4.7' names 3 things"),
    31: ("a:b:c:3", "'a:b:c:3' names 3 things"),
    32: ("bad:too:many:segments", "'bad:too:many:segments' names 4 things"),
    33: ("op:ollama/x:7b", "'op:ollama/x:7b' names 3 things"),
}
QUOTED = [
    ('op:"ollama/x:7b":2', Spec("op", "ollama/x:7b", Quota(2, 2), exact=True)),
    ('op:"a:b":2', Spec("op", "a:b", Quota(2, 2), exact=True)),
    ('op:"a:b":2-4', Spec("op", "a:b", Quota(2, 4), exact=True)),
    ('ag:"Gemini 3.5 Flash (High)"', Spec("ag", "Gemini 3.5 Flash (High)", exact=True)),
    ('cc:"opus"', Spec("cc", "opus", exact=True)),
    ('cc:"2"', Spec("cc", "2", exact=True)),
    ('cc:"2":3', Spec("cc", "2", Quota(3, 3), exact=True)),
    ('cc:"-1"', Spec("cc", "-1", exact=True)),
    ('cc:"1-2":3', Spec("cc", "1-2", Quota(3, 3), exact=True)),
    (r'cc:"a\"b\\c"', Spec("cc", 'a"b\\c', exact=True)),
    (r'cc:"a\\":2', Spec("cc", "a\\", Quota(2, 2), exact=True)),
    ('"my agent":2', Spec("my agent", quota=Quota(2, 2))),
]


def rows(table: dict[int, tuple[str, object]]) -> list[object]:
    return [pytest.param(*row, id=f"row {number}") for number, row in table.items()]


@pytest.mark.parametrize(("text", "spec"), rows({**MEANT}))
def test_an_entry_is_taken_apart(text: str, spec: Spec) -> None:
    assert parse_entry(text) == spec


@pytest.mark.parametrize(("text", "what"), rows({**REFUSED}))
def test_an_entry_that_means_nothing_is_refused_by_its_name(text: str, what: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_entry(text)
    assert what in refusal.value.what
    assert refusal.value.todo


def test_one_bad_entry_spoils_a_list_and_is_named() -> None:  # row 34
    words = split_mix(["cc:1", "bad:too:many:segments"], "--agent")
    with pytest.raises(UsageError, match="'bad:too:many:segments' names 4 things"):
        [parse_entry(word) for word in words]


def test_no_values_are_no_entries() -> None:  # row 35
    assert split_mix([], "--agent") == []


@pytest.mark.parametrize(("text", "spec"), QUOTED)
def test_a_quoted_model_is_its_own_name_whatever_it_looks_like(text: str, spec: Spec) -> None:
    assert parse_entry(text) == spec


def test_a_model_that_would_need_quotes_is_refused_with_an_example_of_them() -> None:
    for text in ("op:ollama/x:7b", "cc:-1", "cc:2:3", 'cc:"a'):
        with pytest.raises(UsageError) as refusal:
            parse_entry(text)
        assert 'op:"a:b":2' in refusal.value.todo


@pytest.mark.parametrize("text", ['cc:"a', 'cc:a"b', 'cc:""', 'cc:"a"b', '"cc', r"cc:a\b", '"":2'])
def test_quotes_that_do_not_fit_together_are_refused(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_entry(text)
    assert repr(text) in refusal.value.what


@pytest.mark.parametrize("text", [":", ":2", "::", "cc::2", ":opus", "cc:2:", "cc:-", "cc:1-2-3"])
def test_an_entry_with_a_part_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_entry(text)
    assert repr(text) in refusal.value.what


def test_just_ascii_digits_are_a_count() -> None:
    assert parse_entry("cc:٣") == Spec("cc", "٣")
    assert parse_entry("cc:²:2") == Spec("cc", "²", Quota(2, 2))


@pytest.mark.parametrize("text", ["cc:" + "9" * 5000, "cc:1-" + "9" * 5000])
def test_a_count_of_thousands_of_digits_is_no_crash(text: str) -> None:
    try:
        parse_entry(text)
    except UsageError:
        return


PIECES = st.sampled_from([*':-01259"\\ \t\n,aZ/.', "::", "1-", "-2", '"a', '\\"', '":', "cc", "٣²"])
TEXTS = st.lists(PIECES, max_size=12).map("".join) | st.text()


def parsed(text: str) -> Spec | None:
    """Return the entry; any other exception than ours flies and fails the test."""
    try:
        return parse_entry(text)
    except UsageError:
        return None


def split(values: list[str]) -> list[str]:
    try:
        return split_mix(values, "--agent")
    except UsageError:
        return []


@given(TEXTS)
def test_what_is_parsed_is_printed_and_parsed_to_the_same(text: str) -> None:
    if spec := parsed(text):
        again = parse_entry(str(spec))
        assert replace(again, exact=spec.exact) == spec
        assert again.exact >= spec.exact
        assert split_mix([str(spec)], "--agent") == [str(spec)]


@pytest.mark.parametrize("text", ["cc:a b", "cc:a,b", "cc:a\u3000b"])
def test_printing_does_not_turn_an_unquoted_model_into_a_quoted_one(text: str) -> None:
    spec = parse_entry(text)
    assert parse_entry(str(spec)) == spec


@given(st.lists(TEXTS, max_size=4))
def test_no_mix_raises_anything_but_our_error(values: list[str]) -> None:
    for word in split(values):
        assert word
        parsed(word)


@given(st.lists(TEXTS, max_size=4))
def test_a_mix_that_was_split_is_split_no_further(values: list[str]) -> None:
    words = [word for word in split(values) if parsed(word)]
    assert split_mix([" ".join(words)] if words else [], "--agent") == words


words = st.text(min_size=1)
quotas = st.none() | st.tuples(st.integers(1, 9), st.integers(0, 9)).map(
    lambda two: Quota(two[0], two[0] + two[1])
)


@given(st.builds(Spec, words, words | st.just(""), quotas, st.booleans()))
def test_what_is_printed_is_parsed_to_the_same(spec: Spec) -> None:
    again = parse_entry(str(spec))
    assert again == replace(spec, exact=again.exact)
    assert again.exact >= (spec.exact and spec.model != "")
    assert parse_entry(str(again)) == again
    assert split_mix([f"{spec} {spec},{spec}"], "x") == [str(spec)] * 3


def test_a_mix_is_split_on_commas_then_on_blanks() -> None:
    assert split_mix(["a:x, b:1", "c"], "--agent") == ["a:x", "b:1", "c"]
    assert split_mix(['ag:"a, b c":2 d'], "--agent") == ['ag:"a, b c":2', "d"]


@pytest.mark.parametrize("value", ["a,,b", "", " ", ",", "a,", ",a", "a, ,b"])
def test_an_empty_entry_of_a_mix_is_refused_where_it_was_given(value: str) -> None:
    with pytest.raises(UsageError) as refusal:
        split_mix(["cc", value], "--agent")
    assert refusal.value.what == f"--agent {value!r} contains an empty entry."
