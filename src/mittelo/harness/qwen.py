"""Qwen Code (`qwen`), read from its stream-json output; facts from version 0.15.10."""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace
from typing_extensions import override

from mittelo.core.faults import Category, Fault
from mittelo.core.signs import Ended, Erred, Said, Sign, Spent, Touched
from mittelo.harness.base import (
    Command,
    Harness,
    Job,
    Mode,
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
_NO_QUESTION = "agent,edit,notebook_edit,run_shell_command,skill,web_fetch,write_file"
_KEYS = (
    "ANTHROPIC_API_KEY",
    "BAILIAN_CODING_PLAN_API_KEY",
    "DASHSCOPE_API_KEY",
    "GEMINI_API_KEY",
    "OPENAI_API_KEY",
)


class Qwen(Harness):
    """Runs `qwen`, prompt on stdin. Resumes in the same folder only.

    What a provider refuses it tells as if the model had said it, in a run that is a success.
    """

    name = "qwen"
    aliases = ("qw",)
    binary = "qwen"
    resumes = True
    measured = "0.15.10"
    stand_in = ("npx", "--yes", "@qwen-code/qwen-code")
    faults = (Fault(Category.AUTH_OR_PROXY, r"no auth type is selected"),)

    @override
    def command(self, job: Job) -> Command:
        argv = [self.binary, "--output-format", "stream-json"]
        if job.mode is Mode.WORK:
            argv.append("--yolo")
        else:
            argv += ["--approval-mode", "plan", "--exclude-tools", _NO_QUESTION]
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
        yield Login(_KEYS, traces, "Run `qwen auth`, or set OPENAI_API_KEY.")

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
