"""The settings: names, types and defaults of every key that the configuration may hold."""

from msgspec import Struct, field

from mittelo.harness.declared import Declaration

SCHEMA_VERSION = 2


class Defaults(Struct, frozen=True):
    """`[defaults]`: how a relay is started when the command line does not say."""

    iterations: int = 0
    mix: str = ""
    antigravity_model: str = ""
    claude_model: str = ""
    codex_model: str = ""
    copilot_model: str = ""
    gemini_model: str = ""
    glm_model: str = ""
    kimi_model: str = ""
    kiro_model: str = ""
    mlx_model: str = ""
    opencode_model: str = ""
    pi_model: str = ""
    qwen_model: str = ""


class FreeRun(Struct, frozen=True):
    """`[free_run]`: runs without a queue. A run that changes nothing fails, unless allowed."""

    prompt_file: str = ""
    require_changes: bool = True


class Laps(Struct, frozen=True):
    """`[laps]`: runs that work a queue; a file that takes the place of the instructions."""

    instructions_file: str = ""


class Reliability(Struct, frozen=True):
    """`[reliability]`: attempts of a run, seconds of a try, and what prompts tell of the past.

    Limits of characters: 0 means no limit.
    """

    retry_budget: int = 5
    run_timeout_secs: int = 4500
    try_timeout_secs: int = 3600
    handoff_timeout_secs: int = 300
    stall_threshold_secs: int = 900
    connected_stall_secs: int = 300
    liveness_probe: bool = False
    recent_try_count: int = 5
    recent_try_char_limit: int = 1000
    recent_context_char_limit: int = 6000


class Budget(Struct, frozen=True):
    """`[budget]`: US dollars and tokens that a try, run, relay or day may use; 0 means any."""

    try_usd: float = 0.0
    run_usd: float = 0.0
    relay_usd: float = 0.0
    day_usd: float = 0.0
    try_tokens: int = 0
    run_tokens: int = 0
    relay_tokens: int = 0
    day_tokens: int = 0


class Notify(Struct, frozen=True):
    """`[notify]`: a program that is told what a relay came to; no events mean all of them."""

    command: list[str] = []
    events: list[str] = []


class SandboxTable(Struct, frozen=True):
    """`[sandbox]`: what runs may do, and what of this machine they see; see docs/policies.md."""

    policy: str = ""
    enabled: bool = False
    network: str = "open"
    hosts: list[str] = []
    readable: list[str] = []
    writable: list[str] = []
    home_files: list[str] = []
    logins: list[str] = []
    variables: list[str] = []


class HarnessTable(Struct, frozen=True):
    """`[harness.NAME]`: a CLI of the user's own, or model names for a built-in one."""

    command: list[str] = []
    model_flag: str | None = None
    output_strategy: str = "tail"
    output_lines: int = 40
    tail_stream: str = "combined"
    models: dict[str, str] = {}

    def declaration(self) -> Declaration:
        """Return what the harness is built from."""
        return Declaration(
            self.command, self.model_flag, self.tail_stream, self.output_lines, self.models
        )


class ProviderTable(Struct, frozen=True):
    """`[providers.NAME]`: runners that share one quota. An array alone means `models`."""

    models: list[str] = []
    exclude: list[str] = []
    disabled: bool = False


class Settings(Struct, frozen=True):
    """The whole configuration, the repository's over the user's over the built-in."""

    schema_version: int = SCHEMA_VERSION
    data_dir: str = ""
    run_hooks_on_autocommit: bool = False
    defaults: Defaults = field(default_factory=Defaults)
    free_run: FreeRun = field(default_factory=FreeRun)
    laps: Laps = field(default_factory=Laps)
    reliability: Reliability = field(default_factory=Reliability)
    budget: Budget = field(default_factory=Budget)
    notify: Notify = field(default_factory=Notify)
    sandbox: SandboxTable = field(default_factory=SandboxTable)
    routes: dict[str, list[str]] = {}
    reasoning: dict[str, str] = {}
    providers: dict[str, list[str] | ProviderTable] = {}
    harness: dict[str, HarnessTable] = {}


UNUSED = {
    ("reliability", "liveness_probe"): "no agent is asked yet whether it lives",
}
"""Settings that are read and checked, and that nothing obeys yet; whoever sets one is told."""
