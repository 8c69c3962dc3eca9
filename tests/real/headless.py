"""Run a real CLI without mittelo, to tell a broken test bed from a broken mittelo."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryFile

from clis import RealCli
from msgspec import Struct

WORK: Mapping[str, list[str]] = {
    "claude": ["-p", "--output-format=stream-json", "--verbose", "--dangerously-skip-permissions"],
    "codex": ["exec", "--json", "--dangerously-bypass-approvals-and-sandbox"],
    "gemini": ["--output-format=stream-json", "--yolo", "--model=gemini-2.5-pro"],
    "opencode": ["run", "--format=json", "--title=bed"],
}
RESUME: Mapping[str, str] = {
    "claude": "--resume",
    "codex": "resume",
    "gemini": "--resume",
    "opencode": "--session",
}


class Reply(Struct, frozen=True):
    """How one run ended."""

    code: int
    output: str
    errors: str

    @property
    def session(self) -> str:
        """The first session id in the output."""
        names = ("session_id", "thread_id", "sessionID")
        return str(next(event[name] for event in self._events() for name in names if name in event))

    @property
    def said(self) -> str:
        """All that the model said; some CLIs tell it in pieces."""
        return "".join(_text(event) for event in self._events())

    def _events(self) -> Iterator[Mapping[str, object]]:
        for line in self.output.splitlines():
            yield json.loads(line)


def ask(cli: RealCli, prompt: str, *, folder: Path, session: str = "") -> Reply:
    """Put a prompt to the CLI in this folder, or to this session of it, and wait for its end."""
    with TemporaryFile() as output, TemporaryFile() as errors:
        ended = subprocess.run(
            [cli.name, *_arguments(cli, session)],
            cwd=folder,
            env=cli.environment,
            input=prompt.encode(),
            stdout=output,
            stderr=errors,
            timeout=60,
            check=False,
            start_new_session=True,
        )
        output.seek(0)
        errors.seek(0)
        return Reply(ended.returncode, output.read().decode(), errors.read().decode())


def _arguments(cli: RealCli, session: str) -> list[str]:
    again = [RESUME[cli.name], session] if session else []
    return [*WORK[cli.name], *again, *(["-"] if cli.name == "codex" else [])]


def _text(event: Mapping[str, object]) -> str:
    match event:
        case {"type": "result", "result": str(text)}:
            return text
        case {"type": "item.completed", "item": {"type": "agent_message", "text": str(text)}}:
            return text
        case {"type": "message", "role": "assistant", "content": str(text)}:
            return text
        case {"type": "text", "part": {"text": str(text)}}:
            return text
        case _:
            return ""
