"""The log that an agent CLI keeps itself: where it lies, and what it tells of a run."""

import glob
from collections.abc import Iterator, Mapping
from pathlib import Path

from mittelo.core.signs import Erred
from mittelo.harness.base import Harness, LogWindow
from mittelo.proc.supervise import Supervised
from mittelo.proc.transcript import tail

LOG_BYTES = 1 << 20


def find_log(harness: Harness, session: str, workspace: str, env: Mapping[str, str]) -> str:
    """Return where the CLI's own log of a session lies, "" where it cannot be found."""
    if session or harness.shares_log:
        for pattern in harness.session_logs(session, workspace, env):
            if found := glob.glob(pattern):  # noqa: PTH207 - the patterns are absolute
                return max(found, key=_last_written)
    return ""


def logged_errors(
    harness: Harness, supervised: Supervised, window: LogWindow, env: Mapping[str, str], kept: str
) -> Iterator[Erred]:
    """Yield the errors in the logs of a run that did not end well; `kept` is one of our own, or "".

    Where the CLI's output tells of a good end, its logs are not asked.
    """
    ended = supervised.reading.ended
    if supervised.finish.code == 0 and ended and ended.ok:
        return
    own = find_log(harness, window.session, window.workspace, env)
    for path in filter(None, (own, kept)):
        yield from harness.read_log(tail(Path(path), LOG_BYTES), window)


def _last_written(path: str) -> tuple[float, str]:
    try:
        return Path(path).stat().st_mtime, path
    except OSError:
        return 0.0, path
