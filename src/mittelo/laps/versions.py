"""What git knows of the files below `.laps`: as they were committed, and both sides of a merge."""

import subprocess
from pathlib import Path

from msgspec import Struct

from mittelo.config.laps import git_environment

TIMEOUT_SECONDS = 60.0


class Stages(Struct, frozen=True):
    """A file in a merge that is not finished: the version before, ours and theirs."""

    base: bytes | None
    ours: bytes | None
    theirs: bytes | None


class Versions:
    """Git's view of a folder `.laps`, be it there or not; what git does not know is None."""

    def __init__(self, folder: Path) -> None:
        self._top, self._name = folder.parent, folder.name

    def committed(self, name: str) -> bytes | None:
        """Return a file as the commit that is checked out has it."""
        return self._ask("show", f"HEAD:./{self._name}/{name}")

    def unmerged(self) -> set[str]:
        """Return the names of files that a merge is not through with."""
        told = self._ask("ls-files", "--unmerged", "-z", "--", self._name)
        lines = [line for line in (told or b"").split(b"\0") if line]
        paths = (line.partition(b"\t")[2].decode(errors="surrogateescape") for line in lines)
        return {path.removeprefix(f"{self._name}/") for path in paths}

    def stages(self, name: str) -> Stages:
        """Return the versions of a file that a merge is not through with."""
        return Stages(
            *(self._ask("show", f":{number}:./{self._name}/{name}") for number in (1, 2, 3))
        )

    def setting(self, key: str) -> str | None:
        """Return a setting of the repository itself."""
        told = self._ask("config", "--local", "--get", key)
        return None if told is None else told.decode(errors="replace").rstrip("\n")

    def set(self, key: str, value: str) -> bool:
        """Change a setting of the repository; tell whether that went well."""
        return self._ask("config", "--local", "--replace-all", key, value) is not None

    def is_work_tree(self) -> bool:
        """Tell whether the folder lies in a work tree of git."""
        return self._ask("rev-parse", "--is-inside-work-tree") == b"true\n"

    def _ask(self, *words: str) -> bytes | None:
        try:
            done = subprocess.run(
                ["git", *words],
                cwd=self._top,
                env=git_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=TIMEOUT_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return None if done.returncode else done.stdout
