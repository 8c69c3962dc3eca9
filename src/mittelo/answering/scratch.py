"""The folder of one run: what its program is given and what it says, for as long as it runs."""

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "mittelo-run-"
LOCK = ".lock"
YOUNG_SECONDS = 60.0
"""A younger folder may not be locked yet, or its program may not be gone yet."""


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new folder that nobody else may read; it is gone afterwards.

    It is locked meanwhile: `sweep` tells by that what a killed process left.
    """
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as made:
        folder = Path(made)
        with FileLock(folder / LOCK):
            yield folder


def sweep() -> None:
    """Remove the folders that killed processes of this user left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, Timeout):
            if _is_old(folder):
                with FileLock(folder / LOCK, blocking=False):
                    shutil.rmtree(folder, ignore_errors=True)


def _is_old(folder: Path) -> bool:
    about = folder.lstat()
    ours = stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid()
    return ours and time.time() - about.st_mtime > YOUNG_SECONDS
