"""The sum of what an agent told: right, and bounded, however much that is."""

import json
import math
from typing import Any

import msgspec
import pytest
from tests.harness.samples import named

from mittelo.core.signs import (
    MAX_ERRORS,
    MAX_FILES,
    MAX_SAID,
    Ended,
    Erred,
    Reading,
    Said,
    Session,
    Sign,
    Spent,
    Tokens,
    Touched,
    Used,
)
from mittelo.harness.base import Stream

ODD_NUMBERS = ["12", "", -5, 1.5, 1e300, 10**30, 10**400, True, False, None, [], {}, math.nan]
BILLS = {
    "claude": '{"type":"result","subtype":"success","total_cost_usd":%s,"usage":'
    '{"input_tokens":%s,"output_tokens":%s,"cache_read_input_tokens":%s}}',
    "codex": '{"type":"turn.completed","cost":%s,"usage":'
    '{"input_tokens":%s,"output_tokens":%s,"cached_input_tokens":%s}}',
    "gemini": '{"type":"result","status":"success","cost":%s,"stats":'
    '{"input_tokens":%s,"output_tokens":%s,"cached":%s}}',
    "opencode": '{"type":"step_finish","part":{"id":"p","cost":%s,"tokens":'
    '{"input":%s,"output":%s,"cache":{"read":%s}}}}',
    "script": '{"type":"usage","id":"u","cost":%s,"input":%s,"output":%s,"cached":%s}',
}


def heard(*signs: Sign) -> Reading:
    reading = Reading()
    for sign in signs:
        reading.hear(sign)
    return reading


def read(name: str, *lines: bytes) -> Reading:
    return heard(*(sign for line in lines for sign in named(name).read(line, Stream.OUT)))


@pytest.mark.parametrize("name", BILLS)
@pytest.mark.parametrize("odd", ODD_NUMBERS, ids=lambda odd: str(odd)[:9])
def test_a_strange_number_on_the_bill_is_no_number(name: str, odd: Any) -> None:
    reading = read(name, (BILLS[name] % ((json.dumps(odd),) * 4)).encode())
    assert reading.tokens == Tokens()
    assert all(type(number) is int for number in msgspec.structs.astuple(reading.tokens))
    assert reading.cost in {None, 1.5}


@pytest.mark.parametrize("name", BILLS)
def test_what_is_on_the_bill_can_be_written_down_and_read_again(name: str) -> None:
    reading = read(name, (BILLS[name] % (0.25, 10**14, 7, 3)).encode())
    assert reading.tokens.output == 7
    assert reading.tokens.input >= 10**14
    assert msgspec.json.decode(msgspec.json.encode(reading.tokens), type=Tokens) == reading.tokens


@pytest.mark.parametrize("name", BILLS)
def test_a_line_that_ends_in_nan_costs_nothing_but_itself(name: str) -> None:
    broken = (BILLS[name] % ("NaN", "Infinity", "-Infinity", "1e999")).encode()
    whole = (BILLS[name] % (0.5, 10, 7, 0)).encode()
    assert read(name, broken, whole, broken).tokens.total >= 0
    assert read(name, broken, whole).tokens.output == 7


@pytest.mark.parametrize("message", ["", "m", None])
def test_a_reading_stays_small_while_an_agent_talks(message: str | None) -> None:
    reading = Reading()
    for number in range(100_000):
        reading.hear(Said(f"{number:>999}\n", str(number) if message is None else message))
        assert number % 1000 or len(reading.said) <= MAX_SAID
    assert reading.said.endswith(f"{99_999:>999}\n")
    assert len(msgspec.json.encode(reading)) < 3 * MAX_SAID


def test_of_one_endless_line_the_end_is_kept() -> None:
    reading = heard(Said("x" * 20_000_000 + "end", "m"))
    assert (len(reading.said), reading.said[-3:]) == (MAX_SAID, "end")
    reading.hear(Used("shell"))
    assert len(msgspec.json.encode(reading)) < 2 * MAX_SAID


def test_a_reading_stays_small_while_errors_and_files_pour_in() -> None:
    reading = Reading()
    for number in range(20_000):
        reading.hear(Erred(f"error {number}", passing=True))
        reading.hear(Touched(f"file-{number}.txt"))
        reading.hear(Spent(Tokens(1, 1), 0.5, part=str(number)))
    assert len(reading.errors) == MAX_ERRORS
    assert reading.errors[-1].message == "error 19999"
    assert len(reading.files) == MAX_FILES
    assert (reading.tokens, reading.cost) == (Tokens(20_000, 20_000), 10_000.0)
    assert len(msgspec.json.encode(reading)) < 100_000


def test_an_agent_that_goes_on_after_its_end_has_not_ended() -> None:
    assert heard(Ended(ok=True), Used("shell")).ended is None
    assert heard(Ended(ok=True), Said("one more thing")).ended is None
    assert heard(Ended(ok=False), Said("again"), Ended(ok=True)).ended == Ended(ok=True)


def test_what_comes_after_the_end_without_going_on_changes_nothing() -> None:
    end = Ended(ok=True, text="done")
    assert heard(end, Session("s"), Spent(Tokens(1, 1))).ended == end


def test_a_new_message_replaces_the_old_and_a_tool_call_ends_one() -> None:
    assert heard(Said("one ", "a"), Said("two", "a")).final == "one two"
    assert heard(Said("one", "a"), Said("two", "b")).final == "two"
    assert heard(Said("one"), Used("shell"), Said("two")).final == "two"
    assert heard(Said("one"), Used("shell")).final == "one"


def test_who_called_a_tool_or_said_a_word_got_somewhere() -> None:
    assert heard(Said("x")).spoke
    assert heard(Used("shell")).spoke
    assert not heard(Session("s"), Erred("no"), Said("")).spoke


def test_a_part_of_the_bill_counts_once_however_often_it_is_told() -> None:
    reading = heard(
        Spent(Tokens(10, 1), 0.5, part="a"),
        Spent(Tokens(10, 2), 0.5, part="a"),
        Spent(Tokens(5, 5), 0.25, part="b"),
    )
    assert (reading.tokens, reading.cost) == (Tokens(15, 7), 0.75)
    reading.hear(Spent(Tokens(16, 8), 1.0))
    assert (reading.tokens, reading.cost) == (Tokens(16, 8), 1.0)
