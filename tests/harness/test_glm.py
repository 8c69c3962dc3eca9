"""glm is claude with a login of its own: nothing of one reaches the other."""

import pytest

from mittelo.harness.base import Job
from mittelo.harness.claude import Claude
from mittelo.harness.glm import Glm
from mittelo.harness.needs import Login, Program

HOME = {"HOME": "/home/me"}


def env(model: str = "", scratch: str = "", **given: str) -> dict[str, str]:
    return Glm().command(Job(prompt="x", model=model, scratch=scratch, env=given)).env


def test_it_is_started_like_claude() -> None:
    job = Job(prompt="x", model="glm-9", effort="high", session="s", env=HOME)
    assert Glm().command(job).argv == Claude().command(job).argv


def test_keys_of_claude_do_not_reach_its_endpoint() -> None:
    made = env(**HOME, ANTHROPIC_API_KEY="sk-ant", CLAUDE_CODE_OAUTH_TOKEN="oat")
    assert "sk-ant" not in made.values()
    assert made["ANTHROPIC_API_KEY"] == made["CLAUDE_CODE_OAUTH_TOKEN"] == ""
    assert made["ANTHROPIC_AUTH_TOKEN"] == ""


def test_its_endpoint_key_and_folder_are_its_own() -> None:
    made = env(**HOME, ZAI_API_KEY="z", MITTELO_GLM_API_KEY="g", ANTHROPIC_BASE_URL="http://a")
    assert made["ANTHROPIC_AUTH_TOKEN"] == "g"
    assert made["ANTHROPIC_BASE_URL"] == "https://api.z.ai/api/anthropic"
    assert made["CLAUDE_CONFIG_DIR"] == "/home/me/.config/mittelo/glm"


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("MITTELO_GLM_BASE_URL", "ANTHROPIC_BASE_URL"),
        ("MITTELO_GLM_CONFIG_DIR", "CLAUDE_CONFIG_DIR"),
    ],
)
def test_each_of_them_can_be_named(name: str, variable: str) -> None:
    assert env(**HOME, **{name: "/there"})[variable] == "/there"


def test_every_model_that_claude_wants_is_the_one_named() -> None:
    made = env("glm-9", **HOME)
    assert [made[f"ANTHROPIC_DEFAULT_{tier}_MODEL"] for tier in ("HAIKU", "SONNET", "OPUS")] == [
        "glm-9"
    ] * 3
    assert not any("MODEL" in name for name in env(**HOME))


def test_without_a_home_its_folder_is_that_of_the_try() -> None:
    assert env(scratch="/s")["CLAUDE_CONFIG_DIR"] == "/s/.config/mittelo/glm"


def test_its_sessions_lie_in_its_folder() -> None:
    patterns = Glm().session_logs("s", "/w", HOME)
    assert patterns[0] == "/home/me/.config/mittelo/glm/projects/-w/s.jsonl"


def test_a_login_of_claude_is_none_of_its() -> None:
    program, login = Glm().needs(HOME)
    assert program == Program(("claude",))
    assert isinstance(login, Login)
    assert login.traces == ()
    assert "ANTHROPIC_API_KEY" not in login.variables
