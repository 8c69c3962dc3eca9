"""Try one backend with one prompt: `mittelo system-test`."""

from collections.abc import Callable
from pathlib import Path

from mittelo.proving.circumstances import Circumstances
from mittelo.proving.reports import Folder
from mittelo.proving.stopping import Pace, do_together, heeding_signals
from mittelo.proving.trial import Asked, Result, Trial


def run_system_test(
    name: str,
    base: Path,
    asked: Asked,
    about: Circumstances,
    watch: Callable[[Pace], None],
) -> tuple[Result, Path]:
    """Return what came of it, and the folder in which that is on record."""
    report = Folder(base, name)
    trial = Trial(name, asked, report, about)
    results: list[Result] = []
    with heeding_signals():
        trial.begin()
        do_together([trial], 1, watch, lambda _, result: results.append(result))
    return results[0], report.path
