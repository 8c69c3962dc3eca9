"""kimi takes its prompt as an argument, and a key instead of a login by variables."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from mittelo.core.policies import Tools
from mittelo.core.signs import Ended, Erred, Said, Session, Touched, Used
from mittelo.harness.base import Command, Job, Stream
from mittelo.harness.kimi import Kimi

KEY = {"KIMI_API_KEY": "sk-1"}


def command(
    env: Mapping[str, str] = {}, *, tools: Tools = Tools.ALL, model: str = "", session: str = ""
) -> Command:
    return Kimi().command(Job(prompt="do it", tools=tools, model=model, session=session, env=env))


def test_the_prompt_comes_last() -> None:
    for tools in Tools:
        assert command(tools=tools, model="m", session="s").argv[-2:] == ["--prompt", "do it"]


@pytest.mark.parametrize(
    ("tools", "agent", "offered"),
    [
        (Tools.NONE, "kimi-none.md", "tools: []"),
        (Tools.READ, "kimi-read.md", "tools: [Read, Glob, Grep]"),
        (Tools.EDIT, "kimi-read.md", "tools: [Read, Glob, Grep]"),
    ],
)
def test_limited_tools_are_those_of_an_agent_of_ours(
    tools: Tools, agent: str, offered: str
) -> None:
    argv = command(tools=tools).argv
    file = Path(argv[argv.index("--agent-file") + 1])
    assert file.name == agent
    assert {offered, "subagents: []"} < {*file.read_text().splitlines()}


def test_work_is_done_by_its_own_agent() -> None:
    assert "--agent-file" not in command().argv


def test_a_session_keeps_its_agent() -> None:
    assert "--agent-file" not in command(tools=Tools.READ, session="s").argv


def test_a_key_alone_is_enough() -> None:
    made = command(KEY)
    assert made.env == {
        "KIMI_MODEL_NAME": "kimi-for-coding",
        "KIMI_MODEL_API_KEY": "sk-1",
        "KIMI_MODEL_BASE_URL": "https://api.kimi.com/coding/v1",
        "MOONSHOT_API_KEY": "sk-1",
    }


def test_with_a_key_the_model_goes_by_variable() -> None:
    made = command(KEY, model="kimi-k9")
    assert made.env["KIMI_MODEL_NAME"] == "kimi-k9"
    assert "KIMI_MODEL_BASE_URL" not in made.env
    assert "--model" not in made.argv


def test_its_address_can_be_another() -> None:
    assert command(KEY | {"KIMI_BASE_URL": "http://me"}).env["KIMI_MODEL_BASE_URL"] == "http://me"


@pytest.mark.parametrize("env", [{}, KEY | {"KIMI_MODEL_NAME": "mine"}])
def test_what_the_user_set_up_stays(env: dict[str, str]) -> None:
    made = command(env, model="m")
    assert made.env == {}
    assert made.argv[made.argv.index("--model") + 1] == "m"


def read(**event: object) -> list[object]:
    return [*Kimi().read(json.dumps(event).encode(), Stream.OUT)]


def test_its_last_line_is_its_end() -> None:
    assert read(role="meta", type="session.resume_hint", session_id="session_1") == [
        Session("session_1"),
        Ended(ok=True),
    ]


def test_what_it_tries_again_is_passing() -> None:
    event = {"error_message": "429 slow down", "status_code": 429}
    assert read(role="meta", type="turn.step.retrying", **event) == [
        Erred("429 slow down", 429, passing=True)
    ]


def test_words_and_tools_of_a_message_are_told() -> None:
    call = {"function": {"name": "Write", "arguments": '{"path": "a.txt", "content": "x"}'}}
    assert read(role="assistant", content="I write.", tool_calls=[call]) == [
        Said("I write."),
        Used("Write", "a.txt"),
        Touched("a.txt"),
    ]
    assert read(role="tool", content="I write.") == []
