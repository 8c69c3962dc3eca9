"""Policies: which tools they come to."""

import pytest

from mittelo.core.policies import Policy, Tools, tools_of


@pytest.mark.parametrize(
    ("policy", "answering", "working", "sandboxed"),
    [
        (Policy.NONE, Tools.NONE, Tools.NONE, Tools.NONE),
        (Policy.READ, Tools.READ, Tools.READ, Tools.READ),
        (Policy.WRITE, Tools.EDIT, Tools.ALL, Tools.ALL),
        (Policy.FULL, Tools.ALL, Tools.ALL, Tools.ALL),
    ],
)
def test_a_policy_comes_to_tools(
    policy: Policy, answering: Tools, working: Tools, sandboxed: Tools
) -> None:
    assert tools_of(policy, works=False, sandboxed=False) is answering
    assert tools_of(policy, works=True, sandboxed=False) is working
    assert tools_of(policy, works=False, sandboxed=True) is sandboxed
