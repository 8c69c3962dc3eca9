"""pi (`pi`), read from `pi --mode json`; facts from version 0.73.1."""

import re
from collections.abc import Iterator, Mapping

from typing_extensions import override

from mittelo.core.faults import Category, Fault
from mittelo.core.policies import Tools
from mittelo.core.signs import (
    Ended,
    Erred,
    Model,
    Said,
    Session,
    Sign,
    Spent,
    Thought,
    Tokens,
    Touched,
    Used,
)
from mittelo.harness.accounts import AWS, GOOGLE, PROVIDERS, hosts_of
from mittelo.harness.base import (
    Command,
    Harness,
    Job,
    Stream,
    count,
    dollars,
    first_text,
    folder_of,
    home_of,
    parse_json,
)
from mittelo.harness.needs import Login, Need, Trace

_READING = "read,grep,find,ls"
_EDITS = {"edit", "write"}
_DETAILS = ("command", "path", "pattern", "query")
_STATUS = re.compile(r"([45]\d\d) ")
_KEYS = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_OAUTH_TOKEN",
    "GEMINI_API_KEY",
    "GROQ_API_KEY",
    "KIMI_API_KEY",
    "MISTRAL_API_KEY",
    "MOONSHOT_API_KEY",
    "OPENAI_API_KEY",
    "OPENCODE_API_KEY",
    "OPENROUTER_API_KEY",
    "XAI_API_KEY",
    "ZAI_API_KEY",
)


class Pi(Harness):
    """Runs `pi -p`, prompt on stdin. Resumes in the same folder only.

    It exits with 0 whatever comes of a run: how the last message of the agent stopped decides.
    It offers the named tools alone (0.73.1); they know no bounds, so that `read` reads everywhere.
    Below `ALL` it loads no extensions: those in the workspace would be run.
    """

    name = "pi"
    binary = "pi"
    resumes = True
    takes_effort = True
    efforts = ("off", "minimal", "low", "medium", "high", "xhigh")
    folders = ("PI_CODING_AGENT_DIR", "PI_CODING_AGENT_SESSION_DIR")
    keeps = (Tools.NONE, Tools.READ, Tools.ALL)
    variables = (
        *("PI_*", "AZURE_OPENAI_*", "CLOUDFLARE_*", "COPILOT_GITHUB_TOKEN"),
        *(*PROVIDERS, *AWS, *GOOGLE),
    )
    hosts = ("generativelanguage.googleapis.com",)
    url_variables = ("AZURE_OPENAI_BASE_URL",)
    measured = "0.73.1"
    faults = (
        Fault(
            Category.SESSION_LOST, r"no session found matching|session found in different project"
        ),
        Fault(Category.AUTH_OR_PROXY, r"no api key found for|no models available"),
    )

    @override
    def command(self, job: Job) -> Command:
        argv = [self.binary, "--mode", "json", "--print"]
        match self.held_to(job.tools):
            case Tools.NONE:
                argv += ["--no-extensions", "--no-tools"]
            case Tools.READ:
                argv += ["--no-extensions", "--tools", _READING]
            case Tools.EDIT | Tools.ALL:
                pass
        if job.model:
            argv += ["--model", job.model]
        if job.effort:
            argv += ["--thinking", job.effort]
        if job.session:
            argv += ["--session", job.session]
        return Command(argv=argv, stdin=job.prompt)

    @override
    def read(self, line: bytes, stream: Stream) -> Iterator[Sign]:
        """Read a line; the many updates of a message are passed over, its end tells it whole."""
        if stream is not Stream.OUT or b'"message_update"' in line[:24]:
            return
        event = parse_json(line)
        match event:
            case {"type": "session", "id": str(session)}:
                yield Session(session)
            case {"type": "message_end", "message": dict(message)}:
                yield from _message(message)
            case {"type": "tool_execution_start", "toolName": str(tool)}:
                yield from _tool(tool, event.get("args"))
            case {"type": "agent_end", "messages": [*_, dict(last)]}:
                yield _end(last)
            case {"type": "auto_retry_end", "success": False}:
                yield Ended(ok=False, message=first_text(event, ("finalError",)))
            case {"type": "compaction_start", "reason": "overflow"}:
                yield Ended(ok=False, message="the context window overflowed")

    @override
    def quota_scope(self, model: str) -> str:
        """Return the provider that a model is had from."""
        return f"{self.name}:{model.partition('/')[0]}"

    @override
    def needs(self, env: Mapping[str, str]) -> Iterator[Need]:
        yield from super().needs(env)
        folder = folder_of(env, "PI_CODING_AGENT_DIR", f"{home_of(env)}/.pi/agent")
        traces = (
            Trace(f"{folder}/auth.json", '"type"'),
            Trace(f"{folder}/models.json", '"apiKey"'),
        )
        yield Login(_KEYS, traces, "Run `pi` and /login, or set the key of a provider.")

    @override
    def endpoints(self, env: Mapping[str, str]) -> list[str]:
        """Return the URLs that variables name, else those of the keys that are set."""
        if any(env.get(name) for name in self.url_variables):
            return super().endpoints(env)
        return [f"https://{host}" for host in hosts_of(env, PROVIDERS) or self.hosts]

    @override
    def session_logs(self, session: str, workspace: str, env: Mapping[str, str]) -> list[str]:
        del workspace
        folder = folder_of(env, "PI_CODING_AGENT_DIR", f"{home_of(env)}/.pi/agent")
        sessions = folder_of(env, "PI_CODING_AGENT_SESSION_DIR", f"{folder}/sessions/*")
        return [f"{sessions}/*_{session}.jsonl"]


def _message(message: dict[str, object]) -> Iterator[Sign]:
    """Read a whole message of the agent; one that broke off is tried again, or is the last."""
    if message.get("role") != "assistant":
        return
    identity = f"{message.get('timestamp')}"
    if isinstance(model := message.get("model"), str):
        yield Model(model)
    content = message.get("content")
    for block in content if isinstance(content, list) else []:
        match block:
            case {"type": "text", "text": str(text)}:
                yield Said(text, identity)
            case {"type": "thinking", "thinking": str(text)}:
                yield Thought(text)
    if isinstance(usage := message.get("usage"), dict):
        cost = usage.get("cost")
        dear = dollars(cost, "total") if isinstance(cost, dict) else None
        yield Spent(_tokens(usage), dear, part=identity)
    if error := first_text(message, ("errorMessage",)):
        yield Erred(error, _status(error), passing=True)


def _end(last: dict[str, object]) -> Ended:
    """Read how the agent's last message stopped; a reason that is none of ours is no success."""
    match last.get("stopReason"):
        case "stop" | "toolUse":
            return Ended(ok=True)
        case reason:
            error = first_text(last, ("errorMessage",))
            return Ended(ok=False, message=error or f"the model stopped: {reason}")


def _status(error: str) -> int | None:
    found = _STATUS.match(error)
    return int(found[1]) if found else None


def _tool(tool: str, given: object) -> Iterator[Sign]:
    yield Used(tool, first_text(given, _DETAILS))
    if tool in _EDITS and (path := first_text(given, ("path",))):
        yield Touched(path)


def _tokens(usage: dict[str, object]) -> Tokens:
    cached = count(usage, "cacheRead")
    return Tokens(
        input=count(usage, "input") + cached + count(usage, "cacheWrite"),
        output=count(usage, "output"),
        cached=cached,
    )
