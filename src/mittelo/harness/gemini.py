"""Gemini CLI (`gemini`), read from its stream-json output; facts from version 0.61.0."""

from collections.abc import Iterator, Mapping

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
    Tokens,
    Touched,
    Used,
)
from mittelo.harness.accounts import GOOGLE
from mittelo.harness.base import (
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

_EXITS = {
    41: "no credentials",
    42: "bad input or unknown session",
    44: "sandbox error",
    52: "bad configuration",
    53: "turn limit reached",
    54: "tool execution failed",
    55: "folder is not trusted",
}
_KEYS = (
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_GENAI_USE_GCA",
    "GOOGLE_GENAI_USE_VERTEXAI",
)
_URLS = ("CODE_ASSIST_ENDPOINT", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_VERTEX_BASE_URL")
_EDITS = {"write_file", "replace", "edit"}
_DETAILS = ("command", "file_path", "path", "pattern", "query", "description")


class Gemini(Harness):
    """Runs `gemini`, prompt on stdin. Resumes in the same folder only.

    A policy file of ours, above those of the user, decides which tools it offers (0.61.0); none of
    its file tools leaves its folder or writes in `.git`. The hooks in the workspace's settings are
    run all the same, so that those cannot be edited.
    """

    name = "gemini"
    aliases = ("ge",)
    binary = "gemini"
    resumes = True
    models = ("auto", "flash", "flash-lite", "pro")
    stand_in = ("npx", "--yes", "@google/gemini-cli")
    folders = ("GEMINI_CLI_HOME",)
    variables = ("GEMINI_*", "GOOGLE_API_KEY", "GOOGLE_GENAI_*", *GOOGLE, *_URLS)
    hosts = (
        *("generativelanguage.googleapis.com", "cloudcode-pa.googleapis.com"),
        *("aiplatform.googleapis.com", "oauth2.googleapis.com"),
    )  # with a key, a login, Vertex; the last renews logins
    url_variables = _URLS
    measured = "0.61.0"
    noise = (
        "Warning: Basic terminal",
        "Warning: 256-color",
        "YOLO mode is enabled",
        "Ripgrep is not available",
        "[STARTUP]",
        "Approval mode overridden",
    )

    @override
    def command(self, job: Job) -> Command:
        argv = [self.binary, "--output-format", "stream-json"]
        argv += ["--yolo"] if job.tools is Tools.ALL else _confined(job.tools)
        if job.model:
            argv += ["--model", job.model]
        if job.session:
            argv += ["--resume", job.session]
        return Command(argv=argv, stdin=job.prompt, env={"GEMINI_CLI_TRUST_WORKSPACE": "true"})

    @override
    def read(self, line: bytes, stream: Stream) -> Iterator[Sign]:
        if stream is not Stream.OUT:
            return
        event = parse_json(line)
        match event:
            case {"type": "init", "session_id": str(session)}:
                yield Session(session)
                if isinstance(model := event.get("model"), str):
                    yield Model(model)
            case {"type": "message", "role": "assistant", "content": str(text)}:
                yield Said(text)
            case {"type": "tool_use", "tool_name": str(tool)}:
                yield from _tool(tool, event.get("parameters"))
            case {"type": "error", "message": str(message)}:
                yield Erred(message, passing=_is_warning(event, message))
            case {"type": "result"}:
                yield from _result(event)

    @override
    def needs(self, env: Mapping[str, str]) -> Iterator[Need]:
        yield from super().needs(env)
        folder = f"{folder_of(env, 'GEMINI_CLI_HOME', home_of(env))}/.gemini"
        traces = (
            Trace(f"{folder}/oauth_creds.json"),
            Trace(f"{folder}/settings.json", "selectedType"),
            Trace(f"{folder}/.env", "API_KEY"),
        )
        yield Login(_KEYS, traces, "Run `gemini` and log in, or set GEMINI_API_KEY.")

    @override
    def session_logs(self, session: str, workspace: str, env: Mapping[str, str]) -> list[str]:
        del workspace
        home = folder_of(env, "GEMINI_CLI_HOME", home_of(env))
        return [f"{home}/.gemini/tmp/*/chats/session-*{session[:8]}.json*"]

    @override
    def explain_exit(self, code: int) -> str:
        """Return what an exit code means: its own, else an HTTP status modulo 256."""
        if code in _EXITS:
            return _EXITS[code]
        return f"HTTP {code + 256}" if 144 <= code <= 255 else ""


def _confined(tools: Tools) -> list[str]:
    mode = "auto_edit" if tools is Tools.EDIT else "default"
    policy = file_of_ours(f"gemini-{tools}.toml")
    return [
        *("--approval-mode", mode),
        *(f"--admin-policy={policy}", "--allowed-mcp-server-names=mittelo-none"),
    ]


def _is_warning(event: dict[str, object], message: str) -> bool:
    """Tell whether an error is a mere warning; the one about a loop stops the agent."""
    return event.get("severity") == "warning" and not message.startswith("Loop detected")


def _tool(tool: str, given: object) -> Iterator[Sign]:
    yield Used(tool, first_text(given, _DETAILS))
    if tool in _EDITS and (path := first_text(given, ("file_path",))):
        yield Touched(path)


def _result(event: dict[str, object]) -> Iterator[Sign]:
    """Read the end event. It holds no text, and status "error" may come with exit code 0."""
    match event:
        case {"stats": dict(stats)}:
            yield Spent(_tokens(stats))
    match event:
        case {"status": "success"}:
            yield Ended(ok=True)
        case {"error": {"message": str(message)}}:
            yield Ended(ok=False, message=message)
        case _:
            yield Ended(ok=False)


def _tokens(stats: dict[str, object]) -> Tokens:
    """Return the tokens; those of its thoughts stand in the total only."""
    given, told = count(stats, "input_tokens"), count(stats, "output_tokens")
    thought = max(0, count(stats, "total_tokens") - given - told)
    return Tokens(
        input=given, output=told + thought, cached=count(stats, "cached"), reasoning=thought
    )
