"""Whatever sits in a tmux session, asked by our own agent `agents/tmux.py`."""

import sys
from collections.abc import Iterator, Mapping

from typing_extensions import override

from mittelo.core.policies import Tools
from mittelo.core.signs import Said, Sign
from mittelo.harness.base import Command, Harness, Job, Stream
from mittelo.harness.needs import Need, Program

_OPTIONS = {
    "MITTELO_TMUX_SESSION": "--session",
    "MITTELO_TMUX_END": "--end",
    "MITTELO_TMUX_QUIET": "--quiet",
    "MITTELO_TMUX_WAIT": "--wait",
}


class Tmux(Harness):
    """Types the prompt into a session that somebody set up, and answers with the new lines.

    What is done in that session nobody holds to anything.
    """

    name = "tmux"
    binary = sys.executable
    needs_end = False
    works = False
    keeps = (Tools.ALL,)
    variables = ("TMUX*", *_OPTIONS)

    @override
    def command(self, job: Job) -> Command:
        given = {flag: job.env[name] for name, flag in _OPTIONS.items() if job.env.get(name)}
        options = [f"{flag}={value}" for flag, value in given.items()]
        argv = [self.binary, "-P", "-m", "mittelo.agents.tmux", *options]
        return Command(argv=argv, stdin=job.prompt)

    @override
    def read(self, line: bytes, stream: Stream) -> Iterator[Sign]:
        if stream is Stream.OUT:
            yield Said(line.decode(errors="replace") + "\n", "answer")

    @override
    def needs(self, env: Mapping[str, str]) -> Iterator[Need]:
        del env
        yield Program(("tmux",))

    @override
    def notes(self, job: Job) -> list[str]:
        said = super().notes(job)
        if job.model:
            said.append(f"tmux asks whoever is there; model {job.model!r} is not passed on.")
        return said
