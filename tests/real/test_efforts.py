"""The reasoning effort that the user asks for reaches the model, where the real CLI can pass it."""

import pytest
from clis import Claude, Codex, Gemini, RealCli
from mock_model import MockModel
from rallying import Rally

THINKER = "cc:claude-sonnet-4-6"


def start(rally: Rally, agent: str) -> str:
    """Run a relay with low effort and return its warnings."""
    rally.init()
    ended = rally.start(
        "--new", "--iterations=1", "--effort=low", f"--agent={agent}", "ITERATION-PROBE"
    )
    assert ended.code == 0, ended
    assert [made.effort for made in rally.tries] == ["low"]
    return ended.errors


@pytest.mark.parametrize(
    ("cli", "agent", "key"),
    [
        pytest.param(Claude, THINKER, "output_config", id="claude"),
        pytest.param(Codex, f"{Codex.alias}:{Codex.model}", "reasoning", id="codex"),
    ],
    indirect=["cli"],
)
def test_an_effort_reaches_the_model(rally: Rally, model: MockModel, agent: str, key: str) -> None:
    seen = model.seen
    assert start(rally, agent) == ""
    asked = [request.body[key] for request in model.requests(seen) if request.method == "POST"]
    assert asked == [{"effort": "low"}, {"effort": "low"}]


@pytest.mark.parametrize("cli", [Gemini], indirect=True, ids=["gemini"])
def test_an_effort_that_cannot_be_passed_on_is_told_of(cli: RealCli, rally: Rally) -> None:
    assert "gemini has no flag for effort" in start(rally, cli.agent)
