"""A CLI that the user declares: any program that takes a prompt and prints an answer."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mittelo.core.signs import Reading, Said
from mittelo.harness.base import ARGV_BYTES, Job, Stream
from mittelo.harness.declared import Declaration, Declared


def declared(*command: str, **fields: object) -> Declared:
    return Declared("pelican", Declaration([*command] or ["pelican"], **fields))  # type: ignore[arg-type]


def answer(out: bytes = b"", err: bytes = b"", **fields: object) -> str:
    return declared(**fields).answer(Reading(), out, err)


def test_the_prompt_replaces_its_word_in_every_element() -> None:
    command = declared("run", "--ask=$PROMPT", "-v", "<$PROMPT|$PROMPT>").command(Job(prompt="hi"))
    assert command.argv == ["run", "--ask=hi", "-v", "<hi|hi>"]
    assert command.stdin == ""


def test_what_looks_like_the_word_inside_the_prompt_stays() -> None:
    command = declared("run", "$PROMPT").command(Job(prompt="print $PROMPT, $HOME"))
    assert command.argv == ["run", "print $PROMPT, $HOME"]


def test_a_command_without_the_word_gets_its_prompt_by_stdin() -> None:
    harness = declared("run", "$PROMP", "${PROMPT}")
    command = harness.command(Job(prompt="hi"))
    assert (command.argv, command.stdin) == (["run", "$PROMP", "${PROMPT}"], "hi")
    assert harness.prompt_limit > ARGV_BYTES


@pytest.mark.parametrize(("flag", "words"), [("--m", ["--m", "big"]), ("", ["big"]), (None, [])])
def test_the_model_goes_last_with_its_flag_or_bare_or_not_at_all(
    flag: str | None, words: list[str]
) -> None:
    harness = declared("run", "$PROMPT", model_flag=flag)
    job = Job(prompt="hi", model="big")
    assert harness.command(job).argv == ["run", "hi", *words]
    assert bool(harness.notes(job)) == (flag is None)


@pytest.mark.parametrize("flag", ["--m", "", None])
def test_without_a_model_there_is_no_flag_and_no_note(flag: str | None) -> None:
    harness = declared("run", model_flag=flag)
    assert harness.command(Job(prompt="hi")).argv == ["run"]
    assert harness.notes(Job(prompt="hi")) == []


def test_a_model_that_cannot_be_passed_is_named_with_its_table() -> None:
    (note,) = declared("run").notes(Job(prompt="hi", model="big"))
    assert "[harness.pelican]" in note
    assert "'big'" in note


@pytest.mark.parametrize(("lines", "kept"), [(1, 1), (3, 3), (40, 40), (0, 40), (-2, 40)])
def test_the_answer_is_the_last_lines(lines: int, kept: int) -> None:
    out = b"".join(b"line %d  \n" % number for number in range(100))
    assert answer(out, output_lines=lines).split("\n") == [
        f"line {number}" for number in range(100 - kept, 100)
    ]


@pytest.mark.parametrize(
    ("stream", "text"), [("stdout", "o1\no2"), ("stderr", "e1\ne2"), ("combined", "o1\no2\ne1\ne2")]
)
@pytest.mark.parametrize("ending", [b"\n", b""])
def test_the_answer_comes_from_the_chosen_stream(stream: str, text: str, ending: bytes) -> None:
    assert answer(b"o1\no2" + ending, b"e1\ne2" + ending, tail_stream=stream) == text


@pytest.mark.parametrize(
    ("stream", "heard"),
    [("stdout", [Stream.OUT]), ("stderr", [Stream.ERR]), ("combined", [*Stream])],
)
def test_only_the_chosen_stream_is_listened_to(stream: str, heard: list[Stream]) -> None:
    harness = declared(tail_stream=stream)
    said = {stream: [*harness.read(b"hello", stream)] for stream in Stream}
    assert said == {s: [Said("hello\n", "answer")] if s in heard else [] for s in Stream}


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"\x1b[31mred\x1b[0m and \x1b[1;38;5;9mbold\x1b[m", "red and bold"),
        (b"\x1b]0;a title\x07text", "text"),
        (b"\x1b]8;;https://example.invalid\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1b(Bplain\x1b7\x1b8\x1bM\x1b(B\x1b[m", "plain"),
        (b"\x1b[?25lhidden\x1b[2K\x1b[1A\x1b[?25h", "hidden"),
        (b"\xc2\x9b31mred\xc2\x9b0m", "red"),
        (b"bell\x07 back\x08 nul\x00 del\x7f", "bell back nul del"),
        ("tab\tümlaut 🦀".encode(), "tab\tümlaut 🦀"),
        (b"windows\r", "windows"),
    ],
)
def test_what_a_terminal_would_obey_is_left_out(raw: bytes, shown: str) -> None:
    assert answer(raw + b"\n") == shown
    assert [*declared().read(raw, Stream.OUT)] == [Said(f"{shown}\n", "answer")]


@pytest.mark.parametrize("raw", [b"", b"   ", b"\x1b[2K\r", b"\x1b[?25l\x1b[0m", b"\x00\x07"])
def test_what_shows_nothing_says_nothing(raw: bytes) -> None:
    assert [*declared().read(raw, Stream.OUT)] == []
    assert answer(raw + b"\n") == ""


@given(out=st.binary(), err=st.binary())
def test_binary_noise_becomes_text_that_can_be_printed(out: bytes, err: bytes) -> None:
    shown = answer(out, err)
    assert shown.encode().decode() == shown
    assert not {unicodedata.category(sign) for sign in shown if sign not in "\n\t"} & {"Cc", "Cs"}


def test_it_needs_no_end_event_and_knows_no_session() -> None:
    harness = declared()
    assert not harness.needs_end
    assert not harness.resumes
    assert harness.session_logs("s", "/w", {"HOME": "/h"}) == []
