"""What runs are permitted: the policy, and whether an outer sandbox keeps them to it."""

from collections.abc import Mapping

from msgspec import Struct

from mittelo.config.schema import SandboxTable
from mittelo.core.policies import Network, Policy, Tools, tools_of
from mittelo.errors import MitteloError, UsageError
from mittelo.harness.base import Harness


class PolicyError(MitteloError):
    """A run that cannot be kept to what it may do, and is not run."""


class Permit(Struct, frozen=True, kw_only=True):
    """What runs may do. `asked`: somebody named the policy; then what cannot keep it is not run.

    `works`: they work in a repository, and do not merely answer. `path` is their PATH, where it
    is not ours.
    """

    policy: Policy
    asked: bool = False
    works: bool = False
    sandboxed: bool = False
    path: str = ""
    table: SandboxTable = SandboxTable()

    @property
    def writes(self) -> bool:
        """Tell whether the workspace may be changed."""
        return self.policy in {Policy.WRITE, Policy.FULL}

    def tools(self, harness: Harness | None) -> Tools:
        """Return the tools that an agent is given; raises where it cannot be held to them."""
        tools = tools_of(self.policy, works=self.works, sandboxed=self.sandboxed)
        if self.asked and tools is not Tools.ALL and not self._keeps(harness, tools):
            name = harness.name if harness else "a program of your own"
            raise PolicyError(
                f"{name} cannot be held to the policy {self.policy}.",
                f"Let a sandbox do it (--sandbox), or allow more: --policy {self._wider(harness)}.",
            )
        return tools

    def require_network(self, harness: Harness | None, env: Mapping[str, str]) -> None:
        """Raise where an agent is cut off from its own model."""
        alone = self.sandboxed and self.table.network == Network.NONE
        if alone and harness and harness.endpoints(env):
            raise PolicyError(
                f"{harness.name} cannot answer without a network.",
                'Set sandbox.network to "model", which reaches its model and nothing else.',
            )

    def _keeps(self, harness: Harness | None, tools: Tools) -> bool:
        """Tell whether the CLI, or where it only reads the sandbox, holds the agent to this."""
        held = harness is not None and (not harness.works or tools in harness.keeps)
        return held or (self.sandboxed and tools is Tools.READ)

    def _wider(self, harness: Harness | None) -> Policy:
        keeps = harness.keeps if harness else ()
        wider = [Policy.READ] if Tools.READ in keeps and self.policy is Policy.NONE else []
        wider += [Policy.WRITE] if Tools.EDIT in keeps and self.policy is not Policy.WRITE else []
        return next(iter(wider), Policy.FULL)


def permit_of(
    table: SandboxTable, default: Policy, *, works: bool, policy: str = "", sandbox: bool | None
) -> Permit:
    """Return what runs may do: as the command line says, else the configuration, else a default."""
    word = policy or table.policy
    sandboxed = table.enabled if sandbox is None else sandbox
    chosen = Policy(word) if word else default
    if chosen is Policy.FULL and sandboxed:
        raise UsageError(
            "The policy full lets a run do anything; a sandbox would not.",
            "Give another policy, or --no-sandbox.",
        )
    return Permit(policy=chosen, asked=bool(word), works=works, sandboxed=sandboxed, table=table)
