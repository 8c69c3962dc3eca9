"""Claude Code (`claude`), read from its stream-json output; facts from version 2.1.197."""

import re
from collections.abc import Iterator, Mapping

import msgspec
from typing_extensions import override

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
from mittelo.harness.accounts import AWS, GOOGLE
from mittelo.harness.base import (
    MAX_LOGGED,
    MAX_LOGGED_TEXT,
    Command,
    Harness,
    Job,
    LogWindow,
    Stream,
    count,
    dollars,
    first_text,
    folder_of,
    home_of,
    parse_json,
)
from mittelo.harness.needs import Login, Need, Trace

_TOOLS = {
    Tools.NONE: "",
    Tools.READ: "Read,Glob,Grep",
    Tools.EDIT: "Read,Glob,Grep,Edit,Write,NotebookEdit",
}
SETTINGS = (
    "API_TIMEOUT_MS",
    "BASH_DEFAULT_TIMEOUT_MS",
    "BASH_MAX_OUTPUT_LENGTH",
    "BASH_MAX_TIMEOUT_MS",
    "CLAUDE_CODE_*",
    "DISABLE_*",
    "DO_NOT_TRACK",
    "ENABLE_PROMPT_CACHING_1H*",
    "ENABLE_TOOL_SEARCH",
    "IS_SANDBOX",
    "MAX_MCP_OUTPUT_TOKENS",
    "MAX_THINKING_TOKENS",
    "MCP_TIMEOUT",
    "MCP_TOOL_TIMEOUT",
    "USE_BUILTIN_RIPGREP",
)
"""What it reads of an environment and is no account, from its documentation and its binary."""

_EDITS = {"Write", "Edit", "MultiEdit", "NotebookEdit"}
_KEYS = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
)
_DETAILS = ("command", "file_path", "notebook_path", "path", "pattern", "url", "description")


class Claude(Harness):
    """Runs `claude -p`, prompt on stdin. Resumes in the same repository only.

    It offers the named tools alone (2.1.197), and edits only below its folder, outside of `.git`;
    more where the user's own settings allow it. Below `ALL` what the workspace's files configure
    does not count, its CLAUDE.md included: hooks and MCP servers would be run.
    """

    name = "claude"
    aliases = ("cc",)
    binary = "claude"
    resumes = True
    takes_effort = True
    efforts = ("low", "medium", "high", "xhigh", "max")
    models = ("default", "best", "haiku", "opus", "opusplan", "sonnet")
    folders = ("CLAUDE_CONFIG_DIR",)
    variables: tuple[str, ...] = (
        *("ANTHROPIC_*", "CLAUDE_CONFIG_DIR", *SETTINGS),
        *(*AWS, *GOOGLE, "CLOUD_ML_REGION", "VERTEX_REGION_*"),
    )
    hosts: tuple[str, ...] = (
        "api.anthropic.com",
        "platform.claude.com",
    )  # the second renews logins
    url_variables: tuple[str, ...] = (
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_BEDROCK_BASE_URL",
        "ANTHROPIC_VERTEX_BASE_URL",
    )
    measured = "2.1.197"

    @override
    def command(self, job: Job) -> Command:
        argv = [self.binary, "-p", "--output-format", "stream-json", "--verbose"]
        if job.tools is Tools.ALL:
            argv.append("--dangerously-skip-permissions")
        else:
            mode = "acceptEdits" if job.tools is Tools.EDIT else "default"
            argv += [f"--tools={_TOOLS[job.tools]}", "--permission-mode", mode]
            argv += ["--strict-mcp-config", "--setting-sources", "user"]
        if job.model:
            argv += ["--model", job.model]
        if job.effort:
            argv += ["--effort", job.effort]
        if job.session:
            argv += ["--resume", job.session]
        return Command(argv=argv, stdin=job.prompt)

    @override
    def read(self, line: bytes, stream: Stream) -> Iterator[Sign]:
        if stream is not Stream.OUT:
            return
        event = parse_json(line)
        match event:
            case {"type": "system", "subtype": "init", "session_id": str(session)}:
                yield Session(session)
                if isinstance(model := event.get("model"), str):
                    yield Model(model)
            case {"type": "system", "subtype": "api_retry"}:
                yield _retry(event)
            case {"type": "rate_limit_event", "rate_limit_info": dict(info)}:
                yield from _limit(info)
            case {"type": "assistant", "message": dict(message)}:
                yield from _assistant(event, message)
            case {"type": "result"}:
                yield from _result(event)

    @override
    def read_log(self, tail: bytes, window: LogWindow) -> Iterator[Erred]:
        """Yield the errors in its session's file that the agent did not get over."""
        errors: list[Erred] = []
        for line in tail.splitlines():
            event = parse_json(line)
            if not window.holds(str(event.get("timestamp", ""))):
                continue
            match event:
                case {"type": "system", "subtype": "api_error", "error": error}:
                    errors.append(_logged_refusal(error))
                case {"type": "assistant", "message": dict(message)}:
                    errors = [*errors, *_logged_error(event, message)] if _broke(event) else []
        yield from errors[-MAX_LOGGED:]

    @override
    def needs(self, env: Mapping[str, str]) -> Iterator[Need]:
        yield from super().needs(env)
        folder = folder_of(env, "CLAUDE_CONFIG_DIR", f"{home_of(env)}/.claude")
        account = folder if env.get("CLAUDE_CONFIG_DIR") else home_of(env)
        traces = (
            Trace(f"{folder}/.credentials.json"),
            Trace(f"{account}/.claude.json", '"oauthAccount"'),
            Trace(f"{folder}/settings.json", "apiKeyHelper"),
        )
        yield Login(_KEYS, traces, "Run `claude` and /login, or set ANTHROPIC_API_KEY.")

    @override
    def session_logs(self, session: str, workspace: str, env: Mapping[str, str]) -> list[str]:
        folder = folder_of(env, "CLAUDE_CONFIG_DIR", f"{home_of(env)}/.claude")
        slug = re.sub(r"[^A-Za-z0-9]", "-", workspace)
        return [f"{folder}/projects/{slug}/{session}.jsonl", f"{folder}/projects/*/{session}.jsonl"]


def _retry(event: dict[str, object]) -> Erred:
    return Erred(
        f"{event.get('error', 'error')}, retry {event.get('attempt')}/{event.get('max_retries')}",
        count(event, "error_status") or None,
        passing=True,
    )


def _limit(info: dict[str, object]) -> Iterator[Sign]:
    """Read news of a limit; one that is merely near, or allowed, is no error."""
    if info.get("status") == "rejected":
        kind = str(info.get("rateLimitType", "limit"))
        detail = f"{kind} limit, resetsAt: {count(info, 'resetsAt')}"
        yield Erred(f"rate limit rejected ({kind})", 429, passing=True, detail=detail)


def _assistant(event: dict[str, object], message: dict[str, object]) -> Iterator[Sign]:
    fault = event.get("error")
    identity = str(message.get("id", ""))
    content = message.get("content")
    for block in content if isinstance(content, list) else []:
        match block:
            case {"type": "text", "text": str(text)} if fault:
                yield Erred(f"{fault}: {text}")
            case {"type": "text", "text": str(text)}:
                yield Said(text, identity)
            case {"type": "thinking", "thinking": str(text)}:
                yield Thought(text)
            case {"type": "tool_use", "name": str(tool)}:
                yield from _tool(tool, block.get("input"))
    if not fault and identity and isinstance(usage := message.get("usage"), dict):
        yield Spent(_tokens(usage), part=identity)


def _tool(tool: str, given: object) -> Iterator[Sign]:
    yield Used(tool, first_text(given, _DETAILS))
    if tool in _EDITS and (path := first_text(given, ("file_path", "notebook_path"))):
        yield Touched(path)


def _result(event: dict[str, object]) -> Iterator[Sign]:
    """Read the end event: `subtype` says success even of failures, so `is_error` decides."""
    if isinstance(session := event.get("session_id"), str) and event.get("num_turns"):
        yield Session(session)
    if isinstance(usage := event.get("usage"), dict):
        yield Spent(_tokens(usage), dollars(event, "total_cost_usd"))
    text = event.get("result")
    said = text if isinstance(text, str) else ""
    if event.get("is_error") or event.get("subtype") != "success":
        yield Ended(ok=False, message=_why(event, said))
    else:
        yield Ended(ok=True, text=said)


def _why(event: dict[str, object], said: str) -> str:
    match event:
        case {"errors": [str(first), *_]}:
            return first
    return said or str(event.get("subtype", ""))


def _broke(event: dict[str, object]) -> bool:
    """Tell whether a logged message is one of the CLI about its failure, and not of the agent."""
    match event:
        case {"isApiErrorMessage": True} | {"message": {"stop_reason": "error"}}:
            return True
    return False


def _logged_error(event: dict[str, object], message: dict[str, object]) -> Iterator[Erred]:
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    texts = (first_text(block, ("text",)) for block in blocks)
    kind = event.get("error")
    named = f"{kind}: " if isinstance(kind, str) else ""
    yield Erred(f"{named}{' '.join(texts)}"[:MAX_LOGGED_TEXT])


def _logged_refusal(error: object) -> Erred:
    """Return what a provider answered to a request that was then tried again."""
    fields = error if isinstance(error, dict) else {}
    words = msgspec.json.encode(fields.get("error")).decode()
    headers = fields.get("headers")
    named = headers.items() if isinstance(headers, dict) else []
    told = [f"{name}: {value}" for name, value in named if "retry" in name or "reset" in name]
    message = first_text(fields, ("message",)) or words
    return Erred(
        message[:MAX_LOGGED_TEXT],
        count(fields, "status") or None,
        detail="; ".join([*told, words])[:MAX_LOGGED_TEXT],
    )


def _tokens(usage: dict[str, object]) -> Tokens:
    cached = count(usage, "cache_read_input_tokens")
    written = count(usage, "cache_creation_input_tokens")
    return Tokens(
        input=count(usage, "input_tokens") + written + cached,
        output=count(usage, "output_tokens"),
        cached=cached,
    )
