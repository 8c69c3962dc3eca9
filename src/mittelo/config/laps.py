"""What the environment tells laps; apart from the rest, for laps must start at once."""

import math
import os
from pathlib import Path

from mittelo.core.claims import HOLD_SECONDS
from mittelo.errors import UsageError

FOLDER_VARIABLE = "LAPS_DIR"
SESSION_VARIABLE = "LAPS_SESSION"
CLAIM_VARIABLE = "LAPS_CLAIM_SECS"
_OF_ANOTHER_GIT = {
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
}


def laps_folder() -> Path | None:
    """Return the folder of the queues, if one is named outright."""
    given = os.environ.get(FOLDER_VARIABLE, "")
    return Path(given).expanduser() if given else None


def session() -> str:
    """Return who we are; all who do not say are one."""
    return os.environ.get(SESSION_VARIABLE, "")


def claim_seconds() -> float:
    """Return how long a claim holds."""
    given = os.environ.get(CLAIM_VARIABLE, "")
    try:
        seconds = float(given or HOLD_SECONDS)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 10 * 365 * 86400:
        told = f"{CLAIM_VARIABLE} is {given!r}, which is no number of seconds."
        raise UsageError(told, "Set it to seconds, or not at all.")
    return seconds


def wants_colour() -> bool:
    """Tell whether colours are welcome on a terminal."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def git_environment() -> dict[str, str]:
    """Return the environment for a git that is to look at the repository that we name.

    Within a hook or a merge, git's own variables name another index or work tree.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _OF_ANOTHER_GIT}
    return kept | {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
