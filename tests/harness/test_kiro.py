"""kiro prints text, in colours and with a sign before it."""

import pytest

from mittelo.core.policies import Tools
from mittelo.core.signs import Reading
from mittelo.harness.base import Job, Stream
from mittelo.harness.kiro import Kiro

PRINTED = """\
\x1b[38;5;141m> \x1b[0mFirst.

- one
> quoted
▸ Credits: 0.1 • Time: 2s
""".encode()


def test_its_answer_is_the_text_alone() -> None:
    reading = Reading()
    for line in PRINTED.split(b"\n"):
        for sign in Kiro().read(line, Stream.OUT):
            reading.hear(sign)
    assert Kiro().answer(reading, PRINTED, b"").strip() == "First.\n\n- one\n> quoted"


@pytest.mark.parametrize(
    ("tools", "trust"),
    [
        (Tools.NONE, "--trust-tools="),
        (Tools.READ, "--trust-tools=fs_read"),
        (Tools.EDIT, "--trust-tools=fs_read"),
        (Tools.ALL, "--trust-all-tools"),
    ],
)
def test_tools_that_write_are_trusted_for_everything_alone(tools: Tools, trust: str) -> None:
    command = Kiro().command(Job(prompt="x", tools=tools, model="m"))
    assert command.argv == [
        *("kiro-cli", "chat", "--no-interactive", "--wrap", "never", "--model", "m", trust)
    ]
    assert command.stdin == "x"


def test_its_flags_are_those_of_the_command_chat() -> None:
    assert Kiro().help_words == ("chat", "--help")
    assert {"--no-interactive", "--trust-tools", "--trust-all-tools"} <= {*Kiro().flags()}


def test_its_exit_codes_have_names() -> None:
    assert Kiro().explain_exit(3) == "an MCP server did not start"
