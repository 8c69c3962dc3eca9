"""Antigravity (`agy`), which prints plain text; facts from the specification, version 1.0."""

import re
from collections.abc import Iterator, Mapping

from typing_extensions import override

from mittelo.core.faults import Category, Fault
from mittelo.core.policies import Tools
from mittelo.core.signs import Erred, Said, Session, Sign
from mittelo.harness.base import (
    ARGV_BYTES,
    MAX_LOGGED,
    MAX_LOGGED_TEXT,
    Command,
    Harness,
    Job,
    JsonKey,
    LogWindow,
    Stream,
    home_of,
)
from mittelo.harness.needs import Login, Need, Trace

_FAMILIES = ("claude", "flash", "pro")
_CONVERSATION = re.compile(rb"Print mode: conversation=([0-9a-fA-F-]+)")

_ERROR = re.compile(rb"E\d{4}\s+\d{2}:\d{2}:\d{2}\.\d{6}\b[^\]]*\]\s*(.+)")
_SECRETS = (b"oauth_creds.json", b"antigravity-oauth-token", b"settings.json")


class Antigravity(Harness):
    """Runs `agy --print PROMPT`. Has no model flag: the model is a key of its settings file.

    The conversation's id stands in the log file that it is told to write. It has no flags for
    tools, and no run of it was ever measured.
    """

    name = "antigravity"
    aliases = ("ag", "agy")
    binary = "agy"
    resumes = True
    needs_end = False
    prompt_limit = ARGV_BYTES
    keeps = (Tools.ALL,)
    variables = ("ANTIGRAVITY_*", "GOOGLE_CLOUD_PROJECT")
    hosts = ("cloudcode-pa.googleapis.com", "oauth2.googleapis.com")  # as gemini with a login
    faults = (Fault(Category.USAGE_LIMIT, r"resource.?exhausted|individual quota reached"),)

    @override
    def command(self, job: Job) -> Command:
        log = f"{job.scratch}/agy.log"
        argv = [self.binary, f"--log-file={log}", "--print-timeout=30m0s"]
        if job.tools is Tools.ALL:
            argv.append("--dangerously-skip-permissions")
        if job.session:
            argv.append(f"--conversation={job.session}")
        model = JsonKey(".gemini/antigravity-cli/settings.json", "model", job.model)
        return Command(
            argv=[*argv, "--print", job.prompt], settings=(model,) if job.model else (), log=log
        )

    @override
    def read(self, line: bytes, stream: Stream) -> Iterator[Sign]:
        match stream:
            case Stream.OUT:
                yield Said(line.decode(errors="replace") + "\n", "answer")
            case Stream.LOG:
                for found in _CONVERSATION.finditer(line):
                    yield Session(found[1].decode())
            case Stream.ERR:
                return

    @override
    def read_log(self, tail: bytes, window: LogWindow) -> Iterator[Erred]:
        """Yield the errors of its log, unless that is one of another conversation."""
        if window.session and window.session.encode() not in tail:
            return
        lines = [line for line in tail.splitlines() if not any(name in line for name in _SECRETS)]
        errors = [match[1] for line in lines if (match := _ERROR.match(line))]
        for text in errors[-MAX_LOGGED:]:
            yield Erred(text.decode(errors="replace")[:MAX_LOGGED_TEXT])

    @override
    def quota_scope(self, model: str) -> str:
        """Return the family of a model: each has a quota of its own."""
        folded = model.lower()
        family = next((name for name in _FAMILIES if name in folded), folded)
        return f"{self.name}:{family}"

    @override
    def needs(self, env: Mapping[str, str]) -> Iterator[Need]:
        yield from super().needs(env)
        folder = f"{home_of(env)}/.gemini"
        traces = (
            Trace(f"{folder}/antigravity-cli/antigravity-oauth-token"),
            Trace(f"{folder}/oauth_creds.json"),
        )
        yield Login((), traces, "Run `agy` and log in.")

    @override
    def session_logs(self, session: str, workspace: str, env: Mapping[str, str]) -> list[str]:
        del session, workspace
        return [f"{home_of(env)}/.gemini/antigravity-cli/log/cli-*.log"]
