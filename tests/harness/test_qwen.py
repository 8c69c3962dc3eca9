"""qwen tells of a refusal as if the model had said it, and calls the run a success."""

import json
from collections.abc import Mapping

import pytest

from mittelo.core.policies import Tools
from mittelo.core.signs import Ended, Erred, Reading, Said, Sign, Spent, Tokens, Touched
from mittelo.harness.base import Job, Stream
from mittelo.harness.qwen import Qwen

REFUSAL = "[API Error: 401 Incorrect API key provided]"


def read(event: Mapping[str, object]) -> list[Sign]:
    return [*Qwen().read(json.dumps(event).encode(), Stream.OUT)]


def said(text: str, told: int) -> Mapping[str, object]:
    usage = {"input_tokens": 900, "output_tokens": told, "cache_read_input_tokens": 300}
    content = [{"type": "text", "text": text}]
    return {"type": "assistant", "message": {"id": "m", "content": content, "usage": usage}}


def ended(text: str) -> Mapping[str, object]:
    return {"type": "result", "subtype": "success", "is_error": False, "result": text}


def test_a_refusal_is_no_answer() -> None:
    reading = Reading()
    for sign in [*read(said(REFUSAL, 0)), *read(ended(REFUSAL))]:
        reading.hear(sign)
    assert (reading.final, reading.ended) == ("", Ended(ok=False, message=REFUSAL))
    assert reading.errors == [Erred(REFUSAL)]


def test_what_a_model_says_of_a_refusal_is_an_answer() -> None:
    assert Said(REFUSAL, "m") in read(said(REFUSAL, 12))
    assert read(ended(f"It printed {REFUSAL}")) == [Ended(ok=True, text=f"It printed {REFUSAL}")]


def test_what_it_could_not_begin_is_told_by_its_end() -> None:
    error = {"message": "No auth type is selected."}
    event = {"type": "result", "subtype": "error_during_execution", "is_error": True}
    assert read({**event, "error": error}) == [Ended(ok=False, message="No auth type is selected.")]


def test_its_input_holds_what_came_from_the_cache() -> None:
    assert Spent(Tokens(900, 12, 300), part="m") in read(said("yes", 12))


def test_usage_at_its_end_is_that_of_the_whole_session_and_passed_over() -> None:
    usage = {"input_tokens": 9000, "output_tokens": 900}
    assert read({**ended("yes"), "usage": usage}) == [Ended(ok=True, text="yes")]


@pytest.mark.parametrize("tool", ["write_file", "edit"])
def test_files_that_it_writes_are_named(tool: str) -> None:
    block = {"type": "tool_use", "name": tool, "input": {"file_path": "/w/a.txt"}}
    assert Touched("/w/a.txt") in read({"type": "assistant", "message": {"content": [block]}})


@pytest.mark.parametrize(
    ("tools", "offered"),
    [
        (Tools.NONE, "none"),
        (Tools.READ, "glob,grep_search,list_directory,read_file"),
        (Tools.EDIT, "glob,grep_search,list_directory,read_file"),
    ],
)
def test_tools_that_write_go_with_everything_alone(tools: Tools, offered: str) -> None:
    argv = Qwen().command(Job(prompt="x", tools=tools)).argv
    assert argv[argv.index("--approval-mode") + 1] == "default"
    assert {f"--core-tools={offered}", "--allowed-mcp-server-names=mittelo-none"} < {*argv}
    (left_out,) = (word for word in argv if word.startswith("--exclude-tools="))
    assert {"agent", "skill"} < {*left_out.partition("=")[2].split(",")}


def test_work_is_done_without_questions() -> None:
    assert Qwen().command(Job(prompt="x")).argv[3:] == ["--yolo"]


def test_it_reaches_the_providers_whose_keys_are_there_and_its_own() -> None:
    found = Qwen().endpoints({"OPENAI_API_KEY": "x"})
    assert found[0] == "https://api.openai.com"
    assert "https://dashscope.aliyuncs.com" in found
