"""Antigravity prints text, and keeps the rest to a log file."""

from mittelo.core.policies import Tools
from mittelo.core.signs import Reading, Session
from mittelo.harness.antigravity import Antigravity
from mittelo.harness.base import Job, JsonKey, Stream

SESSION = "0f0f0f0f-aaaa-4bbb-8ccc-121212121212"


def test_its_answer_keeps_its_lines() -> None:
    reading = Reading()
    for line in (b"First.", b"- one", b"- two \xff"):
        for sign in Antigravity().read(line, Stream.OUT):
            reading.hear(sign)
    assert reading.final == "First.\n- one\n- two \ufffd"


def test_the_conversation_is_named_in_its_log_and_nowhere_else() -> None:
    line = b"I0101 Print mode: conversation=%s (new), was conversation=7" % SESSION.encode()
    assert [*Antigravity().read(line, Stream.LOG)] == [Session(SESSION)]
    assert [*Antigravity().read(line, Stream.ERR)] == []
    assert Session not in {type(sign) for sign in Antigravity().read(line, Stream.OUT)}


def test_the_last_conversation_in_the_log_counts() -> None:
    line = b"Print mode: conversation=aa, Print mode: conversation=bb"
    assert [*Antigravity().read(line, Stream.LOG)] == [Session("aa"), Session("bb")]


def test_its_log_goes_to_the_scratch_folder() -> None:
    command = Antigravity().command(Job(prompt="x", scratch="/s"))
    assert command.log == "/s/agy.log"
    assert "--log-file=/s/agy.log" in command.argv


def test_its_model_is_a_key_of_its_settings() -> None:
    command = Antigravity().command(Job(prompt="x", model="Gemini 3.5 Flash (High)"))
    assert command.settings == (
        JsonKey(".gemini/antigravity-cli/settings.json", "model", "Gemini 3.5 Flash (High)"),
    )
    assert Antigravity().command(Job(prompt="x")).settings == ()


def test_the_prompt_comes_last_and_every_flag_before_it() -> None:
    for tools in Tools:
        argv = Antigravity().command(Job(prompt="do it", tools=tools, session=SESSION)).argv
        assert argv[-2:] == ["--print", "do it"]
        assert argv[-3] == f"--conversation={SESSION}"
