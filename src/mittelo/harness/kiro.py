"""Kiro CLI (`kiro-cli`), which prints plain text; by its documentation, read in November 2026."""

from collections.abc import Iterator, Mapping

from typing_extensions import override

from mittelo.core.clipping import printable
from mittelo.core.faults import Category, Fault
from mittelo.core.policies import Tools
from mittelo.core.signs import Reading, Said, Sign
from mittelo.harness.accounts import AWS
from mittelo.harness.base import Command, Harness, Job, Stream, folder_of, home_of
from mittelo.harness.needs import Login, Need, Trace

_SIGN = "> "
_ACCOUNT = "▸ "
_TRUSTED = {Tools.NONE: "", Tools.READ: "fs_read"}
_EXITS = {3: "an MCP server did not start", 4: "its agent was not found"}


class Kiro(Harness):
    """Runs `kiro-cli chat --no-interactive`, prompt on stdin. No run of it was ever measured.

    It names no session in such a run, so that it cannot be resumed. By its documentation it
    refuses what is not trusted; that it offers no tools at all is nowhere said.
    """

    name = "kiro"
    binary = "kiro-cli"
    needs_end = False
    trust_variable = "MITTELO_KIRO_TRUST_ALL_TOOLS"
    help_words = ("chat", "--help")
    keeps = (Tools.READ, Tools.ALL)
    variables = ("KIRO_*", *AWS)
    hosts = (
        *("q.us-east-1.amazonaws.com", "codewhisperer.us-east-1.amazonaws.com"),
        *("oidc.us-east-1.amazonaws.com", "cognito-identity.us-east-1.amazonaws.com"),
    )  # from the list for firewalls of Amazon Q, which it was before
    faults = (
        Fault(Category.AUTH_OR_PROXY, r"oauth.{0,40}callback|kiro_api_key|kiro-cli login"),
        Fault(Category.TRANSIENT_INFRA, r"kiro is having trouble responding"),
    )

    @override
    def command(self, job: Job) -> Command:
        argv = [self.binary, "chat", "--no-interactive", "--wrap", "never"]
        if job.model:
            argv += ["--model", job.model]
        if job.tools is Tools.ALL:
            argv.append("--trust-all-tools")
        else:
            argv.append(f"--trust-tools={_TRUSTED[self.held_to(job.tools)]}")
        return Command(argv=argv, stdin=job.prompt)

    @override
    def read(self, line: bytes, stream: Stream) -> Iterator[Sign]:
        if stream is not Stream.OUT:
            return
        text = printable(line.decode(errors="replace")).rstrip()
        if not text.startswith(_ACCOUNT):
            yield Said(f"{text}\n", "answer")

    @override
    def answer(self, reading: Reading, out: bytes, err: bytes) -> str:
        """Return what it printed, without the sign that it puts before."""
        return super().answer(reading, out, err).removeprefix(_SIGN)

    @override
    def explain_exit(self, code: int) -> str:
        return _EXITS.get(code, "")

    @override
    def needs(self, env: Mapping[str, str]) -> Iterator[Need]:
        yield from super().needs(env)
        data = folder_of(env, "XDG_DATA_HOME", f"{home_of(env)}/.local/share")
        traces = (Trace(f"{data}/kiro-cli/data.sqlite3", "token"),)
        todo = "Run `kiro-cli login --use-device-flow`, or set KIRO_API_KEY."
        yield Login(("KIRO_API_KEY",), traces, todo)
