"""Any CLI that the configuration declares in `[harness.NAME]`."""

from collections.abc import Iterator

from msgspec import Struct
from typing_extensions import override

from mittelo.core.clipping import printable
from mittelo.core.policies import Tools
from mittelo.core.signs import Reading, Said, Sign
from mittelo.harness.base import ARGV_BYTES, Command, Harness, Job, Stream

PROMPT = "$PROMPT"


class Declaration(Struct, frozen=True):
    """A `[harness.NAME]` table. `model_flag` None: the model cannot be passed; "": bare."""

    command: list[str]
    model_flag: str | None = None
    tail_stream: str = "combined"
    output_lines: int = 40
    models: dict[str, str] = {}


class Declared(Harness):
    """Runs the declared command; the prompt replaces `$PROMPT`, else it goes by stdin.

    Its answer is the last `output_lines` lines of the chosen stream; exit code 0 is success. It is
    started in one way only, which holds it to nothing.
    """

    needs_end = False
    keeps = (Tools.ALL,)

    def __init__(self, name: str, declaration: Declaration) -> None:
        self.name = name
        self.binary = declaration.command[0]
        self.declaration = declaration
        self.answer_lines = declaration.output_lines if declaration.output_lines > 0 else 40
        self._by_argument = any(PROMPT in part for part in declaration.command)
        if self._by_argument:
            self.prompt_limit = ARGV_BYTES

    @override
    def command(self, job: Job) -> Command:
        argv = [part.replace(PROMPT, job.prompt) for part in self.declaration.command]
        flag = self.declaration.model_flag
        if job.model and flag is not None:
            argv += [flag, job.model] if flag else [job.model]
        return Command(argv=argv, stdin="" if self._by_argument else job.prompt)

    @override
    def read(self, line: bytes, stream: Stream) -> Iterator[Sign]:
        wanted = self.declaration.tail_stream
        shown = {"stdout": {Stream.OUT}, "stderr": {Stream.ERR}}.get(wanted, {*Stream})
        if stream in shown and (text := _plain(line).strip()):
            yield Said(f"{text}\n", "answer")

    @override
    def answer(self, reading: Reading, out: bytes, err: bytes) -> str:
        """Return the last lines of the chosen stream; combined is all stdout, then all stderr."""
        wanted = self.declaration.tail_stream
        chosen = {"stdout": out, "stderr": err}.get(wanted, out + b"\n" + err)
        lines = [_plain(line).rstrip() for line in chosen.split(b"\n")]
        return "\n".join([line for line in lines if line][-self.answer_lines :])

    @override
    def notes(self, job: Job) -> list[str]:
        said = super().notes(job)
        if job.model and self.declaration.model_flag is None:
            said.append(
                f"[harness.{self.name}] has no model_flag; model {job.model!r} is not passed on."
            )
        return said


def _plain(line: bytes) -> str:
    """Return a line as a terminal would leave it: what was written over is gone."""
    shown = line.rstrip(b"\r").rpartition(b"\r")[2]
    return printable(shown.decode(errors="replace"))
