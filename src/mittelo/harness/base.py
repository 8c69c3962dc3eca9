"""What every harness answers: how its CLI is started, and what a line of its output tells."""

import glob
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mittelo.core.faults import Fault
from mittelo.core.policies import Tools
from mittelo.core.signs import Erred, Reading, Sign
from mittelo.harness.needs import Need, Program

ARGV_BYTES = 100_000
"""An argument that carries a prompt holds this much; Linux refuses 128 KiB."""


LOG_MARGIN = 30.0
"""Seconds before and after a try in which a line of a log is still its own."""

MAX_LOGGED = 16
MAX_LOGGED_TEXT = 4000

_OBJECT = msgspec.json.Decoder(dict[str, object])
_HALF_CHARACTER = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_MOST_TOKENS = 2**53
_MOST_DOLLARS = 1_000_000.0


class Stream(StrEnum):
    """Where a line was written: stdout, stderr, or a log file the CLI was told to keep."""

    OUT = "out"
    ERR = "err"
    LOG = "log"


class Job(Struct, frozen=True, kw_only=True):
    """What an agent is to do: `session` continues a conversation, `scratch` is a folder for it.

    `env` is the environment that the command's own one will be laid over.
    """

    prompt: str
    workspace: str = "."
    tools: Tools = Tools.ALL
    model: str = ""
    effort: str = ""
    session: str = ""
    title: str = ""
    scratch: str = ""
    env: Mapping[str, str] = {}


class JsonKey(Struct, frozen=True):
    """A key to be set in a JSON settings file below the home, and put back afterwards."""

    path: str
    key: str
    value: str


class Command(Struct, frozen=True, kw_only=True):
    """What is started: argv, never a shell; `log` names a file that the CLI will write."""

    argv: list[str]
    stdin: str = ""
    env: dict[str, str] = {}
    settings: tuple[JsonKey, ...] = ()
    log: str = ""


class LogWindow(Struct, frozen=True, kw_only=True):
    """What part of a log tells of one try: its session, if known, its workspace and its time."""

    session: str = ""
    workspace: str = ""
    began: float = 0.0
    ended: float = math.inf

    def holds(self, instant: str, margin: float = LOG_MARGIN) -> bool:
        """Tell whether an ISO instant lies in the time of the try; one that is none does not."""
        try:
            at = datetime.fromisoformat(instant)
        except ValueError:
            return False
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
        return self.began - margin <= seconds <= self.ended + margin


class Harness:
    """One agent CLI. Subclasses describe; they hold no state and touch nothing.

    `resumes`: a session named in its output can be continued (proven by codeword probes).
    `needs_end`: its output ends with an end event, without which it broke off.
    `prompt_limit`: the bytes of UTF-8 that a prompt may have.
    `usage_spans_session`: the tokens it reports count from the start of the session, not of the
    try.
    `shares_log`: its log holds all sessions, so that it is worth a look where none is known.
    `noise`: how lines of its stderr begin that tell nothing of a failure.
    `efforts`: the reasoning efforts it is known to take; empty where any word goes.
    `models`: the short words that the CLI itself takes for a model.
    `faults`: phrases of failure that are its own.
    `stand_in`: words that start it where its program is not installed.
    `folders`: variables that name folders of its own, which lead it out of another home.
    `key_files`: where a variable that it reads is not set, the file below the home that holds it.
    `trust_variable`: set to 1, it lets the agent do anything where no policy is asked for.
    `works`: it can change a repository; one that does not can only answer.
    `keeps`: the tools to which its own flags hold the agent, as runs of it showed.
    `variables`: what it reads of an environment, its credentials too; `*` stands for any end.
    `hosts`: what it must reach to answer; `url_variables` lead it to others instead.
    `measured`: the version that its facts are from; "" where none was measured.
    `version_words`, `help_words`: how it is asked for its version, and for the flags it takes.
    """

    name: str = ""
    aliases: tuple[str, ...] = ()
    binary: str = ""
    resumes: bool = False
    needs_end: bool = True
    prompt_limit: int = 1_000_000
    takes_effort: bool = False
    usage_spans_session: bool = False
    shares_log: bool = False
    efforts: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    stand_in: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    key_files: Mapping[str, str] = {}
    trust_variable: str = ""
    works: bool = True
    keeps: tuple[Tools, ...] = tuple(Tools)
    variables: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    url_variables: tuple[str, ...] = ()
    measured: str = ""
    version_words: tuple[str, ...] = ("--version",)
    help_words: tuple[str, ...] = ("--help",)

    def command(self, job: Job) -> Command:
        """Return what to start for this job."""
        raise NotImplementedError

    def read(self, line: bytes, stream: Stream) -> Iterator[Sign]:
        """Yield what one line of output tells; a line that tells nothing yields nothing."""
        raise NotImplementedError

    def answer(self, reading: Reading, out: bytes, err: bytes) -> str:
        """Return the final message, from the signs or from the tails of stdout and stderr."""
        del out, err
        return reading.final

    def session_logs(self, session: str, workspace: str, env: Mapping[str, str]) -> list[str]:
        """Return glob patterns for the CLI's own log of a session, most likely first."""
        del session, workspace, env
        return []

    def quota_scope(self, model: str) -> str:
        """Return what a usage limit on a model covers, shared by all runners with the same."""
        del model
        return self.name

    def read_log(self, tail: bytes, window: LogWindow) -> Iterator[Erred]:
        """Yield the errors that the end of the CLI's own log tells of, the weightiest last.

        They count only where its output and stderr tell nothing.
        """
        del tail, window
        yield from ()

    def explain_exit(self, code: int) -> str:
        """Return what an exit code means to this CLI; "" when it means nothing special."""
        del code
        return ""

    def without_noise(self, errors: str) -> str:
        """Return what stderr says beyond what it always says."""
        lines = errors.splitlines()
        return "\n".join(line for line in lines if not line.lstrip().startswith(self.noise))

    def needs(self, env: Mapping[str, str]) -> Iterator[Need]:
        """Yield what must be there before it can answer."""
        del env
        yield Program((self.binary, *self.stand_in[:1]))

    def endpoints(self, env: Mapping[str, str]) -> list[str]:
        """Return the URLs of what it must reach to answer."""
        named = [env[name] for name in self.url_variables if env.get(name)]
        return named or [f"https://{host}" for host in self.hosts]

    def held_to(self, tools: Tools) -> Tools:
        """Return the most of these tools that its flags hold the agent to; never more."""
        order = [*Tools]
        narrower = reversed(order[: order.index(tools) + 1])
        return next((fewer for fewer in narrower if fewer in self.keeps), tools)

    def flags(self) -> list[str]:
        """Return every flag that it may be started with, all of which its help should name."""
        full = Job(prompt="x", model="m", effort="high", session="s", scratch="/s")
        jobs = [replace(job, tools=tools) for job in (Job(prompt="x"), full) for tools in Tools]
        words = [word for job in jobs for word in self.command(job).argv[1:]]
        found = [word.partition("=")[0] for word in words if re.match(r"--?[A-Za-z]", word)]
        return [*dict.fromkeys(word for word in found if word not in self.help_words)]

    def notes(self, job: Job) -> list[str]:
        """Return what the user should know about options that will not work as asked."""
        if job.tools is Tools.ALL and not self.works:
            return [f"{self.name} can only answer; it changes nothing in a repository."]
        if job.effort and not self.takes_effort:
            return [f"{self.name} has no flag for effort; {job.effort!r} is not passed on."]
        if job.effort and self.efforts and job.effort not in self.efforts:
            known = ", ".join(self.efforts)
            return [f"{self.name} knows the efforts {known}; {job.effort!r} is passed on as it is."]
        return []


def file_of_ours(name: str) -> str:
    """Return the path of a file that comes with the harnesses, for a CLI to read."""
    return str(Path(__file__).with_name("files") / name)


def parse_json(line: bytes) -> dict[str, object]:
    """Return the JSON object of a line; an empty one for anything else."""
    if not line.lstrip().startswith(b"{"):
        return {}
    try:
        return _OBJECT.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _parse_broken_text(line)


def _parse_broken_text(line: bytes) -> dict[str, object]:
    """Parse a line again with its broken characters replaced: what it tells still counts."""
    whole = line.decode(errors="replace").encode()
    try:
        return _OBJECT.decode(_HALF_CHARACTER.sub(rb"\\ufffd", whole))
    except (msgspec.DecodeError, RecursionError):
        return {}


def home_of(env: Mapping[str, str]) -> str:
    """Return the home folder in an environment, as part of a glob pattern."""
    return folder_of(env, "HOME", "~")


def folder_of(env: Mapping[str, str], name: str, default: str) -> str:
    """Return the folder that a variable names, as part of a glob pattern."""
    return glob.escape(env[name]) if env.get(name) else default


def count(fields: Mapping[str, object], key: str) -> int:
    """Return a whole number from foreign JSON, 0 for anything else."""
    value = fields.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MOST_TOKENS:
        return value
    return 0


def dollars(fields: Mapping[str, object], key: str) -> float | None:
    """Return an amount of US dollars from foreign JSON, None where there is none."""
    value = fields.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if 0 <= value < _MOST_DOLLARS else None
    return None


def first_text(fields: object, keys: tuple[str, ...]) -> str:
    """Return the first of these keys that holds text in foreign JSON, else ""."""
    if not isinstance(fields, dict):
        return ""
    texts = (fields[key] for key in keys if isinstance(fields.get(key), str))
    return next(texts, "")
