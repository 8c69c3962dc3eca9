"""Every failure that was recorded is told by its kind, and nothing that an agent says is one."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from operator import attrgetter

import pytest
from tests.harness.recorded import HERE, Recording, expectations, recordings

from mittelo.core.faults import FAULTS, Category, Source
from mittelo.core.records import Outcome
from mittelo.core.signs import Reading
from mittelo.core.tries import Finish, Stop
from mittelo.core.verdicts import Facts, Verdict, judge
from mittelo.harness.base import Stream
from mittelo.harness.registry import BUILT_IN

RECORDED = datetime(2026, 11, 21, 3, 16, tzinfo=UTC).timestamp()
"""About when the recordings were made."""

RECORDINGS = recordings()
EXPECTED = expectations()
HEALTHY = [r for r in RECORDINGS if EXPECTED[r.name].outcome == "completed"]
FAILING = [r for r in RECORDINGS if EXPECTED[r.name].outcome != "completed"]
VAGUE = {Category.UNIDENTIFIED_ISSUE}

each_healthy = pytest.mark.parametrize("recording", HEALTHY, ids=attrgetter("name"))
each_failing = pytest.mark.parametrize("recording", FAILING, ids=attrgetter("name"))


def read(recording: Recording, lines: Iterable[bytes]) -> Reading:
    reading = Reading()
    for line in lines:
        for sign in recording.harness.read(line, Stream.OUT):
            reading.hear(sign)
    return reading


def judged(recording: Recording, stop: Stop | None = None, lines: Iterable[bytes] = ()) -> Verdict:
    """Return the verdict on a recording, or on these lines in the place of its stdout."""
    given = [*lines] or recording.lines(Stream.OUT)
    harness, code = recording.harness, recording.exit.code
    reading, err = read(recording, given), recording.raw(Stream.ERR)
    return judge(
        Facts(
            finish=Finish(code, stop),
            reading=reading,
            answered=bool(harness.answer(reading, b"\n".join(given), err).strip()),
            needs_end=harness.needs_end,
            changed=EXPECTED[recording.name].changed,
            require_changes=False,
            errors=harness.without_noise(err.decode(errors="replace")),
            exit_meaning=harness.explain_exit(code) if code else "",
            faults=harness.faults,
            now=RECORDED,
            zone=UTC,
        )
    )


def stop_of(recording: Recording) -> Stop | None:
    return Stop.STALLED if recording.exit.ended_by_us else None


@each_failing
def test_every_failure_is_told_by_its_kind(recording: Recording) -> None:
    expected, found = EXPECTED[recording.name], judged(recording, stop_of(recording)).evidence
    assert found
    assert found.category == expected.category
    if found.category.is_limit:
        assert expected.resets in {None, found.resets}
    assert bool(found.source is Source.NONE) == (found.category in VAGUE)


@each_healthy
@pytest.mark.parametrize("stop", [None, Stop.LINGERED])
def test_no_healthy_recording_is_a_failure(recording: Recording, stop: Stop | None) -> None:
    assert judged(recording, stop) == Verdict(Outcome.COMPLETED)


@pytest.mark.parametrize("recording", RECORDINGS, ids=attrgetter("name"))
@pytest.mark.parametrize("stop", [Stop.QUIT_NOW, Stop.TERMINATED])
def test_what_the_user_ended_is_no_failure_of_the_agent(recording: Recording, stop: Stop) -> None:
    found = judged(recording, stop)
    assert (found.outcome, found.evidence) == (Outcome.CANCELLED, None)


def test_precision_and_recall_over_all_recordings(capsys: pytest.CaptureFixture[str]) -> None:
    """Count kinds that were named, and how many of those that a reader would name."""
    named = right = meant = blamed = 0
    for recording in RECORDINGS:
        expected = EXPECTED[recording.name].category
        evidence = judged(recording, stop_of(recording) if expected else None).evidence
        found = evidence.category if evidence else None
        blamed += found is not None and not expected
        is_named = found is not None and found not in VAGUE
        named += is_named
        meant += bool(expected) and expected not in VAGUE
        right += is_named and found == expected
    with capsys.disabled():
        print(  # noqa: T201 - a figure to be read
            f"\nclassification: {len(RECORDINGS)} recordings, {len(FAILING)} of them failures; "
            f"precision {right / named:.3f} ({right}/{named}), "
            f"recall {right / meant:.3f} ({right}/{meant}), healthy ones blamed: {blamed}"
        )
    assert blamed == 0
    assert right == named == meant


# What agents say and tools print.


def _alternatives(pattern: str) -> Iterator[str]:
    """Yield the parts of a pattern between the bars that stand in no parentheses."""
    depth, part = 0, ""
    for token in re.findall(r"\\.|\[(?:\\.|[^\]])*\]|.", pattern):
        depth += (token == "(") - (token == ")")
        if token == "|" and depth == 0:
            yield part
            part = ""
        else:
            part += token
    yield part


FAULTS_OF_ALL = (*FAULTS, *(fault for harness in BUILT_IN for fault in harness.faults))
PHRASES = (HERE / "talk.txt").read_text()
TIMES = ["resets in 5h", "retry-after: 120", "try again at 5:22 AM", "resetsAt: 1795240800"]
TALK = "\n".join([PHRASES, "Error: HTTP 401", "status: 429", "API Error: 529 Overloaded", *TIMES])

Event = Mapping[str, object]


def _of_claude() -> list[Event]:
    def message(role: str, *content: Event) -> Event:
        return {"type": role, "message": {"id": "m", "role": role, "content": [*content]}}

    allowed = {"status": "allowed", "resetsAt": 1795240800, "rateLimitType": "five_hour"}
    return [
        {"type": "rate_limit_event", "rate_limit_info": allowed},
        message("assistant", {"type": "thinking", "thinking": TALK}),
        message("assistant", {"type": "text", "text": TALK}),
        message("assistant", {"type": "tool_use", "name": "Bash", "input": {"command": TALK}}),
        message("user", {"type": "tool_result", "content": TALK, "is_error": True}),
        {"type": "rate_limit_event", "rate_limit_info": allowed | {"status": "allowed_warning"}},
    ]


def _of_codex() -> list[Event]:
    def item(kind: str, **fields: object) -> Event:
        return {"type": "item.completed", "item": {"id": "i", "type": kind, **fields}}

    return [
        item("reasoning", text=TALK),
        item("agent_message", text=TALK),
        item("command_execution", command=TALK, aggregated_output=TALK, exit_code=1),
        item("mcp_tool_call", server="s", tool="t", status="failed", error={"message": TALK}),
        item("web_search", query=TALK),
        item("todo_list", items=[{"text": TALK}]),
    ]


def _of_gemini() -> list[Event]:
    return [
        {"type": "message", "role": "user", "content": TALK},
        {"type": "message", "role": "assistant", "content": TALK, "delta": True},
        {"type": "tool_use", "tool_name": "run_shell_command", "parameters": {"command": TALK}},
        {
            "type": "tool_result",
            "status": "error",
            "output": TALK,
            "error": {"type": "x", "message": TALK},
        },
    ]


def _of_opencode() -> list[Event]:
    state = {"status": "error", "input": {"command": TALK}, "output": TALK, "error": TALK}
    return [
        {"type": "reasoning", "part": {"text": TALK}},
        {"type": "text", "part": {"messageID": "m", "text": TALK}},
        {"type": "tool_use", "part": {"tool": "bash", "state": state}},
    ]


def _of_copilot() -> list[Event]:
    def of(kind: str, **data: object) -> Event:
        return {"type": kind, "data": data}

    call = {"toolCallId": "c", "toolName": "bash"}
    return [
        of("assistant.reasoning", content=TALK),
        of("assistant.message", messageId="m", content=TALK, toolRequests=[]),
        of("tool.execution_start", **call, arguments={"command": TALK}),
        of("tool.execution_partial_result", **call, partialOutput=TALK),
        of("tool.execution_complete", **call, success=False, error={"message": TALK}),
        of("session.info", infoType="x", message=TALK),
    ]


def _of_pi() -> list[Event]:
    spoken = [{"type": "thinking", "thinking": TALK}, {"type": "text", "text": TALK}]
    answer = {"role": "assistant", "content": spoken, "stopReason": "toolUse", "timestamp": 1}
    call = {"toolCallId": "c", "toolName": "bash"}
    result = {"content": [{"type": "text", "text": TALK}]}
    return [
        {"type": "message_end", "message": {"role": "user", "content": [{"text": TALK}]}},
        {"type": "message_end", "message": answer},
        {"type": "tool_execution_start", **call, "args": {"command": TALK}},
        {"type": "tool_execution_end", **call, "result": result, "isError": True},
    ]


def _of_kimi() -> list[Event]:
    given = json.dumps({"command": TALK})
    call = {"type": "function", "id": "c", "function": {"name": "Bash", "arguments": given}}
    return [
        {"role": "assistant", "content": TALK, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": TALK},
        {"role": "meta", "type": "goal.summary", "content": TALK},
    ]


EVENTS = {
    "claude": _of_claude(),
    "codex": _of_codex(),
    "gemini": _of_gemini(),
    "opencode": _of_opencode(),
    "copilot": _of_copilot(),
    "kimi": _of_kimi(),
    "pi": _of_pi(),
    "qwen": _of_claude(),
}


def talking(recording: Recording, place: int) -> list[bytes]:
    """Return its stdout with an agent and tools in it that speak of nothing but failures."""
    lines = recording.lines(Stream.OUT)
    place = max(0, min(place, len(lines) - 1) if place >= 0 else len(lines) + place)
    events = [json.dumps(event).encode() for event in EVENTS[recording.cli]]
    return [*lines[:place], *events, *lines[place:]]


def test_the_talk_holds_every_phrase() -> None:
    for fault in FAULTS_OF_ALL:
        for part in _alternatives(fault.pattern):
            assert re.search(part, TALK, re.IGNORECASE | re.MULTILINE), part


@each_healthy
@pytest.mark.parametrize("place", [1, -1], ids=["early", "late"])
def test_talk_of_failures_fails_no_run(recording: Recording, place: int) -> None:
    assert judged(recording, lines=talking(recording, place)) == Verdict(Outcome.COMPLETED)


@each_failing
@pytest.mark.parametrize("place", [1, -1], ids=["early", "late"])
def test_talk_of_failures_does_not_change_the_kind_of_one(recording: Recording, place: int) -> None:
    """What was a failure for its silence alone may be none with words in it."""
    stop = stop_of(recording)
    before = judged(recording, stop).evidence
    after = judged(recording, stop, talking(recording, place)).evidence
    assert before
    if after or before.category not in VAGUE:
        assert after
        assert (after.category, after.source, after.resets, after.signal) == (
            before.category,
            before.source,
            before.resets,
            before.signal,
        )
