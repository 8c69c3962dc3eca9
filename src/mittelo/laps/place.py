"""Where the queues of a repository lie."""

from pathlib import Path

from msgspec import Struct

from mittelo.config.laps import laps_folder
from mittelo.laps.refusals import StoreError

FOLDER = ".laps"


class Place(Struct, frozen=True):
    """The folder of the queues, the top of the repository that has it, and of our work tree.

    The two tops differ in a linked git worktree, which shares the queues of the main one.
    """

    folder: Path
    root: Path
    work_tree: Path


def find_place(start: Path | None = None) -> Place:
    """Return the place around a folder; `LAPS_DIR` names one outright. Nothing is made."""
    here = start or _current_folder()
    if given := laps_folder():
        folder = here / given
        return Place(folder, folder.parent, folder.parent)
    for top in (here, *here.parents):
        has_git = (top / ".git").exists()
        if has_git and (top / FOLDER).is_file():
            raise StoreError(f"{top / FOLDER} is not a folder.", "Move it away.")
        if has_git and (main := _main_work_tree(top)) and (main / FOLDER).is_dir():
            return Place(main / FOLDER, main, top)
        if has_git or (top / FOLDER).is_dir():
            return Place(top / FOLDER, top, top)
    raise StoreError(
        f"There is neither a git repository nor a folder {FOLDER} around {here}.",
        f"Run: git init, or mkdir {FOLDER}",
    )


def _main_work_tree(top: Path) -> Path | None:
    """Return the main work tree of a linked one; None for a repository of its own."""
    try:
        told = (top / ".git").read_text()
        private = top / told.removeprefix("gitdir:").strip()
        common = private / (private / "commondir").read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None
    common = common.resolve()
    return common.parent if common.name == ".git" else None


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise StoreError("The current folder is gone.", "Change into one that exists.") from error
