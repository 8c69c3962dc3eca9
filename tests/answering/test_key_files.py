"""A key may lie in a file, for a CLI that reads it from its environment."""

from pathlib import Path

import pytest

from mittelo.answering.backends import Agent
from mittelo.answering.launching import child_environment
from mittelo.harness.kimi import Kimi

KIMI = Agent(("kimi",), Kimi(), "", "built in")


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "home/.ssh/kimi.token"
    file.parent.mkdir()
    file.write_text("sk-filed\n")
    return file


@pytest.mark.usefixtures("token")
def test_a_key_in_a_file_is_found() -> None:
    assert child_environment(KIMI)["KIMI_API_KEY"] == "sk-filed"


@pytest.mark.usefixtures("token")
def test_a_key_that_was_given_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIMI_API_KEY", "sk-given")
    assert child_environment(KIMI)["KIMI_API_KEY"] == "sk-given"


def test_without_a_file_there_is_no_key() -> None:
    assert not child_environment(KIMI).get("KIMI_API_KEY")
