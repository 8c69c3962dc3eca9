"""The folders of a workspace in the data directory, which may lie in the workspace itself."""

import os
import shutil
import sysconfig
from pathlib import Path

from mittelo.config.paths import DataPaths
from mittelo.errors import UsageError
from mittelo.log import warn

TOOLS = ("rally", "laps")


def make_folders(root: Path, data: DataPaths) -> None:
    """Make what is not there, raise where nothing can be written; git does not see any of it."""
    try:
        for folder in data.folders:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if data.base.is_relative_to(root):
                (folder / ".gitignore").write_text("*\n")
        _install_tools(data)
        writable = os.access(data.tries, os.W_OK)
    except OSError as error:
        raise _unwritable(data.base, error.strerror or "") from error
    if not writable:
        raise _unwritable(data.base, "Permission denied")


def heal_folders(root: Path, data: DataPaths) -> None:
    """Make anew what an agent may have removed; say so where that fails."""
    try:
        make_folders(root, data)
    except UsageError as error:
        warn(error.what)


def _install_tools(data: DataPaths) -> None:
    """Put links to our own commands into a folder for the agents' PATH.

    The folder of our scripts itself may hold a Python, which would hide the agent's own.
    """
    for name in TOOLS:
        script = Path(sysconfig.get_path("scripts")) / name
        found = str(script) if script.exists() else shutil.which(name)
        link = data.tools / name
        if not found or (link.is_symlink() and link.readlink() == Path(found)):
            continue
        fresh = data.tools / f".{name}.{os.getpid()}"
        fresh.symlink_to(found)
        fresh.replace(link)


def _unwritable(base: Path, why: str) -> UsageError:
    return UsageError(
        f"The data directory {base} cannot be written: {why}.",
        "Make it writable, or set data_dir in .rally/config.toml.",
    )
