"""What an agent CLI's own log tells of a run, where its output does not say."""

import glob
from collections.abc import Iterator, Mapping
from pathlib import Path

from mittelo.core.signs import Erred
from mittelo.harness.base import Harness, LogWindow
from mittelo.proc.supervise import Supervised
from mittelo.proc.transcript import tail

LOG_BYTES = 1 << 20


def logged_errors(
    harness: Harness, supervised: Supervised, window: LogWindow, env: Mapping[str, str]
) -> Iterator[Erred]:
    """Yield the errors in the log of a run that did not end well."""
    ended = supervised.reading.ended
    well = supervised.finish.code == 0 and ended and ended.ok
    if not well and (window.session or harness.shares_log):
        for pattern in harness.session_logs(window.session, window.workspace, env):
            if found := glob.glob(pattern):  # noqa: PTH207 - the patterns are absolute
                yield from harness.read_log(
                    tail(max(map(Path, found), key=_age), LOG_BYTES), window
                )
                return


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
