"""What is special about opencode, where no recording shows it."""

import json
from typing import Any

import pytest

from mittelo.core.policies import Tools
from mittelo.core.signs import Ended, Erred, Reading, Said, Sign, Tokens, Touched, Used
from mittelo.harness.base import Job, Stream
from mittelo.harness.opencode import Opencode

Event = dict[str, Any]
SPOKE: Event = {"type": "text", "part": {"messageID": "m", "text": "done"}}


def step(reason: str, **part: object) -> Event:
    return {"type": "step_finish", "part": {"id": "p", "reason": reason, **part}}


def tool(name: str, status: str, given: object, metadata: object = None) -> Event:
    state = {"status": status, "input": given, "metadata": metadata}
    return {"type": "tool_use", "part": {"tool": name, "state": state}}


def signs(event: Event) -> list[Sign]:
    return [*Opencode().read(json.dumps(event).encode(), Stream.OUT)]


def read(*events: Event) -> Reading:
    reading = Reading()
    for event in events:
        for sign in signs(event):
            reading.hear(sign)
    return reading


@pytest.mark.parametrize("tools", Tools)
def test_it_is_told_its_folder(tools: Tools) -> None:
    command = Opencode().command(Job(prompt="x", workspace="/w/my repo", tools=tools))
    assert command.argv[command.argv.index("--dir") + 1] == "/w/my repo"
    assert ("--auto" in command.argv) == (tools is Tools.ALL)


READ = {"read": "allow", "glob": "allow", "grep": "allow", "list": "allow"}


@pytest.mark.parametrize(
    ("tools", "agent", "allowed"),
    [
        (Tools.NONE, "mittelo-none", {}),
        (Tools.READ, "mittelo-read", {**READ, "external_directory": "deny"}),
        (Tools.EDIT, "mittelo-read", {**READ, "external_directory": "deny"}),
    ],
)
def test_an_agent_of_ours_is_denied_everything_but_this(
    tools: Tools, agent: str, allowed: dict[str, str]
) -> None:
    own = {"OPENCODE_CONFIG_CONTENT": '{"model":"a/b","agent":{"mine":{}}}'}
    command = Opencode().command(Job(prompt="x", tools=tools, env=own))
    made = json.loads(command.env["OPENCODE_CONFIG_CONTENT"])
    assert command.argv[command.argv.index("--agent") + 1] == agent
    assert made["agent"][agent]["permission"] == {"*": "deny", **allowed}
    assert (made["model"], made["agent"]["mine"]) == ("a/b", {})
    assert command.env["OPENCODE_DISABLE_PROJECT_CONFIG"] == "1"
    denied = json.loads(command.env["OPENCODE_PERMISSION"])
    assert denied == {"edit": "deny", "bash": "deny", "webfetch": "deny"}


def test_it_reaches_the_providers_of_its_inline_configuration() -> None:
    urls = ["http://127.0.0.1:9/v1", "https://models.example/v1"]
    providers = {f"p{n}": {"options": {"baseURL": url}} for n, url in enumerate(urls)}
    content = json.dumps({"provider": {**providers, "odd": 1, "bare": {"options": {}}}})
    assert Opencode().endpoints({"OPENCODE_CONFIG_CONTENT": content}) == urls
    assert "https://api.openai.com" in Opencode().endpoints({"OPENAI_API_KEY": "x"})
    assert Opencode().endpoints({"OPENCODE_CONFIG_CONTENT": "// odd"})[0] == "https://opencode.ai"


def test_a_new_session_has_a_title_and_an_old_one_keeps_its_own() -> None:
    new = Opencode().command(Job(prompt="x", title="relay-1-run-2")).argv
    old = Opencode().command(Job(prompt="x", title="relay-1-run-2", session="ses_1")).argv
    assert new[new.index("--title") + 1] == "relay-1-run-2"
    assert "--title" not in old


def test_the_last_step_decides_whether_it_ended() -> None:
    assert read(SPOKE, step("stop")).ended == Ended(ok=True)
    assert read(SPOKE, step("tool-calls")).ended is None
    going_on = (step("stop"), tool("bash", "error", {"command": "ls"}), step("tool-calls"))
    assert read(SPOKE, *going_on).ended is None


@pytest.mark.parametrize("reason", ["length", "content-filter"])
def test_an_answer_that_was_cut_off_is_no_success(reason: str) -> None:
    assert read(SPOKE, step(reason)).ended == Ended(
        ok=False, message=f"the model stopped: {reason}"
    )


@pytest.mark.parametrize("reason", ["unknown", "other", "error", "", None, 7])
def test_a_step_that_ends_for_reasons_of_its_own_is_no_end(reason: str) -> None:
    assert read(SPOKE, step(reason)).ended is None


def test_all_tokens_count_those_for_the_cache_and_for_thinking_too() -> None:
    """Its `input` leaves out what was read from and written to the cache, `output` the thoughts."""
    told = {"input": 10, "output": 20, "reasoning": 300, "cache": {"read": 4000, "write": 50000}}
    reading = read(step("stop", tokens=told, cost=0.5))
    assert reading.tokens == Tokens(input=54_010, output=320, cached=4000, reasoning=300)
    assert reading.cost == 0.5


def test_a_file_is_touched_only_when_the_tool_was_done_with_it() -> None:
    given = {"filePath": "a.txt", "content": "x"}
    assert signs(tool("write", "completed", given)) == [Used("write", "a.txt"), Touched("a.txt")]
    assert signs(tool("write", "error", given)) == [Used("write", "a.txt")]
    assert signs(tool("read", "completed", given)) == [Used("read", "a.txt")]


def test_a_patch_touches_every_file_in_it() -> None:
    files = [
        {"filePath": "/w/a", "type": "add"},
        {"filePath": "/w/b", "type": "move", "movePath": "/w/c"},
        {"type": "update"},
        7,
    ]
    patch = tool("apply_patch", "completed", {"patchText": "*** Begin Patch"}, {"files": files})
    assert signs(patch) == [Used("apply_patch"), *map(Touched, ("/w/a", "/w/b", "/w/c"))]


def test_parts_of_one_message_are_joined_and_the_next_begins_anew() -> None:
    more: Event = {"type": "text", "part": {"messageID": "m", "text": " and dusted"}}
    other: Event = {"type": "text", "part": {"messageID": "n", "text": "really"}}
    assert read(SPOKE, more).final == "done and dusted"
    assert read(SPOKE, more, other).final == "really"
    assert signs(SPOKE) == [Said("done", "m")]


def test_an_error_and_its_end_are_one_with_all_that_the_provider_sent() -> None:
    sent = {"responseHeaders": {"retry-after": "9", "date": "x"}, "responseBody": '{"code":"c"}'}
    data = {"message": "Too much.", "statusCode": 429, **sent}
    reading = read({"type": "error", "error": {"name": "APIError", "data": data}})
    assert reading.errors == [
        Erred("APIError: Too much.", 429, detail='retry-after: 9; {"code":"c"}')
    ]
    assert reading.ended == Ended(ok=False)


@pytest.mark.parametrize("error", [{}, {"name": "X"}, {"name": 7, "data": []}, {"data": {}}])
def test_an_error_without_words_is_an_error(error: Event) -> None:
    ended = read({"type": "error", "error": error}).ended
    assert ended is not None
    assert not ended.ok
    assert ended.message


@pytest.mark.parametrize(
    ("env", "folder"),
    [({"HOME": "/h"}, "/h/.local/share"), ({"HOME": "/h", "XDG_DATA_HOME": "/d"}, "/d")],
)
def test_its_logs_lie_in_the_data_folder(env: dict[str, str], folder: str) -> None:
    assert Opencode().session_logs("ses_1", "/w", env) == [f"{folder}/opencode/log/*.log"]
