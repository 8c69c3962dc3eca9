"""The harness of whatever sits in a tmux session."""

from mittelo.core.policies import Tools
from mittelo.harness.base import Job
from mittelo.harness.needs import Program
from mittelo.harness.tmux import Tmux


def argv(**env: str) -> list[str]:
    return Tmux().command(Job(prompt="x", tools=Tools.NONE, env=env)).argv[1:]


def test_it_starts_our_own_agent() -> None:
    assert argv() == ["-P", "-m", "mittelo.agents.tmux"]
    assert Tmux().command(Job(prompt="x")).stdin == "x"


def test_variables_say_where_and_how_long_it_asks() -> None:
    given = {"SESSION": "-desk", "END": "^done$", "QUIET": "3", "WAIT": "60"}
    assert argv(**{f"MITTELO_TMUX_{name}": value for name, value in given.items()})[3:] == [
        *("--session=-desk", "--end=^done$", "--quiet=3", "--wait=60")
    ]


def test_it_needs_tmux() -> None:
    assert [*Tmux().needs({})] == [Program(("tmux",))]
