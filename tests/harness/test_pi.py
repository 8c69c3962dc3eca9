"""pi exits with 0 whatever comes of a run; how its last message stopped tells."""

import json
from collections.abc import Mapping

import pytest

from mittelo.core.policies import Tools
from mittelo.core.signs import Ended, Erred, Reading, Said, Sign, Spent, Tokens, Touched, Used
from mittelo.harness.base import Job, Stream
from mittelo.harness.pi import Pi

USAGE = {"input": 100, "output": 7, "cacheRead": 40, "cacheWrite": 5, "cost": {"total": 0.25}}


def read(event: Mapping[str, object]) -> list[Sign]:
    return [*Pi().read(json.dumps(event).encode(), Stream.OUT)]


def message(**fields: object) -> dict[str, object]:
    return {"role": "assistant", "timestamp": 7, "content": [], **fields}


@pytest.mark.parametrize("reason", ["stop", "toolUse"])
def test_a_message_that_stopped_well_is_a_success(reason: str) -> None:
    event = {"type": "agent_end", "messages": [{"role": "user"}, message(stopReason=reason)]}
    assert read(event) == [Ended(ok=True)]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"stopReason": "error", "errorMessage": "403 no"}, "403 no"),
        ({"stopReason": "length"}, "the model stopped: length"),
        ({"stopReason": "aborted"}, "the model stopped: aborted"),
        ({}, "the model stopped: None"),
    ],
)
def test_a_message_that_stopped_otherwise_is_none(fields: dict[str, object], why: str) -> None:
    event = {"type": "agent_end", "messages": [message(**fields)]}
    assert read(event) == [Ended(ok=False, message=why)]


def test_it_goes_on_from_what_it_tried_again() -> None:
    reading = Reading()
    failed = message(stopReason="error", errorMessage="500 oh")
    well = message(stopReason="stop", content=[{"type": "text", "text": "done"}])
    for last in (failed, well):
        for event in (
            {"type": "message_end", "message": last},
            {"type": "agent_end", "messages": [last]},
        ):
            for sign in read(event):
                reading.hear(sign)
    assert (reading.final, reading.ended) == ("done", Ended(ok=True))
    assert reading.errors == [Erred("500 oh", 500, passing=True)]


def test_tokens_and_cost_are_those_of_each_message() -> None:
    assert read({"type": "message_end", "message": message(usage=USAGE)}) == [
        Spent(Tokens(145, 7, 40), 0.25, part="7")
    ]


def test_what_a_message_becomes_is_told_once() -> None:
    whole = message(content=[{"type": "text", "text": "all of it"}])
    update = json.dumps({"type": "message_update", "message": whole}, separators=(",", ":"))
    assert [*Pi().read(update.encode(), Stream.OUT)] == []
    assert read({"type": "message_end", "message": whole}) == [Said("all of it", "7")]
    assert read({"type": "message_end", "message": whole | {"role": "user"}}) == []


def test_files_that_it_writes_are_named() -> None:
    event = {"type": "tool_execution_start", "toolName": "write", "args": {"path": "a.txt"}}
    assert read(event) == [Used("write", "a.txt"), Touched("a.txt")]


@pytest.mark.parametrize(
    ("tools", "words"),
    [
        (Tools.NONE, ["--no-extensions", "--no-tools"]),
        (Tools.READ, ["--no-extensions", "--tools", "read,grep,find,ls"]),
        (Tools.EDIT, ["--no-extensions", "--tools", "read,grep,find,ls"]),
        (Tools.ALL, []),
    ],
)
def test_tools_that_write_go_with_everything_alone(tools: Tools, words: list[str]) -> None:
    assert Pi().command(Job(prompt="x", tools=tools)).argv[4:] == words


def test_it_reaches_the_providers_whose_keys_are_there() -> None:
    keys = {"OPENAI_API_KEY": "x", "XAI_API_KEY": "x"}
    assert Pi().endpoints(keys) == ["https://api.openai.com", "https://api.x.ai"]


def test_a_limit_covers_a_provider() -> None:
    assert Pi().quota_scope("openai/gpt-9") == Pi().quota_scope("openai/gpt-8") == "pi:openai"
