"""Qwen Code (`qwen`), read from its stream-json output; facts from version 0.15.10."""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace
from typing_extensions import override

from mittelo.core.faults import Category, Fault
from mittelo.core.policies import Tools
from mittelo.core.signs import Ended, Erred, Said, Sign, Spent, Touched
from mittelo.harness.accounts import GOOGLE, PROVIDERS, hosts_of
from mittelo.harness.base import (
    Command,
    Harness,
    Job,
    Stream,
    first_text,
    home_of,
    parse_json,
)
from mittelo.harness.claude import Claude
from mittelo.harness.needs import Login, Need, Trace

_EVENTS = Claude()
"""Its events are shaped like those of claude."""

_REFUSED = "[API Error: "
_EDITS = {"edit", "write_file"}
_TOOLS = {Tools.NONE: "none", Tools.READ: "glob,grep_search,list_directory,read_file"}
"""The tools that it offers; none of them has the name "none"."""

_ALWAYS = "agent,ask_user_question,exit_plan_mode,send_message,skill,task_stop,tool_search"
"""The tools that it offers whatever it is told to offer, unless they are excluded."""

_KEYS = (
    "ANTHROPIC_API_KEY",
    "BAILIAN_CODING_PLAN_API_KEY",
    "DASHSCOPE_API_KEY",
    "GEMINI_API_KEY",
    "OPENAI_API_KEY",
)
_LOGINS = ("BAILIAN_CODING_PLAN_API_KEY", "DASHSCOPE_API_KEY", "OPENAI_API_KEY")
"""The keys that are a login by themselves; others need a model beside them."""


class Qwen(Harness):
    """Runs `qwen`, prompt on stdin. Resumes in the same folder only.

    What a provider refuses it tells as if the model had said it, in a run that is a success.
    It offers the named tools alone, and reads only below its folder; with leave to edit it writes
    everywhere (0.15.10).
    """

    name = "qwen"
    aliases = ("qw",)
    binary = "qwen"
    resumes = True
    keeps = (Tools.NONE, Tools.READ, Tools.ALL)
    variables = (
        *("QWEN_*", "OPENAI_*", "ANTHROPIC_*", "GEMINI_*", "GOOGLE_API_KEY", "GOOGLE_GENAI_*"),
        *("BAILIAN_CODING_PLAN_API_KEY", "DASHSCOPE_API_KEY", "OPENROUTER_API_KEY", *GOOGLE),
    )
    hosts = (
        *("dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com", "dashscope-us.aliyuncs.com"),
        *("coding.dashscope.aliyuncs.com", "coding-intl.dashscope.aliyuncs.com", "chat.qwen.ai"),
    )
    url_variables = ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL")
    measured = "0.15.10"
    stand_in = ("npx", "--yes", "@qwen-code/qwen-code")
    faults = (Fault(Category.AUTH_OR_PROXY, r"no auth type is selected"),)

    @override
    def command(self, job: Job) -> Command:
        argv = [self.binary, "--output-format", "stream-json"]
        if job.tools is Tools.ALL:
            argv.append("--yolo")
        else:
            offered = _TOOLS[self.held_to(job.tools)]
            argv += ["--approval-mode", "default", f"--core-tools={offered}"]
            argv += [f"--exclude-tools={_ALWAYS}", "--allowed-mcp-server-names=mittelo-none"]
        if job.model:
            argv += ["--model", job.model]
        if job.session:
            argv += ["--resume", job.session]
        return Command(argv=argv, stdin=job.prompt)

    @override
    def read(self, line: bytes, stream: Stream) -> Iterator[Sign]:
        if stream is not Stream.OUT:
            return
        event = parse_json(line)
        for sign in _EVENTS.read(line, stream):
            match sign:
                case Said(text) if text.startswith(_REFUSED) and not _was_answered(event):
                    yield Erred(text)
                case Ended(ok=True, text=text) if text.startswith(_REFUSED):
                    yield Ended(ok=False, message=text)
                case Ended(ok=False):
                    error = first_text(event.get("error"), ("message",))
                    yield Ended(ok=False, message=error or sign.message)
                case Spent(part=""):
                    continue  # of the whole session, where it is resumed
                case Spent(tokens):
                    counted = replace(tokens, input=max(0, tokens.input - tokens.cached))
                    yield replace(sign, tokens=counted)
                case _:
                    yield sign
        yield from map(Touched, _paths(event))

    @override
    def needs(self, env: Mapping[str, str]) -> Iterator[Need]:
        yield from super().needs(env)
        folder = f"{home_of(env)}/.qwen"
        traces = (
            Trace(f"{folder}/oauth_creds.json"),
            Trace(f"{folder}/settings.json", "selectedType"),
            Trace(f"{folder}/.env", "API_KEY"),
        )
        yield Login(_LOGINS, traces, "Run `qwen auth`, or set OPENAI_API_KEY.")

    @override
    def endpoints(self, env: Mapping[str, str]) -> list[str]:
        """Return the URLs that variables name, else those of keys that it takes, and its own."""
        if any(env.get(name) for name in self.url_variables):
            return super().endpoints(env)
        hosts = hosts_of(env, [name for name in _KEYS if name in PROVIDERS])
        return [f"https://{host}" for host in dict.fromkeys([*hosts, *self.hosts])]

    @override
    def session_logs(self, session: str, workspace: str, env: Mapping[str, str]) -> list[str]:
        del workspace
        return [f"{home_of(env)}/.qwen/projects/*/chats/{session}.jsonl"]


def _was_answered(event: dict[str, object]) -> bool:
    """Tell whether a model spoke: a message of the CLI's own has used no tokens."""
    match event:
        case {"message": {"usage": {"output_tokens": int(told)}}}:
            return told > 0
    return False


def _paths(event: dict[str, object]) -> Iterator[str]:
    match event:
        case {"type": "assistant", "message": {"content": list(blocks)}}:
            for block in blocks:
                match block:
                    case {"type": "tool_use", "name": str(tool), "input": given} if tool in _EDITS:
                        if path := first_text(given, ("file_path",)):
                            yield path
