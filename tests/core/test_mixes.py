import pytest
from hypothesis import given
from hypothesis import strategies as st

from mittelo.core.mixes import Quota, Spec, parse_entry, split_mix
from mittelo.errors import UsageError

SPECS = [
    ("cc", Spec("cc")),
    ("cc:3", Spec("cc", quota=Quota(3, 3))),
    ("cc:2-2", Spec("cc", quota=Quota(2, 2))),
    ("cc:2-4", Spec("cc", quota=Quota(2, 4))),
    ("cc:01", Spec("cc", quota=Quota(1, 1))),
    ("model-pro:2-5", Spec("model-pro", quota=Quota(2, 5))),
    ("claude:opus-4.7", Spec("claude", "opus-4.7")),
    ("claude:opus-4.7:1", Spec("claude", "opus-4.7", Quota(1, 1))),
    ("op:z:4", Spec("op", "z", Quota(4, 4))),
    ("opencode:opencode-go/kimi-k2.6:1-5", Spec("opencode", "opencode-go/kimi-k2.6", Quota(1, 5))),
    ("codex:gpt-4", Spec("codex", "gpt-4")),
    ("SENIOR", Spec("SENIOR")),
    ("4", Spec("4")),
    ("4:2", Spec("4", quota=Quota(2, 2))),
    ('op:"ollama/x:7b":2', Spec("op", "ollama/x:7b", Quota(2, 2))),
    ('ag:"Gemini 3.5 Flash (High)"', Spec("ag", "Gemini 3.5 Flash (High)")),
    ('cc:"2"', Spec("cc", "2")),
    ('cc:"1-2":3', Spec("cc", "1-2", Quota(3, 3))),
    (r'cc:"a\"b\\c"', Spec("cc", r"a\"b\c".replace(r"\"", '"'))),
]


@pytest.mark.parametrize(("text", "spec"), SPECS)
def test_an_entry_is_taken_apart(text: str, spec: Spec) -> None:
    assert parse_entry(text) == spec


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "cc:", ":2", "cc:0", "cc:0-5", "cc:5-3", "cc:-1", "cc:1-", "cc:2:3", "a:b:c"),
        *("a:b:c:3", "bad:too:many:segments", "op:ollama/x:7b"),
        *('cc:"a', 'cc:a"b', 'cc:""', 'cc:"a"b'),
    ],
)
def test_an_entry_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_entry(text)


@given(st.text())
def test_no_entry_raises_anything_but_our_error(text: str) -> None:
    try:
        parse_entry(text)
    except UsageError:
        return


words = st.text(min_size=1)
quotas = st.none() | st.tuples(st.integers(1, 9), st.integers(0, 9)).map(
    lambda two: Quota(two[0], two[0] + two[1])
)


@given(st.builds(Spec, words, words | st.just(""), quotas))
def test_what_is_printed_is_parsed_to_the_same(spec: Spec) -> None:
    assert parse_entry(str(spec)) == spec
    assert split_mix([f"{spec} {spec},{spec}"], "x") == [str(spec)] * 3


def test_a_mix_is_split_on_commas_then_on_blanks() -> None:
    assert split_mix(["a:x, b:1", "c"], "--agent") == ["a:x", "b:1", "c"]
    assert split_mix(['ag:"a, b c":2 d'], "--agent") == ['ag:"a, b c":2', "d"]
    for value in ("a,,b", "", " "):
        with pytest.raises(UsageError, match="empty entry"):
            split_mix([value], "--agent")
