"""Kimi Code (`kimi`), read from its stream-json output; facts from version 2.1.0."""

from collections.abc import Iterator, Mapping

from typing_extensions import override

from mittelo.core.faults import Category, Fault
from mittelo.core.policies import Tools
from mittelo.core.signs import Ended, Erred, Said, Session, Sign, Touched, Used
from mittelo.harness.base import (
    ARGV_BYTES,
    Command,
    Harness,
    Job,
    Stream,
    count,
    file_of_ours,
    first_text,
    folder_of,
    home_of,
    parse_json,
)
from mittelo.harness.needs import Login, Need, Trace

_MODEL = "kimi-for-coding"
_CODING_URL = "https://api.kimi.com/coding/v1"
_EDITS = {"Edit", "Write"}
_DETAILS = ("command", "path", "pattern", "query", "url", "description")


class Kimi(Harness):
    """Runs `kimi -p PROMPT`. Resumes in the same folder only, as the agent that it was begun with.

    It takes no prompt on stdin. With a key and no login it is told of a model by variables.
    An agent of ours has the named tools alone (2.1.0), in a session that was begun with it; its
    `Read` reads everywhere, its `Write` would write everywhere.
    """

    name = "kimi"
    aliases = ("ki",)
    binary = "kimi"
    resumes = True
    prompt_limit = ARGV_BYTES
    folders = ("KIMI_CODE_HOME",)
    key_files: Mapping[str, str] = {"KIMI_API_KEY": ".ssh/kimi.token"}
    keeps = (Tools.NONE, Tools.READ, Tools.ALL)
    variables = ("KIMI_*", "MOONSHOT_API_KEY")
    hosts = ("api.kimi.com", "api.kimi.ai", "auth.kimi.com", "api.moonshot.ai", "api.moonshot.cn")
    url_variables = ("KIMI_MODEL_BASE_URL", "KIMI_CODE_BASE_URL", "KIMI_BASE_URL")
    measured = "2.1.0"
    noise = ("See log: ",)
    faults = (
        Fault(
            Category.SESSION_LOST,
            r'session "[^"]+" (?:not found|was created under a different directory)',
        ),
        Fault(Category.INVALID_MODEL, r'model "[^"]*" is not configured'),
        Fault(
            Category.AUTH_OR_PROXY,
            r"provider\.auth_error|no (?:default )?model configured|llm not set",
        ),
    )

    @override
    def command(self, job: Job) -> Command:
        """Return the command; a session keeps the agent that it was begun with."""
        argv = [self.binary, "--output-format", "stream-json"]
        if job.session:
            argv += ["--session", job.session]
        elif job.tools is not Tools.ALL:
            argv += ["--agent-file", file_of_ours(f"kimi-{self.held_to(job.tools)}.md")]
        env = _by_key(job)
        if job.model and not env:
            argv += ["--model", job.model]
        return Command(argv=[*argv, "--prompt", job.prompt], env=env)

    @override
    def read(self, line: bytes, stream: Stream) -> Iterator[Sign]:
        """Read a line; its last one names the session, and comes after a success only."""
        if stream is not Stream.OUT:
            return
        match parse_json(line):
            case {"role": "assistant", **message}:
                yield from _message(message)
            case {"role": "meta", "type": "turn.step.retrying", **event}:
                error = first_text(event, ("error_message", "error_name"))
                yield Erred(error or "error", count(event, "status_code") or None, passing=True)
            case {"role": "meta", "type": "session.resume_hint", "session_id": str(session)}:
                yield Session(session)
                yield Ended(ok=True)

    @override
    def needs(self, env: Mapping[str, str]) -> Iterator[Need]:
        yield from super().needs(env)
        folder = folder_of(env, "KIMI_CODE_HOME", f"{home_of(env)}/.kimi-code")
        traces = (
            Trace(f"{home_of(env)}/.ssh/kimi.token"),
            Trace(f"{folder}/config.toml", "[providers"),
        )
        keys = ("KIMI_API_KEY", "KIMI_MODEL_API_KEY")
        yield Login(keys, traces, "Run `kimi login`, or set KIMI_API_KEY.")

    @override
    def session_logs(self, session: str, workspace: str, env: Mapping[str, str]) -> list[str]:
        del workspace
        folder = folder_of(env, "KIMI_CODE_HOME", f"{home_of(env)}/.kimi-code")
        return [f"{folder}/sessions/*/{session}/agents/main/wire.jsonl"]


def _by_key(job: Job) -> dict[str, str]:
    """Return the variables by which a key alone is enough; what the user set himself stays."""
    key = job.env.get("KIMI_API_KEY")
    if not key or job.env.get("KIMI_MODEL_NAME"):
        return {}
    model = job.model or _MODEL
    address = job.env.get("KIMI_BASE_URL") or (_CODING_URL if model == _MODEL else "")
    env = {"KIMI_MODEL_NAME": model, "KIMI_MODEL_API_KEY": key, "MOONSHOT_API_KEY": key}
    return env | ({"KIMI_MODEL_BASE_URL": address} if address else {})


def _message(message: dict[str, object]) -> Iterator[Sign]:
    if text := first_text(message, ("content",)):
        yield Said(text)
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        match call:
            case {"function": {"name": str(tool), "arguments": str(given)}}:
                yield from _tool(tool, parse_json(given.encode(errors="replace")))


def _tool(tool: str, given: dict[str, object]) -> Iterator[Sign]:
    yield Used(tool, first_text(given, _DETAILS))
    if tool in _EDITS and (path := first_text(given, ("path",))):
        yield Touched(path)
