"""Git, as far as a relay needs it; every call is an argument list, with names taken literally."""

import subprocess
import time
from pathlib import Path

from msgspec import Struct

from mittelo.config.load import environment
from mittelo.errors import MitteloError, UsageError

TIMEOUT_SECONDS = 300
LOCK_PATIENCE_SECONDS = 5.0
LOCK_POLL_SECONDS = 0.1
MAX_COMMITS = 1000
_OWN_FILES = (".rally/", ".laps/")
_TRANSIENT = ".claude/settings.local.json"


class GitError(MitteloError):
    """Git refused; what it said is in the message."""


class Change(Struct, frozen=True):
    """A changed path: its status letters, object ids, and size and times of the file.

    Two equal changes mean that nobody touched the path in between.
    """

    letters: str
    objects: str = ""
    file: tuple[int, int, int] | None = None

    @property
    def is_untracked(self) -> bool:
        """Tell whether git does not know the path yet."""
        return self.letters == "??"


class Repository:
    """The work tree at `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def head(self) -> str:
        """Return the commit that is checked out, "" before the first one."""
        return self._ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")

    def branch(self) -> str:
        """Return the branch that is checked out, "" when HEAD is detached."""
        return self._ask("symbolic-ref", "--quiet", "--short", "HEAD")

    def subject(self, commit: str) -> str:
        """Return the first line of a commit's message."""
        return self._ask("log", "-1", "--format=%s", commit)

    def changes(self) -> dict[str, Change]:
        """Return every changed path, in full even below new folders.

        A submodule counts when its commit changed; a repository inside ours that is not a
        submodule does not.
        """
        raw = self._run(
            *("status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames")
        )
        found = (_parse_status(part, self.root) for part in raw.split("\0") if part)
        return dict(pair for pair in found if pair)

    def commits_between(self, before: str, after: str) -> list[str]:
        """Return the commits that `after` has and `before` has not, oldest first."""
        span = f"{before}..{after}" if before else after
        listed = self._run("rev-list", "--reverse", f"--max-count={MAX_COMMITS}", span)
        return listed.split()

    def files_between(self, before: str, after: str) -> list[str]:
        """Return the paths in which two commits differ."""
        if not before:
            before = self._run("hash-object", "-t", "tree", "/dev/null").strip()
        listed = self._run("diff", "--name-only", "-z", "--no-renames", before, after)
        return [path for path in listed.split("\0") if path]

    def is_on_remote(self, commit: str) -> bool:
        """Tell whether a remote branch that we know of holds this commit."""
        return bool(self._ask("branch", "--remotes", "--contains", commit))

    def commit(
        self, paths: dict[str, Change], message: str, *, hooks: bool = False, amend: bool = False
    ) -> str:
        """Commit exactly these paths as they are in the work tree, and return the commit.

        What else is staged stays staged. Amending keeps author and date of the last commit.
        """
        unknown = [path for path, change in paths.items() if change.is_untracked]
        if unknown:
            self._with_paths(unknown, "add", "--intent-to-add")
        options = [] if hooks else ["--no-verify"]
        if amend:
            options += ["--amend"]
        try:
            self._with_paths(
                [*paths], *self._identity(), "commit", "--only", "--quiet", *options, "-m", message
            )
        except GitError:
            if unknown:
                self._with_paths(unknown, "reset", "--quiet")
            raise
        return self.head()

    def _identity(self) -> list[str]:
        """Return options that stand in for the parts of an identity that are not configured."""
        options = []
        for key, ours in (("user.name", "Rally"), ("user.email", "rally@localhost")):
            if not self._ask("config", key):
                options += ["-c", f"{key}={ours}"]
        return options

    def _with_paths(self, paths: list[str], *words: str) -> str:
        given = "\0".join(paths).encode(errors="surrogateescape")
        return self._run(*words, "--pathspec-from-file=-", "--pathspec-file-nul", given=given)

    def _ask(self, *words: str) -> str:
        """Return what git answers, "" when it says no."""
        try:
            return self._run(*words).strip()
        except GitError:
            return ""

    def _run(self, *words: str, given: bytes = b"") -> str:
        """Run git, waiting a while for another git that holds the index."""
        deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
        while True:
            code, out, err = run_git(self.root, *words, given=given)
            if code == 0:
                return out
            if "index.lock" not in err or time.monotonic() > deadline:
                raise GitError(f"git {_verb(words)} failed: {err.strip() or f'exit {code}'}")
            time.sleep(LOCK_POLL_SECONDS)


def run_git(folder: Path, *words: str, given: bytes = b"") -> tuple[int, str, str]:
    """Run git in a folder; a session of its own keeps the terminal's Ctrl+C from it."""
    env = environment() | {
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=folder,
            env=env,
            input=given,
            capture_output=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise UsageError("git is not installed.", "Install git, then try again.") from error
    except subprocess.TimeoutExpired as error:
        raise GitError(f"git {_verb(words)} took over {TIMEOUT_SECONDS} s.") from error
    out = done.stdout.decode(errors="surrogateescape")
    return done.returncode, out, done.stderr.decode(errors="replace")


def is_ours(path: str) -> bool:
    """Tell whether a path holds our own records, or something as passing."""
    return path.startswith(_OWN_FILES) or path == _TRANSIENT


def _verb(words: tuple[str, ...]) -> str:
    plain = iter(words)
    for word in plain:
        if word == "-c":
            next(plain)
        else:
            return word
    return ""


def _parse_status(line: str, root: Path) -> tuple[str, Change] | None:
    """Read an entry of `git status --porcelain=v2 -z`."""
    if line.startswith("? "):
        path = line[2:]
        inner_repository = path.endswith("/")
        return None if inner_repository else (path, Change("??", "", _file(root / path)))
    kind = line[:1]
    fields = line.split(" ", {"1": 8, "u": 10}.get(kind, 0))
    if kind not in {"1", "u"}:
        return None
    letters, submodule, path = fields[1], fields[2], fields[-1]
    if submodule.startswith("S") and "C" not in submodule and letters in {".M", "M."}:
        return None
    return path, Change(letters, " ".join(fields[2:-1]), _file(root / path))


def _file(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns
