"""opencode (`opencode`), read from `opencode run --format json`; facts from version 1.18.33."""

import json
import re
from collections.abc import Iterator, Mapping

from typing_extensions import override

from mittelo.core.policies import Tools
from mittelo.core.signs import Ended, Erred, Said, Session, Sign, Spent, Tokens, Touched, Used
from mittelo.harness.accounts import AWS, GOOGLE, PROVIDERS, hosts_of
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
from mittelo.harness.logfmt import parse_logfmt
from mittelo.harness.needs import Login, Need, Trace

_ANSWER = '{"edit":"deny","bash":"deny","webfetch":"deny"}'
_READING = {"read": "allow", "glob": "allow", "grep": "allow", "list": "allow"}
_PERMISSIONS = {
    Tools.NONE: {"*": "deny"},
    Tools.READ: {"*": "deny", **_READING, "external_directory": "deny"},
}
_KEYS = (
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "GROQ_API_KEY",
    "OPENAI_API_KEY",
    "OPENCODE_API_KEY",
    "OPENCODE_CONFIG_CONTENT",
    "OPENROUTER_API_KEY",
)
_EDITS = {"write", "edit", "apply_patch"}
_LOG_NOISE = re.compile(r"permission|tool[_ ]call|token.*(?:stream|chunk)", re.IGNORECASE)
_DETAILS = ("command", "filePath", "path", "pattern", "url", "description")


class Opencode(Harness):
    """Runs `opencode run`, prompt on stdin. Resumes with `--dir` of the original folder.

    Its server resolves paths against a folder of its own, so `--dir` is always given. An agent of
    ours has the named tools alone (1.18.33). It reads and would write where a symbolic link in
    the workspace leads, so that it cannot be held to `EDIT`. Below `ALL` the workspace's own
    configuration does not count: its plugins and MCP servers would be run.
    """

    name = "opencode"
    aliases = ("op",)
    binary = "opencode"
    resumes = True
    takes_effort = True
    shares_log = True
    folders = ("OPENCODE_CONFIG", "OPENCODE_CONFIG_DIR")
    keeps = (Tools.NONE, Tools.READ, Tools.ALL)
    variables = ("OPENCODE_*", *PROVIDERS, *AWS, *GOOGLE)
    hosts = ("opencode.ai", "models.dev")
    measured = "1.18.33"
    help_words = ("run", "--help")

    @override
    def command(self, job: Job) -> Command:
        """Return the command; a title saves the request that would invent one.

        `--auto` says yes to what the user's configuration asks about, and keeps what it denies.
        """
        argv = [self.binary, "run", "--format", "json", "--dir", job.workspace]
        if job.model:
            argv += ["--model", job.model]
        if job.effort:
            argv += ["--variant", job.effort]
        if job.session:
            argv += ["--session", job.session]
        else:
            argv += ["--title", job.title or "mittelo"]
        if job.tools is Tools.ALL:
            return Command(argv=[*argv, "--auto"], stdin=job.prompt)
        agent = f"mittelo-{self.held_to(job.tools)}"
        permission = _PERMISSIONS[self.held_to(job.tools)]
        env = {
            "OPENCODE_DISABLE_PROJECT_CONFIG": "1",
            "OPENCODE_PERMISSION": _ANSWER,
            "OPENCODE_CONFIG_CONTENT": _with_agent(job.env, agent, permission),
        }
        return Command(argv=[*argv, "--agent", agent], stdin=job.prompt, env=env)

    @override
    def read(self, line: bytes, stream: Stream) -> Iterator[Sign]:
        if stream is not Stream.OUT:
            return
        event = parse_json(line)
        if isinstance(session := event.get("sessionID"), str):
            yield Session(session)
        match event:
            case {"type": "text", "part": {"text": str(text), **rest}}:
                yield Said(text, str(rest.get("messageID", "")))
            case {"type": "tool_use", "part": {"tool": str(tool), "state": dict(state)}}:
                yield from _tool(tool, state)
            case {"type": "step_finish", "part": dict(part)}:
                yield from _step(part)
            case {"type": "error", "error": dict(error)}:
                yield from _error(error)

    @override
    def quota_scope(self, model: str) -> str:
        """Return the provider that a model is had from."""
        return f"{self.name}:{model.partition('/')[0]}"

    @override
    def read_log(self, tail: bytes, window: LogWindow) -> Iterator[Erred]:
        """Yield warnings and errors of the try from its server's log, those of a stream last."""
        lines = [parse_logfmt(line) for line in tail.splitlines()]
        lines = [line for line in lines if window.holds(line.get("timestamp", ""))]
        sessions, runs = _of_try(lines, window)
        errors = [
            line
            for line in lines
            if line.get("level") in {"ERROR", "WARN"}
            and not _LOG_NOISE.match(line.get("message", ""))
            and (line["session.id"] in sessions if "session.id" in line else _run(line) in runs)
        ]
        errors.sort(key=lambda line: line.get("message") == "stream error")
        for line in errors[-MAX_LOGGED:]:
            yield Erred(_logged_message(line)[:MAX_LOGGED_TEXT])

    @override
    def needs(self, env: Mapping[str, str]) -> Iterator[Need]:
        """Yield the program and a login: with a provider of its own, or a key of a known one."""
        yield from super().needs(env)
        data = folder_of(env, "XDG_DATA_HOME", f"{home_of(env)}/.local/share")
        settings = folder_of(env, "XDG_CONFIG_HOME", f"{home_of(env)}/.config")
        traces = (
            Trace(f"{data}/opencode/auth.json"),
            Trace(f"{settings}/opencode/opencode.json*", '"provider"'),
        )
        yield Login(_KEYS, traces, "Run `opencode auth login`, or set the key of a provider.")

    @override
    def endpoints(self, env: Mapping[str, str]) -> list[str]:
        """Return the URLs of the providers in the inline configuration, else those by key."""
        providers = _inline(env).get("provider")
        made = providers.values() if isinstance(providers, dict) else ()
        options = [one.get("options") for one in made if isinstance(one, dict)]
        named = [url for option in options if (url := first_text(option, ("baseURL",)))]
        hosts = [*hosts_of(env, PROVIDERS), *self.hosts]
        return [*dict.fromkeys(named)] or [f"https://{host}" for host in dict.fromkeys(hosts)]

    @override
    def session_logs(self, session: str, workspace: str, env: Mapping[str, str]) -> list[str]:
        del session, workspace
        data = folder_of(env, "XDG_DATA_HOME", f"{home_of(env)}/.local/share")
        return [f"{data}/opencode/log/*.log"]


def _with_agent(env: Mapping[str, str], name: str, permission: Mapping[str, str]) -> str:
    """Return the user's inline configuration with an agent of ours.

    What the user's files allow an agent wins over OPENCODE_PERMISSION, so the agent must be one
    that they do not name. Inline configuration that is not plain JSON is left out.
    """
    settings = _inline(env)
    agents = settings.get("agent")
    ours = {"mode": "primary", "permission": permission}
    settings["agent"] = {**(agents if isinstance(agents, dict) else {}), name: ours}
    return json.dumps(settings)


def _inline(env: Mapping[str, str]) -> dict[str, object]:
    return parse_json(env.get("OPENCODE_CONFIG_CONTENT", "").encode())


def _tool(tool: str, state: dict[str, object]) -> Iterator[Sign]:
    given = state.get("input")
    yield Used(tool, first_text(given, _DETAILS))
    if tool in _EDITS and state.get("status") == "completed":
        yield from map(Touched, _paths(given, state.get("metadata")))


def _paths(given: object, metadata: object) -> Iterator[str]:
    """Yield what an edit wrote: its input names one file, its outcome all those of a patch."""
    if path := first_text(given, ("filePath",)):
        yield path
        return
    files = metadata.get("files") if isinstance(metadata, dict) else None
    for file in files if isinstance(files, list) else []:
        for key in ("filePath", "movePath"):
            if path := first_text(file, (key,)):
                yield path


def _step(part: dict[str, object]) -> Iterator[Sign]:
    """Read the end of a step; the one with reason `stop` is the end of the turn."""
    match part:
        case {"tokens": dict(tokens)}:
            cache = tokens.get("cache")
            cached = count(cache, "read") if isinstance(cache, dict) else 0
            written = count(cache, "write") if isinstance(cache, dict) else 0
            reasoned = count(tokens, "reasoning")
            spent = Tokens(
                input=count(tokens, "input") + written + cached,
                output=count(tokens, "output") + reasoned,
                cached=cached,
                reasoning=reasoned,
            )
            yield Spent(spent, dollars(part, "cost"), part=str(part.get("id", "step")))
    match part.get("reason"):
        case "stop":
            yield Ended(ok=True)
        case "length" | "content-filter" as reason:
            yield Ended(ok=False, message=f"the model stopped: {reason}")


def _detail(data: dict[str, object]) -> str:
    """Return what the provider sent along: its headers on limits, and its own words."""
    headers = data.get("responseHeaders")
    named = headers.items() if isinstance(headers, dict) else []
    told = [f"{name}: {value}" for name, value in named if "retry" in name or "reset" in name]
    return "; ".join([*told, first_text(data, ("responseBody",))])


def _of_try(lines: list[Mapping[str, str]], window: LogWindow) -> tuple[set[str], set[str]]:
    """Return the sessions and the processes that were a try's own.

    Where its session is unknown, they are those that were begun in its workspace.
    """
    ours = [line for line in lines if _is_ours(line, window)]
    sessions = {line.get("session.id") or line.get("id", "") for line in ours}
    return sessions - {""} | {window.session} - {""}, {_run(line) for line in ours} - {""}


def _is_ours(line: Mapping[str, str], window: LogWindow) -> bool:
    if window.session:
        return window.session in {line.get(k) for k in ("session.id", "id", "parentID")}
    begun = line.get("message") in {"created", "creating instance"}
    return begun and line.get("directory", "").rstrip("/") == window.workspace.rstrip("/")


def _run(line: Mapping[str, str]) -> str:
    return line.get("run", "")


def _logged_message(line: Mapping[str, str]) -> str:
    told = (line[key] for key in ("error.error", "error.message", "error", "cause") if key in line)
    return next(told, "") or line.get("message", "")


def _error(error: dict[str, object]) -> Iterator[Sign]:
    """Read the error that ends it, all of it as one sign: the end has no words of its own."""
    name = str(error.get("name", "error"))
    match error:
        case {"data": dict(data)} if message := first_text(data, ("message",)):
            status = count(data, "statusCode") or None
            yield Erred(f"{name}: {message}", status, detail=_detail(data))
            yield Ended(ok=False)
        case _:
            yield Erred(name)
            yield Ended(ok=False, message=name)
