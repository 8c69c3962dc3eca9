"""Permits: what is asked for on the command line and in the configuration, and who can keep it."""

from pathlib import Path

import pytest

from mittelo.config.schema import SandboxTable
from mittelo.core.policies import Policy, Tools
from mittelo.errors import MitteloError, UsageError
from mittelo.harness.base import Harness
from mittelo.harness.claude import Claude
from mittelo.harness.declared import Declaration, Declared
from mittelo.harness.mlx import Mlx
from mittelo.harness.pi import Pi
from mittelo.sandbox.bubblewrap import require_bubblewrap
from mittelo.sandbox.permits import Permit, PolicyError, permit_of

MINE = Declared("mine", Declaration(["mine"]))


def permit(
    *, policy: str = "", sandbox: bool | None = None, works: bool = False, **table: object
) -> Permit:
    default = Policy.WRITE if works else Policy.NONE
    held = SandboxTable(**table)  # type: ignore[arg-type]
    return permit_of(held, default, works=works, policy=policy, sandbox=sandbox)


def test_the_command_line_goes_before_the_configuration_and_that_before_the_default() -> None:
    assert (permit().policy, permit().asked) == (Policy.NONE, False)
    assert permit(works=True).policy is Policy.WRITE
    table = SandboxTable(policy="read", enabled=True)
    chosen = permit_of(table, Policy.NONE, works=False, policy="", sandbox=None)
    assert (chosen.policy, chosen.asked, chosen.sandboxed) == (Policy.READ, True, True)
    over = permit_of(table, Policy.NONE, works=False, policy="write", sandbox=False)
    assert (over.policy, over.sandboxed) == (Policy.WRITE, False)


def test_everything_and_a_sandbox_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="full"):
        permit(policy="full", sandbox=True)
    with pytest.raises(UsageError, match="full"):
        permit(policy="full", enabled=True)
    assert permit(policy="full", enabled=True, sandbox=False).policy is Policy.FULL


@pytest.mark.parametrize(
    ("harness", "policy", "sandbox"),
    [
        (MINE, "none", None),
        (MINE, "read", None),
        (MINE, "write", None),
        (MINE, "none", True),
        (None, "read", None),
        (Pi(), "write", None),
    ],
)
def test_what_cannot_be_held_to_a_policy_that_was_asked_for_is_not_run(
    harness: Harness | None, policy: str, sandbox: bool | None
) -> None:
    with pytest.raises(PolicyError, match="cannot be held to the policy"):
        permit(policy=policy, sandbox=sandbox).tools(harness)


@pytest.mark.parametrize(
    ("harness", "policy", "sandbox", "tools"),
    [
        (MINE, "", None, Tools.NONE),
        (MINE, "full", None, Tools.ALL),
        (MINE, "read", True, Tools.READ),
        (MINE, "write", True, Tools.ALL),
        (None, "write", True, Tools.ALL),
        (Mlx(), "none", None, Tools.NONE),
        (Claude(), "write", None, Tools.EDIT),
        (Claude(), "none", None, Tools.NONE),
        (Pi(), "read", None, Tools.READ),
    ],
)
def test_an_agent_has_the_tools_of_its_policy(
    harness: Harness | None, policy: str, sandbox: bool | None, tools: Tools
) -> None:
    assert permit(policy=policy, sandbox=sandbox).tools(harness) is tools


def test_the_word_that_is_offered_instead_can_be_kept() -> None:
    with pytest.raises(PolicyError) as refused:
        permit(policy="write").tools(Pi())
    assert "--policy full" in refused.value.todo


def test_an_agent_is_not_cut_off_from_its_model() -> None:
    for harness in (MINE, Mlx(), None):
        permit(sandbox=True, network="none").require_network(harness, {})
    permit(network="none").require_network(Claude(), {})
    permit(sandbox=True, network="model").require_network(Claude(), {})
    with pytest.raises(PolicyError, match="claude cannot answer without a network"):
        permit(sandbox=True, network="none").require_network(Claude(), {})


def test_without_bubblewrap_a_sandbox_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MitteloError, match="needs bubblewrap") as refused:
        require_bubblewrap()
    assert "Install bubblewrap" in refused.value.todo


def test_where_bubblewrap_can_do_nothing_its_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "No permissions to create namespace"
    (tmp_path / "bwrap").write_text(f"#!/bin/sh\necho '{said}' >&2; exit 1")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(MitteloError, match=said):
        require_bubblewrap()
