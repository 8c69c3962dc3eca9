"""Codex (`codex`), read from `codex exec --json`; facts from version 0.169.0."""

from collections.abc import Iterator, Mapping

from typing_extensions import override

from mittelo.core.faults import Category, Fault
from mittelo.core.policies import Tools
from mittelo.core.signs import (
    Ended,
    Erred,
    Said,
    Session,
    Sign,
    Spent,
    Thought,
    Tokens,
    Touched,
    Used,
)
from mittelo.harness.base import (
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

_NO_TOOLS = (
    "apps",
    "browser_use",
    "computer_use",
    "goals",
    "image_generation",
    "multi_agent",
    "plugins",
    "shell_tool",
    "tool_suggest",
    "unified_exec",
    "view_image",
)
"""The features by which it offers tools, as `codex features list` names them."""

_NO_PLACE = {"CODEX_EXEC_SERVER_URL": "none"}
"""Leaves it no place to run anything in: `apply_patch`, which stays on offer, finds none."""

_INSIDE = (
    "exclude_slash_tmp=true",
    "exclude_tmpdir_env_var=true",
    "network_access=false",
    "writable_roots=[]",
)


class Codex(Harness):
    """Runs `codex exec --json -`, prompt on stdin. Resumes from any folder.

    Its sandbox holds the shell too (0.169.0): it reads everywhere, and writes nowhere or in its
    folder alone, outside of `.git`. An MCP server's tools stay where the user's configuration
    approves them; with `NONE` only those of a server that is reached by a URL.
    """

    name = "codex"
    aliases = ("cx",)
    binary = "codex"
    resumes = True
    takes_effort = True
    usage_spans_session = True
    folders = ("CODEX_HOME",)
    noise = ("Reading additional input from stdin",)
    faults = (
        Fault(
            Category.AUTH_OR_PROXY,
            r"to use codex with your chatgpt plan|missing environment variable",
        ),
    )
    efforts = ("none", "minimal", "low", "medium", "high", "xhigh")
    variables = ("CODEX_*", "OPENAI_*")
    hosts = ("api.openai.com", "chatgpt.com", "auth.openai.com")
    url_variables = ("OPENAI_BASE_URL",)
    measured = "0.169.0"
    help_words = ("exec", "--help")

    @override
    def command(self, job: Job) -> Command:
        """Return the command; every flag stands before `resume`, where all versions take it.

        Its tools run in a login shell, whose profile would set PATH anew: that is switched off,
        so that the agent finds `rally` and `laps`.
        """
        argv = [self.binary, "exec", "--json", "--skip-git-repo-check"]
        if job.tools is Tools.ALL:
            argv.append("--dangerously-bypass-approvals-and-sandbox")
        else:
            argv += _confined(job.tools)
        argv += ["-c", "allow_login_shell=false"]
        if job.model:
            argv += ["--model", job.model]
        if job.effort:
            argv += ["-c", f"model_reasoning_effort={job.effort}"]
        if job.session:
            argv += ["resume", job.session]
        env = _NO_PLACE if job.tools is Tools.NONE else {}
        return Command(argv=[*argv, "-"], stdin=job.prompt, env=dict(env))

    @override
    def read(self, line: bytes, stream: Stream) -> Iterator[Sign]:
        if stream is not Stream.OUT:
            return
        match parse_json(line):
            case {"type": "thread.started", "thread_id": str(session)}:
                yield Session(session)
            case {"type": "item.started" | "item.completed", "item": dict(item)}:
                yield from _item(item)
            case {"type": "error", "message": str(message)}:
                yield Erred(message, passing=message.startswith("Reconnecting..."))
            case {"type": "turn.failed", "error": {"message": str(message)}}:
                yield Ended(ok=False, message=message)
            case {"type": "turn.failed"}:
                yield Ended(ok=False)
            case {"type": "turn.completed", **rest}:
                yield from _completed(rest.get("usage"))

    @override
    def read_log(self, tail: bytes, window: LogWindow) -> Iterator[Erred]:
        """Yield errors from its rollout file, and what the last count says is used up."""
        limits: dict[str, object] = {}
        for line in tail.splitlines():
            event = parse_json(line)
            if not window.holds(str(event.get("timestamp", ""))):
                continue
            match event:
                case {"payload": {"type": "token_count", "rate_limits": dict(found)}}:
                    limits = found
                case {"type": "event_msg", "payload": {"type": "error", "message": str(message)}}:
                    yield Erred(message[:MAX_LOGGED_TEXT])
        yield from _used_up(limits)

    @override
    def needs(self, env: Mapping[str, str]) -> Iterator[Need]:
        yield from super().needs(env)
        folder = folder_of(env, "CODEX_HOME", f"{home_of(env)}/.codex")
        traces = (Trace(f"{folder}/auth.json"), Trace(f"{folder}/config.toml", "model_provider"))
        keys = ("CODEX_API_KEY", "OPENAI_API_KEY")
        yield Login(keys, traces, "Run `codex login`, or set CODEX_API_KEY.")

    @override
    def session_logs(self, session: str, workspace: str, env: Mapping[str, str]) -> list[str]:
        del workspace
        folder = folder_of(env, "CODEX_HOME", f"{home_of(env)}/.codex")
        return [f"{folder}/sessions/*/*/*/rollout-*{session}.jsonl"]


def _confined(tools: Tools) -> list[str]:
    """Return the flags that hold the agent to these tools, whatever the user's settings say."""
    settings = ["web_search=disabled"]
    if tools is Tools.EDIT:
        settings += [f"sandbox_workspace_write.{setting}" for setting in _INSIDE]
    if tools is Tools.NONE:
        settings += [f"features.{feature}=false" for feature in _NO_TOOLS]
        settings.append("tools.experimental_request_user_input.enabled=false")
    words = [word for setting in settings for word in ("-c", setting)]
    return ["--sandbox", "workspace-write" if tools is Tools.EDIT else "read-only", *words]


def _item(item: dict[str, object]) -> Iterator[Sign]:
    """Read an item; tools are told of when they start and again when they are done."""
    identity = str(item.get("id", ""))
    match item:
        case {"type": "agent_message", "text": str(text)}:
            yield Said(text, identity)
        case {"type": "reasoning", "text": str(text)}:
            yield Thought(text)
        case {"type": "command_execution", "command": str(command)}:
            yield Used("shell", command, identity)
        case {"type": "file_change", "changes": list(changes)}:
            paths = [path for change in changes if (path := first_text(change, ("path",)))]
            yield Used("edit", ", ".join(paths), identity)
            if item.get("status") == "completed":
                yield from map(Touched, paths)
        case {"type": "mcp_tool_call"}:
            yield Used(f"{item.get('server')}.{item.get('tool')}", "", identity)
        case {"type": "web_search"}:
            yield Used("web_search", str(item.get("query", "")), identity)
        case {"type": "error", "message": str(message)}:
            yield Erred(message, passing=True)


def _used_up(limits: dict[str, object]) -> Iterator[Erred]:
    """Read the windows of a plan; the one that is used up and ends last decides."""
    windows = [w for name in ("primary", "secondary") if isinstance(w := limits.get(name), dict)]
    full = [w for w in windows if (dollars(w, "used_percent") or 0) >= 100]
    end = max((count(w, "resets_at") for w in full), default=0)
    if end:
        yield Erred("usage limit used up", 429, detail=f"resets_at: {end}")


def _completed(usage: object) -> Iterator[Sign]:
    counts = usage if isinstance(usage, dict) else {}
    yield Spent(
        Tokens(
            input=count(counts, "input_tokens"),
            output=count(counts, "output_tokens"),
            cached=count(counts, "cached_input_tokens"),
            reasoning=count(counts, "reasoning_output_tokens"),
        )
    )
    yield Ended(ok=True)
