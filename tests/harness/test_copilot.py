"""copilot names its session in its last line, and counts tokens in a file of its own."""

import json

import pytest

from mittelo.core.policies import Tools
from mittelo.core.signs import Ended, Erred, Reading, Session, Sign, Tokens, Touched, Used
from mittelo.harness.base import Job, Stream
from mittelo.harness.copilot import Copilot

USAGE = b"""\
{
  "modelMetrics": {
    "one": {
      "usage": {
        "inputTokens": 1200,
        "outputTokens": 34,
        "cacheReadTokens": 1000,
        "cacheWriteTokens": 0
      }
    },
    "two": {
      "usage": {
        "inputTokens": 30,
        "outputTokens": 4,
        "cacheReadTokens": 0
      }
    }
  },
  "agentMetrics": {
    "main": {
      "modelMetrics": {
        "one": {
          "usage": {
            "inputTokens": 1200,
            "outputTokens": 34
          }
        }
      }
    }
  },
  "lastCallInputTokens": 1200
}
"""


def read(kind: str, **data: object) -> list[Sign]:
    return [*Copilot().read(json.dumps({"type": kind, "data": data}).encode(), Stream.OUT)]


def test_its_usage_file_is_counted_once_over_all_models() -> None:
    reading = Reading()
    for line in USAGE.split(b"\n"):
        for sign in Copilot().read(line, Stream.LOG):
            reading.hear(sign)
    assert reading.tokens == Tokens(1230, 38, 1000)


def test_its_usage_file_lies_in_the_scratch_folder() -> None:
    command = Copilot().command(Job(prompt="x", scratch="/s"))
    assert command.log == "/s/copilot-usage.json" == command.argv[-1]
    assert Copilot().command(Job(prompt="x")).log == ""


@pytest.mark.parametrize(("code", "ok"), [(0, True), (1, False), (None, False)])
def test_its_last_line_names_the_session_and_its_end(code: int | None, ok: bool) -> None:
    line = json.dumps({"type": "result", "sessionId": "s-1", "exitCode": code}).encode()
    assert [*Copilot().read(line, Stream.OUT)] == [Session("s-1"), Ended(ok=ok)]


def test_a_request_that_failed_is_tried_again() -> None:
    assert read("model.call_failure", statusCode=429, errorMessage="slow down") == [
        Erred("slow down", 429, passing=True)
    ]
    assert read("session.error", statusCode=401, message="no key") == [Erred("no key", 401)]


def test_files_that_it_writes_are_named() -> None:
    assert read("tool.execution_start", toolName="create", arguments={"path": "/w/a"}) == [
        Used("create", "/w/a"),
        Touched("/w/a"),
    ]


@pytest.mark.parametrize(
    ("tools", "offered"),
    [
        (Tools.NONE, "none"),
        (Tools.READ, "view,grep,rg,glob"),
        (Tools.EDIT, "view,grep,rg,glob,create,edit,apply_patch"),
    ],
)
def test_it_is_told_which_tools_to_offer(tools: Tools, offered: str) -> None:
    command = Copilot().command(Job(prompt="x", tools=tools))
    assert f"--available-tools={offered}" in command.argv
    assert {"--disable-builtin-mcps", "--disallow-temp-dir"} < {*command.argv}
    leave = {"--allow-tool=write", "--deny-tool=write(.git/**)"} if tools is Tools.EDIT else set()
    assert {word for word in command.argv if "write(" in word or "=write" in word} == leave
    assert command.env == {"COPILOT_ALLOW_ALL": ""}


def test_work_is_done_without_questions() -> None:
    command = Copilot().command(Job(prompt="x"))
    assert command.argv[5:] == ["--allow-all"]
    assert command.env == {}
