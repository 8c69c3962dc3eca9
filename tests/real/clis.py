"""The real agent CLIs, each in a home of its own and pointed at a mock model."""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

PATIENCE_MS = 5000


@dataclass(frozen=True)
class RealCli(ABC):
    """One CLI; with `quick_retries` it gives up on a failing model as soon as it can be told to."""

    name: ClassVar[str]
    alias: ClassVar[str]
    model: ClassVar[str]
    sessions: ClassVar[str]
    """The folder below the home in which it keeps its conversations."""

    home: Path
    url: str
    bin_dir: Path
    quick_retries: bool = False

    @property
    def agent(self) -> str:
        """How a relay is told to run it, with the model that the mock plays."""
        return f"{self.alias}:{self.model}"

    @property
    @abstractmethod
    def files(self) -> Mapping[str, str]:
        """The settings files that it wants, by their paths below the home folder."""

    @property
    @abstractmethod
    def variables(self) -> Mapping[str, str]:
        """What it wants in the environment beyond what every program does."""

    @property
    def environment(self) -> dict[str, str]:
        """A complete environment, in which git finds nobody's identity."""
        return {
            "PATH": f"{self.bin_dir}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "TMPDIR": str(self.home / "tmp"),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "XDG_DATA_HOME": str(self.home / ".local/share"),
            "XDG_STATE_HOME": str(self.home / ".local/state"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            **self.variables,
        }

    def settle(self) -> None:
        """Furnish the home folder."""
        (self.home / "tmp").mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            path = self.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)


class Claude(RealCli):
    """Retries a failing model for three minutes if not told otherwise."""

    name = "claude"
    alias = "cc"
    model = "claude-haiku-4-5"
    sessions = ".claude/projects"

    @property
    def files(self) -> Mapping[str, str]:
        return {}

    @property
    def variables(self) -> Mapping[str, str]:
        quick = {"CLAUDE_CODE_MAX_RETRIES": "1", "API_TIMEOUT_MS": str(PATIENCE_MS)}
        return {
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "sk-ant-dummy-key",
            "CLAUDE_CONFIG_DIR": str(self.home / ".claude"),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "DISABLE_TELEMETRY": "1",
            "IS_SANDBOX": "1",
            **(quick if self.quick_retries else {}),
        }


class Codex(RealCli):
    """Offers plain function tools to a model of this name; newer names mean its code mode."""

    name = "codex"
    alias = "cx"
    model = "gpt-5.5"
    sessions = ".codex/sessions"

    @property
    def files(self) -> Mapping[str, str]:
        settings = [
            f'model = "{self.model}"',
            'model_provider = "mock"',
            "check_for_update_on_startup = false",
            "[analytics]",
            "enabled = false",
            "[features]",
            "apps = false",
            "plugins = false",
            "remote_plugin = false",
            "[model_providers.mock]",
            'name = "mock"',
            f'base_url = "{self.url}/v1"',
            'wire_api = "responses"',
            'env_key = "MOCK_API_KEY"',
        ]
        quick = [
            "request_max_retries = 1",
            "stream_max_retries = 1",
            f"stream_idle_timeout_ms = {PATIENCE_MS}",
        ]
        lines = settings + quick if self.quick_retries else settings
        return {".codex/config.toml": "\n".join(lines)}

    @property
    def variables(self) -> Mapping[str, str]:
        return {"CODEX_HOME": str(self.home / ".codex"), "MOCK_API_KEY": "dummy-key"}


class Gemini(RealCli):
    """Unless a model is named, asks another model first which one to ask."""

    name = "gemini"
    alias = "ge"
    model = "gemini-2.5-pro"
    sessions = ".gemini/tmp"

    @property
    def files(self) -> Mapping[str, str]:
        settings = {
            "general": {
                "disableAutoUpdate": True,
                "enableAutoUpdate": False,
                **({"maxAttempts": 2} if self.quick_retries else {}),
            },
            "privacy": {"usageStatisticsEnabled": False},
            "security": {
                "auth": {"selectedType": "gemini-api-key"},
                "folderTrust": {"enabled": False},
            },
            "telemetry": {"enabled": False},
        }
        return {".gemini/settings.json": json.dumps(settings)}

    @property
    def variables(self) -> Mapping[str, str]:
        return {
            "GEMINI_API_KEY": "dummy-key",
            "GEMINI_CLI_NO_RELAUNCH": "true",
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
            "GOOGLE_GEMINI_BASE_URL": self.url,
        }


class OpenCode(RealCli):
    """Takes the mock for a provider of its own; its retries of errors cannot be shortened.

    It installs a package into each of its folders, which npm is told not to fetch.
    """

    name = "opencode"
    alias = "op"
    model = "mock/mock-model"
    sessions = ".local/share/opencode"

    @property
    def files(self) -> Mapping[str, str]:
        patience = ("timeout", "headerTimeout", "chunkTimeout") if self.quick_retries else ()
        provider = {
            "npm": "@ai-sdk/openai-compatible",
            "options": {
                "baseURL": f"{self.url}/v1",
                "apiKey": "dummy-key",
                **dict.fromkeys(patience, PATIENCE_MS),
            },
            "models": {
                "mock-model": {"tool_call": True, "limit": {"context": 128000, "output": 8192}}
            },
        }
        settings = {
            "autoupdate": False,
            "share": "disabled",
            "model": self.model,
            "small_model": self.model,
            "provider": {"mock": provider},
        }
        return {".config/opencode/opencode.json": json.dumps(settings)}

    @property
    def variables(self) -> Mapping[str, str]:
        return {
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_PURE": "1",
            "npm_config_offline": "true",
        }


REAL_CLIS: tuple[type[RealCli], ...] = (Claude, Codex, Gemini, OpenCode)


def settle_together(clis: Sequence[RealCli]) -> dict[str, str]:
    """Furnish the home that these CLIs share; return an environment that serves all of them."""
    merged: dict[str, str] = {}
    for cli in clis:
        cli.settle()
        merged |= cli.environment
    return merged
