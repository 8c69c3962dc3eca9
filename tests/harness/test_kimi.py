"""kimi takes its prompt as an argument, and a key instead of a login by variables."""

import json
from collections.abc import Mapping

import pytest

from mittelo.core.signs import Ended, Erred, Said, Session, Touched, Used
from mittelo.harness.base import Command, Job, Mode, Stream
from mittelo.harness.kimi import Kimi

KEY = {"KIMI_API_KEY": "sk-1"}


def command(
    env: Mapping[str, str] = {}, *, mode: Mode = Mode.WORK, model: str = "", session: str = ""
) -> Command:
    return Kimi().command(Job(prompt="do it", mode=mode, model=model, session=session, env=env))


def test_the_prompt_comes_last() -> None:
    for mode in Mode:
        assert command(mode=mode, model="m", session="s").argv[-2:] == ["--prompt", "do it"]


def test_a_question_goes_to_its_agent_that_reads() -> None:
    argv = command(mode=Mode.ANSWER).argv
    assert argv[argv.index("--agent") + 1] == "plan"
    assert "--agent" not in command().argv


def test_a_session_keeps_its_agent() -> None:
    assert "--agent" not in command(mode=Mode.ANSWER, session="s").argv


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
