"""Configurations from the text of their layers, as files of these names would make them."""

from collections.abc import Mapping
from pathlib import Path

from mittelo.config.findings import Finding, Gravity, Key
from mittelo.config.layers import environment_source, read_source
from mittelo.config.load import Configuration, assemble

MODELS = """
[defaults]
claude_model = "sonnet-4"
antigravity_model = "Gemini 3.5 Flash (High)"
[harness.cc.models]
opus = "claude-opus-4-7"
sonnet = "claude-sonnet-4-6"
[harness.op.models]
z = "zai-coding-plan/glm-5.1"
gk = "opencode-go/kimi-k2.6"
[harness.ag.models]
flash = "Gemini 3.5 Flash (High)"
[harness.droid]
command = ["droid", "run"]
models = { v1 = "droid-v1" }
[harness.bare]
command = ["bare"]
"""


def configured(
    repository: str = "", user: str = "", env: Mapping[str, str] | None = None
) -> Configuration:
    read = [
        read_source("user", Path("user.toml"), user),
        read_source("repository", Path("repo.toml"), repository),
        environment_source(env or {}),
    ]
    return assemble([source for source, _ in read], [one for _, found in read for one in found])


def about(configuration: Configuration, *key: str) -> list[Finding]:
    """Return the findings about a setting."""
    return [finding for finding in configuration.findings if finding.key == key]


def graver(configuration: Configuration) -> list[tuple[Gravity, Key, str]]:
    """Return what was found that is more than a note, each with its place."""
    found = configuration.of(Gravity.ERROR, Gravity.LANE)
    return [(finding.gravity, finding.key, finding.where) for finding in found]
