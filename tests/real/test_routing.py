"""Lanes, rosters and harnesses of the user's own, with the real CLIs."""

import json
from pathlib import Path

import pytest
from clis import REAL_CLIS, Claude, Codex, Gemini, OpenCode, RealCli, settle_together
from fault_front import Request
from mock_model import MockModel
from rallying import Rally

THINKER = "claude-sonnet-4-6"
TASK = "ITERATION-PROBE create a unique file"
MODELS = f"""
[defaults]
claude_model = "{THINKER}"
codex_model = "{Codex.model}"
gemini_model = "{Gemini.model}"
opencode_model = "{OpenCode.model}"
"""
ROUTES = """
[routes]
default = ["cc:2", "cx:1"]
planner = ["cc:2"]
verify = ["cx:1", "claude:1"]
[reasoning]
default = "low"
Verify = "high"
"""
MYCODE = f"""
[harness.mycode]
command = ["opencode", "run", "$PROMPT", "--format", "json"]
model_flag = "--model"
output_strategy = "tail"
output_lines = 50
tail_stream = "stdout"
[harness.mycode.models]
kimi = "{OpenCode.model}"
mini = "opencode/big-pickle"
"""


@pytest.fixture
def rally(repository: Path, tmp_path: Path, bin_dir: Path, model: MockModel) -> Rally:
    home = tmp_path / "home"
    clis: list[RealCli] = [kind(home=home, url=model.url, bin_dir=bin_dir) for kind in REAL_CLIS]
    return Rally(repository, settle_together(clis))


def run(rally: Rally, iterations: int, *words: str) -> str:
    """Run a relay to its good end; return what it warned of."""
    ended = rally.start("--new", f"--iterations={iterations}", *words, TASK)
    assert ended.code == 0, ended
    assert all(made.completed for made in rally.tries)
    assert len(list(rally.repository.glob("made-*"))) == len(rally.tries)
    assert rally.git("status", "--porcelain") == []
    return ended.errors


def agents(rally: Rally) -> list[str]:
    return [made.agent_type for made in rally.tries]


def asked(model: MockModel, since: int, key: str) -> list[object]:
    """Return what the model was asked for under a key, in all requests that say so."""
    bodies = [request.body for request in model.requests(since) if _asks(request)]
    return [body[key] for body in bodies if key in body]


def _asks(request: Request) -> bool:
    paths = ("/v1/messages", "/v1/responses", "/v1/chat/completions")
    return request.method == "POST" and request.path.partition("?")[0] in paths


def test_a_harness_of_the_users_own_runs_a_real_cli(rally: Rally, model: MockModel) -> None:
    rally.init(MYCODE)
    seen = model.seen
    warned = run(rally, 1, "--agent=mycode:kimi")
    assert "TUI" not in warned
    made = rally.tries[0]
    assert (made.agent_type, made.model, made.outcome) == ("mycode", OpenCode.model, "completed")
    assert "\x1b" not in made.summary
    assert "one more file is made" in made.summary
    assert "mycode" in rally.relays[0].agent_mix
    assert set(asked(model, seen, "model")) == {"mock-model"}


def test_a_harness_that_would_open_a_tui_is_told_of(rally: Rally) -> None:
    rally.init('[harness.mycode]\ncommand = ["opencode"]\n')
    done = rally.ask("routes", "check")
    assert done.code == 0, done
    assert "TUI mode" in done.output
    assert "mycode" in done.output


def test_a_count_alone_keeps_claude_for_all_runs(rally: Rally) -> None:
    rally.init(MODELS)
    run(rally, 2, "--agent=cc:2")
    assert agents(rally) == ["claude", "claude"]
    assert rally.relays[0].agent_mix == "__override__:cc:2"


@pytest.mark.parametrize(
    ("roster", "expected"),
    [
        pytest.param("cc ge op", [Claude.name, Gemini.name, OpenCode.name], id="without codex"),
        pytest.param("cx op,cc", [Codex.name, OpenCode.name, Claude.name], id="with codex"),
    ],
)
def test_a_roster_rotates_one_run_each(rally: Rally, roster: str, expected: list[str]) -> None:
    rally.init(MODELS)
    ended = rally.start("--new", "--iterations=3", f"--agent={roster}", TASK)
    assert ended.code == 0, ended
    assert agents(rally) == expected
    headers = [line for line in ended.output.splitlines() if line.lstrip().startswith("[")]
    assert [line.split()[1].partition(":")[0] for line in headers] == expected


def test_lanes_serve_real_clis_with_the_effort_of_their_role(
    rally: Rally, model: MockModel
) -> None:
    rally.init(f"{MODELS}{ROUTES}")
    checked = rally.ask("routes", "check")
    assert checked.code == 0, checked
    for lane in ("- default: 2 entries", "- planner: 1 entry", "- verify: 2 entries"):
        assert lane in checked.output
    seen = model.seen
    run(rally, 3)
    assert agents(rally) == ["claude", "claude", "codex"]
    assert rally.relays[0].agent_mix == "__routes__"
    assert asked(model, seen, "output_config") == [{"effort": "low"}] * 4
    assert [one for one in asked(model, seen, "reasoning") if one] == [{"effort": "low"}] * 2
    assert {made.effort for made in rally.tries} == {"low"}


def test_a_role_picks_its_lane_effort_and_text(rally: Rally, model: MockModel) -> None:
    rally.init(f"{MODELS}{ROUTES}")
    foretold = json.loads(rally.ask("routes", "next", "--role=verify", "--json").output)
    assert (foretold["runner"], foretold["lane"]) == (f"codex:{Codex.model}", "verify")
    seen = model.seen
    assert run(rally, 2, "--role=verify") == ""
    assert agents(rally) == ["codex", "claude"]
    assert {(made.role, made.effort) for made in rally.tries} == {("verify", "high")}
    assert [one for one in asked(model, seen, "reasoning") if one] == [{"effort": "high"}] * 2
    assert asked(model, seen, "output_config") == [{"effort": "high"}] * 2
    assert any("# Verify" in request.text for request in model.requests(seen))


@pytest.mark.parametrize("lane", [True, False], ids=["lane", "roster"])
def test_a_model_is_named_under_another_spelling_of_its_harness(
    rally: Rally, model: MockModel, lane: bool
) -> None:
    routes = '[routes]\ndefault = ["claude:x", "cx"]\n' if lane else ""
    rally.init(
        f'{routes}[defaults]\nclaude_model = "claude-haiku-4-5"\n'
        f'[harness.cc.models]\nx = "{THINKER}"\n'
    )
    seen = model.seen
    run(rally, 1, *([] if lane else ["--agent=claude:x"]))
    assert [made.model for made in rally.tries] == [THINKER]
    assert set(asked(model, seen, "model")) == {THINKER}
