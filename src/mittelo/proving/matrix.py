"""Try every backend that is ready, side by side: which work here, which do not, and why."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict, replace

from mittelo.answering.backends import Agent, all_backends, find_backend
from mittelo.answering.backends import Folder as ScriptFolder
from mittelo.config.load import Configuration
from mittelo.errors import MitteloError, UsageError
from mittelo.proving.circumstances import Circumstances
from mittelo.proving.judging import Mark
from mittelo.proving.reports import Folder, now
from mittelo.proving.stopping import Pace, do_together, heeding_signals
from mittelo.proving.trial import UNFINISHED, Asked, Result, Trial


class Row(Struct, frozen=True, kw_only=True):
    """What the matrix says of one backend; its own report lies in `folder`."""

    backend: str
    verdict: Mark
    reason: str
    ok: bool
    rc: int | None = None
    latency_ms: int = 0
    category: str | None = None
    folder: str


class Matrix(Struct, frozen=True, kw_only=True):
    """What a whole matrix came to, and where it is on record."""

    folder: Path
    rows: list[Row]
    finished: bool = False

    def count(self, mark: Mark) -> int:
        """Return how many have this verdict."""
        return sum(row.verdict is mark for row in self.rows)


class Survey(Struct, frozen=True, kw_only=True):
    """Which backends are tried, how many at once, and in which files that is put on record."""

    names: list[str]
    at_once: int
    base: Path
    folder: str
    file: str


def choose(
    configuration: Configuration, include: Sequence[str], exclude: Sequence[str]
) -> list[str]:
    """Return the backends that are asked for; all that there are if none is named."""
    left_out = {_proper(name, configuration) for name in exclude}
    chosen = [_proper(name, configuration) for name in include] or all_backends(configuration)
    return [name for name in dict.fromkeys(chosen) if name not in left_out]


def drivers(configuration: Configuration) -> list[str]:
    """Return the backends that drive a program of somebody else's."""
    return [name for name in all_backends(configuration) if _is_driver(name, configuration)]


def run_matrix(
    survey: Survey, asked: Asked, about: Circumstances, watch: Callable[[Pace], None]
) -> Matrix:
    """Try them; the report is there from the first moment on, however this ends."""
    if not survey.names:
        raise UsageError("No backend is left to be tried.", "Leave out an --exclude.")
    report = Folder(survey.base, survey.folder)
    folders = [report.below(name) for name in survey.names]
    trials = [
        Trial(name, asked, folder, about)
        for name, folder in zip(survey.names, folders, strict=True)
    ]
    rows = [_unfinished(trial.name, folder) for trial, folder in zip(trials, folders, strict=True)]
    matrix = Matrix(folder=report.path, rows=rows)

    def ended(place: int, result: Result) -> None:
        rows[place] = _row(result, folders[place])
        _keep(report, survey, matrix, about)

    _keep(report, survey, matrix, about)
    for trial in trials:
        trial.begin()
    try:
        with heeding_signals():
            do_together(trials, survey.at_once, watch, ended)
        matrix = replace(matrix, finished=True)
    finally:
        _keep(report, survey, matrix, about)
    return matrix


def _proper(name: str, configuration: Configuration) -> str:
    """Return the name of a backend that may be called by another; raises where there is none."""
    backend = find_backend(name, configuration, "true")
    return backend.names[0] if isinstance(backend, Agent) else name


def _is_driver(name: str, configuration: Configuration) -> bool:
    try:
        backend = find_backend(name, configuration, "true")
    except MitteloError:
        return False
    if isinstance(backend, Agent):
        return name != "script"
    return isinstance(backend, ScriptFolder)


def _unfinished(name: str, folder: Folder) -> Row:
    return Row(
        backend=name, verdict=Mark.FAIL, reason=UNFINISHED, ok=False, folder=folder.path.name
    )


def _row(result: Result, folder: Folder) -> Row:
    return Row(
        backend=result.backend,
        verdict=result.verdict,
        reason=result.reason,
        ok=result.ok,
        rc=result.rc,
        latency_ms=result.latency_ms,
        category=None if result.ok else result.category,
        folder=folder.path.name,
    )


def _keep(report: Folder, survey: Survey, matrix: Matrix, about: Circumstances) -> None:
    counts = {mark.lower(): matrix.count(mark) for mark in Mark}
    facts = asdict(about) | {
        "written": now(),
        "finished": matrix.finished,
        "ok": matrix.finished and not counts["fail"],
        "counts": counts,
        "results": matrix.rows,
    }
    report.write_json(survey.file, facts)
    report.write("summary.md", "\n".join(_summary(matrix, about)) + "\n")


def _summary(matrix: Matrix, about: Circumstances) -> Iterable[str]:
    counted = ", ".join(f"{matrix.count(mark)} {mark}" for mark in Mark)
    yield f"# {about.tool}: {counted}"
    yield ""
    if not matrix.finished:
        yield from ("It was ended before it was through.", "")
    yield "| backend | verdict | took | reason |"
    yield "| --- | --- | --- | --- |"
    for row in matrix.rows:
        reason = row.reason.replace("|", "\\|")
        yield f"| {row.backend} | {row.verdict} | {row.latency_ms / 1000:.1f} s | {reason} |"
    yield ""
    commit = about.git_commit or "none"
    yield f"{about.began}, commit {commit}, Python {about.python}, {about.platform}"
