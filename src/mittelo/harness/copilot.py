"""GitHub Copilot CLI (`copilot`), read from its JSON lines; facts from version 1.0.102."""

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
    Tokens,
    Touched,
    Used,
)
from mittelo.harness.base import (
    Command,
    Harness,
    Job,
    Stream,
    count,
    first_text,
    folder_of,
    home_of,
    parse_json,
)
from mittelo.harness.needs import Login, Need, Trace

_TOOLS = {
    Tools.NONE: "none",
    Tools.READ: "view,grep,rg,glob",
    Tools.EDIT: "view,grep,rg,glob,create,edit,apply_patch",
}
"""What it may offer; none of them has the name "none"."""

_EDITS = {"create", "edit", "str_replace", "insert"}
_DETAILS = ("command", "path", "pattern", "query", "url", "description")
_KEYS = (
    "COPILOT_GITHUB_TOKEN",
    "COPILOT_PROVIDER_BASE_URL",
    "GH_TOKEN",
    "GITHUB_TOKEN",
)
_USED = re.compile(rb' {8}"(input|output|cacheRead)Tokens": (\d{1,15}),?')
"""A count of one model: the same counts stand again, further in, for agents and providers."""


class Copilot(Harness):
    """Runs `copilot`, prompt on stdin. Resumes from any folder.

    Its session is named in its last line alone. Tokens stand in a file that it writes at its end.
    It offers the named tools alone, and no file tool leaves its folder or writes in `.git`
    (1.0.102).
    """

    name = "copilot"
    aliases = ("cp",)
    binary = "copilot"
    resumes = True
    takes_effort = True
    efforts = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
    models = ("auto",)
    folders = ("COPILOT_HOME",)
    variables = ("COPILOT_*", "GH_HOST", "GH_TOKEN", "GITHUB_TOKEN")
    hosts = (
        *("api.github.com", "github.com", "api.githubcopilot.com"),
        *("api.individual.githubcopilot.com", "api.business.githubcopilot.com"),
        "api.enterprise.githubcopilot.com",
    )  # of which the plan decides; from GitHub's allowlist for Copilot
    url_variables = ("COPILOT_PROVIDER_BASE_URL",)
    measured = "1.0.102"
    faults = (
        Fault(Category.SESSION_LOST, r"no session, task, or name matched"),
        Fault(Category.AUTH_OR_PROXY, r"no authentication information found"),
        Fault(Category.INVALID_MODEL, r"model '[^']+' not found on provider"),
    )

    @override
    def command(self, job: Job) -> Command:
        argv = [self.binary, "--output-format", "json", "--no-color", "--no-ask-user"]
        if job.tools is Tools.ALL:
            argv.append("--allow-all")
        else:
            argv += [f"--available-tools={_TOOLS[job.tools]}", "--disable-builtin-mcps"]
            argv += ["--disallow-temp-dir"]
        if job.tools is Tools.EDIT:
            argv += ["--allow-tool=write", "--deny-tool=write(.git/**)"]
        env = {} if job.tools is Tools.ALL else {"COPILOT_ALLOW_ALL": ""}
        if job.model:
            argv += ["--model", job.model]
        if job.effort:
            argv += ["--reasoning-effort", job.effort]
        if job.session:
            argv += ["--resume", job.session]
        if not job.scratch:
            return Command(argv=argv, stdin=job.prompt, env=env)
        usage = f"{job.scratch}/copilot-usage.json"
        argv += ["--usage-output-file", usage]
        return Command(argv=argv, stdin=job.prompt, env=env, log=usage)

    @override
    def read(self, line: bytes, stream: Stream) -> Iterator[Sign]:
        match stream:
            case Stream.OUT:
                yield from _event(parse_json(line))
            case Stream.LOG:
                yield from _usage(line)
            case Stream.ERR:
                return

    @override
    def needs(self, env: Mapping[str, str]) -> Iterator[Need]:
        yield from super().needs(env)
        folder = folder_of(env, "COPILOT_HOME", f"{home_of(env)}/.copilot")
        settings = folder_of(env, "XDG_CONFIG_HOME", f"{home_of(env)}/.config")
        traces = (
            Trace(f"{folder}/config.json", "logged_in_users"),
            Trace(f"{settings}/gh/hosts.yml", "oauth_token"),
        )
        yield Login(_KEYS, traces, "Run `copilot login`, or set COPILOT_GITHUB_TOKEN.")

    @override
    def session_logs(self, session: str, workspace: str, env: Mapping[str, str]) -> list[str]:
        del workspace
        folder = folder_of(env, "COPILOT_HOME", f"{home_of(env)}/.copilot")
        return [f"{folder}/session-state/{session}/events.jsonl"]


def _event(event: dict[str, object]) -> Iterator[Sign]:
    match event:
        case {"type": "session.tools_updated", "data": {"model": str(model)}}:
            yield Model(model)
        case {"type": "assistant.message", "data": {"content": str(text), **rest}} if text:
            yield Said(text, str(rest.get("messageId", "")))
        case {"type": "tool.execution_start", "data": {"toolName": str(tool), **rest}}:
            yield from _tool(tool, rest.get("arguments"))
        case {"type": "model.call_failure", "data": dict(data)}:
            message = first_text(data, ("errorMessage", "failureKind"))
            yield Erred(message or "error", _status(data), passing=True)
        case {"type": "session.error", "data": dict(data)}:
            yield Erred(first_text(data, ("message", "errorType")) or "error", _status(data))
        case {"type": "result"}:
            if isinstance(session := event.get("sessionId"), str):
                yield Session(session)
            yield Ended(ok=event.get("exitCode") == 0)


def _tool(tool: str, given: object) -> Iterator[Sign]:
    yield Used(tool, first_text(given, _DETAILS))
    if tool in _EDITS and (path := first_text(given, ("path",))):
        yield Touched(path)


def _status(fields: Mapping[str, object]) -> int | None:
    return count(fields, "statusCode") or None


def _usage(line: bytes) -> Iterator[Spent]:
    if found := _USED.fullmatch(line):
        kind, number = found[1].decode(), int(found[2])
        tokens = {
            "input": Tokens(input=number),
            "output": Tokens(output=number),
            "cacheRead": Tokens(cached=number),
        }
        yield Spent(tokens[kind], part=kind)
