"""No line that a CLI might print can break us, nor hide what it tells."""

import json
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.harness.recorded import KNOWN, recordings
from tests.harness.samples import each_harness

from mittelo.core.signs import Ended, Reading, Said, Sign
from mittelo.harness.base import Harness, Stream

CLIS = [
    KNOWN[name]
    for name in ("claude", "codex", "copilot", "gemini", "kimi", "opencode", "pi", "qwen")
]
each_cli = pytest.mark.parametrize("harness", CLIS, ids=attrgetter("name"))
any_stream = st.sampled_from(Stream)

SCRIPTED = [
    b'{"type":"start","session":"s-1"}',
    b'{"type":"say","text":"hello","id":"m1"}',
    b'{"type":"tool","name":"shell","detail":"ls"}',
    b'{"type":"touch","path":"a.txt"}',
    b'{"type":"usage","input":3,"output":4,"cost":0.5,"id":"u1"}',
    b'{"type":"error","message":"no"}',
    b'{"type":"end","text":"done"}',
]
ODD: list[Any] = [
    *(None, True, False, 0, -1, 2**64, -(2**70), 10**400, 1.5, -0.0, 1e300),
    *(float("nan"), float("inf"), "", "12", "half \ud83d", "\x00\x1b[31m"),
    *([], {}, [None], [[]], {"": {}}, {"message": {}}, [{"type": "text", "text": 1}]),
]
odd_values = st.recursive(
    st.sampled_from(ODD) | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


def hear(harness: Harness, line: bytes, stream: Stream) -> list[Sign]:
    """Read a line, and hold its signs to what they promise to be."""
    signs = list(harness.read(line, stream))
    reading = Reading()
    for sign in signs:
        assert msgspec.json.decode(msgspec.json.encode(sign), type=Sign) == sign
        reading.hear(sign)
    msgspec.json.encode(reading)
    return signs


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value inside a value."""
    inner = value.items() if isinstance(value, dict) else ()
    for key, one in enumerate(value) if isinstance(value, list) else inner:
        yield (*at, key)
        yield from places(one, (*at, key))


def replaced(event: Any, place: tuple[Any, ...], value: Any) -> Any:
    """Return a copy of an event with another value in one place."""
    event = json.loads(json.dumps(event))
    holder = event
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    return event


def of_every_shape(lines: list[bytes]) -> list[Any]:
    """Return one event of every shape that the lines have."""
    whole = [line for line in lines if line.startswith(b"{") and line.endswith(b"}")]
    events = [json.loads(line) for line in whole if len(line) < 8000]
    return [*{tuple(places(event)): event for event in events}.values()]


EVENTS = {
    cli.name: of_every_shape(
        [
            line
            for recording in recordings()
            if recording.cli == cli.name
            for line in recording.lines(Stream.OUT)
        ]
    )
    for cli in CLIS
} | {"script": of_every_shape(SCRIPTED)}
ALL_EVENTS = [event for events in EVENTS.values() for event in events]


@st.composite
def mutated_lines(draw: st.DrawFn) -> bytes:
    event = draw(st.sampled_from(ALL_EVENTS))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from([*places(event)]))
        event = replaced(event, place, draw(odd_values))
    return json.dumps(event).encode()


@each_harness
@given(line=st.binary(), stream=any_stream)
def test_any_bytes_can_be_a_line(harness: Harness, line: bytes, stream: Stream) -> None:
    hear(harness, line, stream)
    hear(harness, b"{" + line + b"}", stream)


@pytest.mark.parametrize("name", EVENTS)
def test_any_value_can_stand_in_any_place_of_an_event(name: str) -> None:
    for event in EVENTS[name]:
        for place in places(event):
            for value in ODD:
                hear(KNOWN[name], json.dumps(replaced(event, place, value)).encode(), Stream.OUT)


@each_harness
@given(line=mutated_lines(), stream=any_stream)
def test_any_values_can_stand_in_several_places_of_an_event(
    harness: Harness, line: bytes, stream: Stream
) -> None:
    hear(harness, line, stream)


@each_harness
@given(event=st.sampled_from(ALL_EVENTS), cut=st.integers(0, 4000), stream=any_stream)
def test_a_line_can_be_torn_anywhere(
    harness: Harness, event: Any, cut: int, stream: Stream
) -> None:
    hear(harness, json.dumps(event).encode()[:cut], stream)


@each_harness
@pytest.mark.parametrize("depth", [500, 5_000, 100_000])
@pytest.mark.parametrize("ends", [True, False])
def test_json_can_be_nested_as_deep_as_it_likes(harness: Harness, depth: int, ends: bool) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        deep = opening * depth + b"1" + (closing * depth if ends else b"")
        for stream in Stream:
            hear(harness, b'{"type":"assistant","message":' + deep + b"}", stream)


BROKEN = [
    b"half an emoji \\ud83d",
    b"the other half \\udc00 of it",
    b"no UTF-8 \xff\xfe",
    b"cut \xe2\x82",
]
LAST_WORDS = {
    "claude": '{"type":"result","subtype":"success","is_error":false,"result":"%s"}',
    "codex": '{"type":"item.completed","item":{"type":"agent_message","text":"%s"}}',
    "gemini": '{"type":"message","role":"assistant","content":"%s"}',
    "opencode": '{"type":"text","part":{"text":"%s"}}',
    "copilot": '{"type":"assistant.message","data":{"content":"%s"}}',
    "kimi": '{"role":"assistant","content":"%s"}',
    "pi": '{"type":"message_end","message":{"role":"assistant",'
    '"content":[{"type":"text","text":"%s"}]}}',
    "qwen": '{"type":"result","subtype":"success","is_error":false,"result":"%s"}',
}


@each_cli
@pytest.mark.parametrize("broken", BROKEN)
def test_broken_characters_do_not_hide_what_was_said(harness: Harness, broken: bytes) -> None:
    line = LAST_WORDS[harness.name].encode() % broken
    (sign,) = hear(harness, line, Stream.OUT)
    assert isinstance(sign, Said | Ended)
    assert sign.text.split()[0] == broken.split()[0].decode()


@each_cli
@pytest.mark.parametrize("ending", [b"\r", b" ", b"\t\r"])
def test_white_space_around_an_event_does_not_matter(harness: Harness, ending: bytes) -> None:
    line = LAST_WORDS[harness.name].encode() % b"hello"
    assert hear(harness, b" " + line + ending, Stream.OUT) == hear(harness, line, Stream.OUT)


@each_cli
@pytest.mark.parametrize("stream", [Stream.ERR, Stream.LOG])
def test_events_are_on_stdout_only(harness: Harness, stream: Stream) -> None:
    lines = [json.dumps(event).encode() for event in ALL_EVENTS]
    assert [sign for line in lines for sign in harness.read(line, stream)] == []
