"""GLM models in Claude Code (`claude`), by an endpoint, a key and a folder of their own."""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace
from typing_extensions import override

from mittelo.harness.base import Command, Job
from mittelo.harness.claude import SETTINGS, Claude
from mittelo.harness.needs import Login, Need, Program

_URL = "https://api.z.ai/api/anthropic"
_KEYS = ("MITTELO_GLM_API_KEY", "GLM_API_KEY", "ZAI_API_KEY", "Z_AI_API_KEY")
_OTHERS = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_CUSTOM_HEADERS",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
)
"""What is claude's own, and must not reach another's endpoint."""

_TIERS = ("HAIKU", "SONNET", "OPUS")


class Glm(Claude):
    """Runs `claude` with another login: its endpoint is asked for every model that claude wants."""

    name = "glm"
    aliases = ("gl",)
    measured = "2.1.197"
    folders = ("MITTELO_GLM_CONFIG_DIR",)
    variables = (*_KEYS, "MITTELO_GLM_*", *SETTINGS)
    hosts = ("api.z.ai",)
    url_variables = ("MITTELO_GLM_BASE_URL",)

    @override
    def command(self, job: Job) -> Command:
        return replace(super().command(job), env=_endpoint(job))

    @override
    def needs(self, env: Mapping[str, str]) -> Iterator[Need]:
        yield Program((self.binary,))
        yield Login(_KEYS, (), "Set MITTELO_GLM_API_KEY to a key of its endpoint.")

    @override
    def session_logs(self, session: str, workspace: str, env: Mapping[str, str]) -> list[str]:
        return super().session_logs(session, workspace, {"CLAUDE_CONFIG_DIR": _folder(env, "~")})


def _folder(env: Mapping[str, str], home: str) -> str:
    settings = env.get("XDG_CONFIG_HOME") or f"{env.get('HOME') or home}/.config"
    return env.get("MITTELO_GLM_CONFIG_DIR") or f"{settings}/mittelo/glm"


def _endpoint(job: Job) -> dict[str, str]:
    keys = (job.env[name] for name in _KEYS if job.env.get(name))
    env = dict.fromkeys(_OTHERS, "") | {
        "ANTHROPIC_BASE_URL": job.env.get("MITTELO_GLM_BASE_URL") or _URL,
        "ANTHROPIC_AUTH_TOKEN": next(keys, ""),
        "CLAUDE_CONFIG_DIR": _folder(job.env, job.scratch),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    tiers = [f"ANTHROPIC_DEFAULT_{tier}_MODEL" for tier in _TIERS]
    return env | dict.fromkeys(tiers if job.model else (), job.model)
