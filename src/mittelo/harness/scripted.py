"""The agents that come with mittelo: `script` follows a script, `echo` repeats its prompt."""

import sys
from collections.abc import Iterator

from typing_extensions import override

from mittelo.core.policies import Tools
from mittelo.core.signs import (
    Ended,
    Erred,
    Said,
    Session,
    Sign,
    Spent,
    Tokens,
    Touched,
    Used,
)
from mittelo.harness.base import Command, Harness, Job, Stream, count, dollars, parse_json

DEFAULT_SCRIPT = ".rally/script.toml"


class Script(Harness):
    """Runs the scripted agent. Its model is the path of the script, from the workspace.

    With `--answer` it touches nothing: that keeps it to no tools, and to tools that read.
    """

    name = "script"
    binary = sys.executable
    resumes = True
    keeps = (Tools.NONE, Tools.READ, Tools.ALL)
    variables = ("MITTELO_*",)

    @override
    def command(self, job: Job) -> Command:
        script = job.model or DEFAULT_SCRIPT
        argv = [self.binary, "-P", "-m", "mittelo.agents.script", "--script", script]
        if job.tools is not Tools.ALL:
            argv.append("--answer")
        if job.session:
            argv += ["--resume", job.session]
        return Command(argv=argv, stdin=job.prompt)

    @override
    def read(self, line: bytes, stream: Stream) -> Iterator[Sign]:
        if stream is not Stream.OUT:
            return
        match parse_json(line):
            case {"type": "start", "session": str(session)}:
                yield Session(session)
            case {"type": "say", "text": str(text), "id": str(identity)}:
                yield Said(text, identity)
            case {"type": "tool", "name": str(tool), "detail": str(detail)}:
                yield Used(tool, detail)
            case {"type": "touch", "path": str(path)}:
                yield Touched(path)
            case {"type": "usage", **fields}:
                tokens = Tokens(count(fields, "input"), count(fields, "output"))
                yield Spent(tokens, dollars(fields, "cost"), part=str(fields.get("id", "usage")))
            case {"type": "error", "message": str(message)}:
                yield Erred(message)
                yield Ended(ok=False, message=message)
            case {"type": "end", "text": str(text)}:
                yield Ended(ok=True, text=text)


class Echo(Harness):
    """Answers with its prompt and changes nothing: for trying out what surrounds an agent.

    It has no tools.
    """

    name = "echo"
    binary = sys.executable
    needs_end = False

    @override
    def command(self, job: Job) -> Command:
        return Command(argv=[self.binary, "-P", "-m", "mittelo.agents.echo"], stdin=job.prompt)

    @override
    def read(self, line: bytes, stream: Stream) -> Iterator[Sign]:
        if stream is Stream.OUT:
            yield Said(line.decode(errors="replace") + "\n", "answer")
