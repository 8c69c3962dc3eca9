"""Try one backend with one prompt, and put on record what came of it, whatever that is."""

from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict, replace

from mittelo.answering.backends import Backend, find_backend
from mittelo.answering.preflight import Report
from mittelo.answering.run import Answer, Question, Run, bounds_of
from mittelo.config.load import Configuration, environment
from mittelo.core.clipping import printable
from mittelo.core.faults import Category
from mittelo.core.signs import Tokens
from mittelo.errors import MitteloError
from mittelo.proving.circumstances import Circumstances
from mittelo.proving.judging import Judged, Mark, judge, judge_readiness
from mittelo.proving.readiness import readiness, unknown
from mittelo.proving.reports import Folder, now
from mittelo.sandbox.surroundings import HOME_VARIABLE

UNFINISHED = "it has not ended, or was killed"
SHOWN = 4000


class Asked(Struct, frozen=True, kw_only=True):
    """What a backend is tried with. `own_home`: its home lies in the report, unless one is named.

    `run_on_warn`: it is tried also where preflight has doubts.
    """

    prompt: str
    seconds: float
    configuration: Configuration
    cwd: Path
    shell_cmd: str = ""
    own_home: bool = True
    run_on_warn: bool = False


class Result(Struct, frozen=True, kw_only=True):
    """What `result.json` says. `ok`: it passed. `rc` None: no program came to its end."""

    backend: str
    ok: bool
    rc: int | None
    latency_ms: int
    stdout: str
    stderr: str
    category: str | None
    verdict: Mark
    reason: str
    ended: str
    tokens: Tokens = Tokens()
    cost_usd: float | None = None
    left: list[str] = []


class Trial:
    """One backend, tried once; its files lie in the folder of a report."""

    def __init__(self, name: str, asked: Asked, folder: Folder, about: Circumstances) -> None:
        self.name = name
        self._asked = asked
        self._folder = folder
        self._about = about
        self._home = home_in(folder) if asked.own_home else ""
        self._run: Run | None = None
        self._stopped = False

    def begin(self) -> None:
        """Write the report as it stands if we are killed before the end."""
        self._folder.write_json("run.json", self._facts(None))
        self._keep(_unrun(self.name, Judged(Mark.FAIL, UNFINISHED), ""))

    def go(self) -> Result:
        """Try it, and return what came of it; it is on record then, too."""
        try:
            result = self._try()
        except MitteloError as error:
            result = _unrun(self.name, Judged(Mark.FAIL, error.what), str(error))
        self._keep(result)
        return result

    def stop(self) -> None:
        """End it at once."""
        self._stopped = True
        if self._run:
            self._run.stop()

    def _try(self) -> Result:
        asked = self._asked
        backend, report = self._look()
        self._folder.write_json("run.json", self._facts(report))
        unready = judge_readiness(report, run_on_warn=asked.run_on_warn)
        if unready or backend is None:
            return _unrun(self.name, unready or Judged(Mark.SKIP), _words(report))
        bounds = replace(
            bounds_of(asked.configuration), seconds=asked.seconds, keep=self._folder.path
        )
        question = Question(prompt=asked.prompt, task_id="0", worker_id="system-test")
        self._run = Run(backend, question, bounds, str(asked.cwd), self._home)
        if self._stopped:
            self._run.stop()
        return _result(self.name, self._run.go(), report)

    def _look(self) -> tuple[Backend | None, Report]:
        """Return the backend and whether it is ready; none where its name means nothing."""
        asked = self._asked
        try:
            backend = find_backend(self.name, asked.configuration, asked.shell_cmd)
        except MitteloError as error:
            return None, unknown(self.name, f"{error.what} {error.todo}".strip())
        return backend, readiness(self.name, backend, self._home, asked.cwd, asked.configuration)

    def _facts(self, report: Report | None) -> dict[str, object]:
        told = {
            "backend": self.name,
            "prompt": self._asked.prompt,
            "timeout_s": self._asked.seconds,
            "home": self._home or environment().get(HOME_VARIABLE) or "the user's own",
            "preflight": report,
        }
        return asdict(self._about) | told

    def _keep(self, result: Result) -> None:
        self._folder.write_json("result.json", result)
        self._folder.write("summary.md", _summary(result, self._asked.prompt))


def home_in(folder: Folder) -> str:
    """Return the home that what is tried gets: in the report, unless its user names another."""
    return "" if environment().get(HOME_VARIABLE) else str(folder.path / "home")


def _words(report: Report) -> str:
    return "\n".join([*report.problems, *report.warnings])


def _result(name: str, answer: Answer, report: Report) -> Result:
    judged = judge(answer, report)
    said = [answer.errors.rstrip("\n"), *([answer.reason] if answer.reason else [])]
    code = 0 if answer.ok and answer.code is None else answer.code
    return Result(
        backend=name,
        ok=judged.mark is Mark.PASS,
        rc=code,
        latency_ms=round(answer.seconds * 1000),
        stdout=answer.text,
        stderr="\n".join(line for line in said if line),
        category=answer.category,
        verdict=judged.mark,
        reason=judged.reason,
        ended=now(),
        tokens=answer.tokens,
        cost_usd=answer.cost,
        left=answer.left,
    )


def _unrun(name: str, judged: Judged, errors: str) -> Result:
    """Return what there is to say of a backend that was not run."""
    return Result(
        backend=name,
        ok=False,
        rc=None,
        latency_ms=0,
        stdout="",
        stderr=errors,
        category=Category.HARNESS_LAUNCH,
        verdict=judged.mark,
        reason=judged.reason,
        ended=now(),
    )


def _summary(result: Result, prompt: str) -> str:
    code = "none" if result.rc is None else result.rc
    lines = [
        f"# {result.backend}: {result.verdict}",
        "",
        *([result.reason, ""] if result.reason else []),
        f"- exit code: {code}",
        f"- took: {result.latency_ms / 1000:.1f} s",
        f"- category: {result.category or 'none'}",
        f"- ended: {result.ended}",
        *([f"- left running, and ended: {', '.join(result.left)}"] if result.left else []),
    ]
    for title, text in (("prompt", prompt), ("stdout", result.stdout), ("stderr", result.stderr)):
        lines += ["", f"## {title}", "", *fenced(text)]
    return "\n".join(lines) + "\n"


def fenced(text: str) -> list[str]:
    """Return text as lines of Markdown that show it as it is, as far as it is not too long."""
    shown = printable(text[:SHOWN])
    ticks = "```"
    while ticks in shown:
        ticks += "`"
    cut = ["(cut: all of it is in result.json)"] if len(text) > SHOWN else []
    return [ticks, shown.rstrip("\n"), ticks, *cut]
