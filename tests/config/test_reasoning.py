"""What a role prefers where an entry names no model."""

import pytest
from tests.config.configs import configured

from mittelo.config.reasoning import prefer, preference
from mittelo.core.mixes import parse_entry
from mittelo.core.routes import Runner
from mittelo.errors import UsageError

TEXT = """
[defaults]
claude_model = "usual"
[harness.claude.models]
opus-high = "claude-opus"
[harness.cx.models]
high = "gpt-high"
[reasoning]
Planner = " high "
verify = "cc:opus-high"
alias = "opus-high"
odd = "ludicrous"
nothing = " "
slip = "cc:opus-hihg"
nobody = "gm:x"
"""
CATALOGUE = configured(TEXT).catalogue
ROWS = [
    ("cc", "planner", Runner("claude", "usual", "high")),
    ("cc", " PLANNER ", Runner("claude", "usual", "high")),
    ("cx", "planner", Runner("codex", "gpt-high")),
    ("op", "planner", Runner("opencode", "", "high")),
    ("cc", "verify", Runner("claude", "claude-opus")),
    ("cx", "verify", Runner("codex", "")),
    ("cc", "alias", Runner("claude", "claude-opus")),
    ("cx", "alias", Runner("codex", "", "opus-high")),
    ("ag", "odd", Runner("antigravity", "", "ludicrous")),
    ("cc", "nothing", Runner("claude", "usual")),
    ("cc", "stranger", Runner("claude", "usual")),
    ("cc", "", Runner("claude", "usual")),
    ("cx", "slip", Runner("codex", "")),
]


@pytest.mark.parametrize(("entry", "role", "runner"), ROWS)
def test_a_role_prefers_a_model_or_an_effort(entry: str, role: str, runner: Runner) -> None:
    harness, model = CATALOGUE.resolve(parse_entry(entry))
    assert prefer(CATALOGUE, harness, model, role) == runner


@pytest.mark.parametrize(("role", "what"), [("slip", "'opus-hihg'"), ("nobody", "'gm'")])
def test_a_preference_that_names_nothing_is_refused(role: str, what: str) -> None:
    harness, model = CATALOGUE.resolve(parse_entry("cc"))
    with pytest.raises(UsageError, match=what):
        prefer(CATALOGUE, harness, model, role)


def test_a_role_in_any_case_has_its_preference() -> None:
    assert [preference(CATALOGUE, role) for role in ("PLANNER", "planner ", "x")] == [
        "high",
        "high",
        "",
    ]
