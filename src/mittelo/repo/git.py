"""Git, as far as a relay needs it; every call is an argument list, with names taken literally."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psutil
from msgspec import Struct

from mittelo.config.load import environment
from mittelo.errors import MitteloError, UsageError
from mittelo.programs import find_program
from mittelo.repo.changes import Change, parse_status

TIMEOUT_SECONDS = 300.0
END_SECONDS = 1.0
LOCK_PATIENCE_SECONDS = 5.0
LOCK_POLL_SECONDS = 0.1
MAX_COMMITS = 1000
UNFINISHED = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
}
_HIT_BY_SIGNAL = {-signal.SIGINT, -signal.SIGTERM, -signal.SIGHUP}
"""One that was meant for our group can hit a git that has not left it yet."""

_NO_HOOKS = ("-c", f"core.hooksPath={os.devnull}")


class GitError(MitteloError):
    """Git refused; what it said is in the message."""


class GitLocked(GitError):  # noqa: N818 - a state of the repository
    """Another git holds the index, or one that was killed left its lock."""


class Confinement(Struct, frozen=True):
    """Words before those of git, and its environment: what an agent left may start programs."""

    words: list[str]
    env: dict[str, str]


class Repository:
    """The work tree at `root`; git runs within `confinement`, if there is one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.confinement: Confinement | None = None
        self._known: dict[str, tuple[tuple[int, ...], str]] = {}

    def setting(self, key: str) -> str:
        """Return a value of git's configuration, "" where there is none."""
        return self._ask("config", key)

    def head(self) -> str:
        """Return the commit that is checked out, "" before the first one."""
        return self._ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")

    def top_level(self) -> str:
        """Return what the commit that is checked out holds, a line for each name at its top."""
        return self._ask("ls-tree", "HEAD")

    def branch(self) -> str:
        """Return the branch that is checked out, "" when HEAD is detached."""
        return self._ask("symbolic-ref", "--quiet", "--short", "HEAD")

    def subject(self, commit: str) -> str:
        """Return the first line of a commit's message."""
        return self._ask("log", "-1", "--format=%s", commit)

    def path(self, name: str) -> Path:
        """Return the place of a file in git's own folder for this work tree."""
        return self.root / self._run("rev-parse", "--git-path", name).rstrip("\n")

    def changes(self) -> dict[str, Change]:
        """Return every changed path, in full even below new folders.

        A submodule counts when its commit changed; a repository inside ours that is not a
        submodule does not.
        """
        raw = self._run(
            *("status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames")
        )
        return parse_status(raw, self.root, self._known)

    def commits_between(self, before: str, after: str) -> list[str]:
        """Return the commits that `after` has and `before` has not, oldest first.

        Where `before` is gone, as after a rewrite of the history, all of `after` is new.
        """
        span = f"{before}..{after}" if self._exists(before) else after
        listed = self._ask("rev-list", "--reverse", f"--max-count={MAX_COMMITS}", span)
        return listed.split()

    def files_between(self, before: str, after: str) -> list[str]:
        """Return the paths in which two commits differ."""
        if not self._exists(before):
            before = self._ask("hash-object", "-t", "tree", os.devnull)
        listed = self._ask("diff", "--name-only", "-z", "--no-renames", before, after)
        return [path for path in listed.split("\0") if path]

    def is_on_remote(self, commit: str) -> bool:
        """Tell whether a remote branch that we know of holds this commit."""
        return bool(self._ask("branch", "--remotes", "--contains", commit))

    def commit(
        self, paths: Mapping[str, Change], message: str, *, hooks: bool = False, amend: bool = False
    ) -> str:
        """Commit exactly these paths as they are in the work tree, and return the commit.

        It is made from an index of our own. What else is staged stays staged; the user's index
        takes the paths up first, so that it is right whenever we die.
        """
        if left := self.unfinished():
            raise GitError(left)
        index = self.path(f"mittelo-index-{os.getpid()}")
        own = {"GIT_INDEX_FILE": str(index)}
        words = [] if hooks else ["--no-verify"]
        words += ["--amend"] if amend else []
        try:
            self._run("read-tree", "HEAD" if self.head() else "--empty", env=own)
            self._stage(paths, {})
            self._stage(paths, own)
            words = [*self._identity(), "commit", "--quiet", *words, "-m", message]
            self._run(*words, env=own, hooks=hooks)
        except GitError:
            self._unstage([*paths])
            raise
        finally:
            for file in (index, index.with_name(f"{index.name}.lock")):
                file.unlink(missing_ok=True)
        if hooks:  # they may have changed what was committed
            self._unstage([*paths])
        return self.head()

    def unfinished(self) -> str:
        """Return what was left unfinished here, such as a merge; "" for nothing."""
        for name, what in UNFINISHED.items():
            if self.path(name).exists():
                return f"{what} was left unfinished."
        return ""

    def clear_stale_lock(self, since: float) -> str:
        """Move the lock of the index aside if a git that is gone left it after `since`.

        Returns what was done, "" when there was nothing to do. Only a lock that is older than our
        patience and that no living git can be holding is touched.
        """
        lock = self.path("index.lock")
        try:
            made = lock.stat().st_mtime
        except FileNotFoundError:
            return ""
        if made < since or time.time() - made < LOCK_PATIENCE_SECONDS or self._git_lives():
            return ""
        lock.replace(lock.with_name("index.lock.stale"))
        return f"{lock} was left by a git that is gone; it is now index.lock.stale"

    def _git_lives(self) -> bool:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.name() == "git" and Path(process.cwd()).is_relative_to(self.root):
                    return True
        return False

    def _exists(self, commit: str) -> bool:
        return bool(commit and self._ask("rev-parse", "--verify", "-q", f"{commit}^{{commit}}"))

    def _stage(self, paths: Mapping[str, Change], env: dict[str, str]) -> None:
        gone = [path for path, change in paths.items() if change.is_gone]
        self._update_index(gone, env, "--force-remove")
        self._update_index([*paths.keys() - gone], env, "--add", "--replace")

    def _update_index(self, paths: list[str], env: dict[str, str], *words: str) -> None:
        if paths:
            self._run("update-index", *words, "-z", "--stdin", given=_joined(paths), env=env)

    def _unstage(self, paths: list[str]) -> None:
        words = ["reset", "--quiet", "--pathspec-from-file=-", "--pathspec-file-nul"]
        with contextlib.suppress(GitError):
            self._run(*words, given=_joined(paths))

    def _identity(self) -> list[str]:
        """Return options that stand in for the parts of an identity that are not configured."""
        options = []
        for key, ours in (("user.name", "Rally"), ("user.email", "rally@localhost")):
            if not self.setting(key):
                options += ["-c", f"{key}={ours}"]
        return options

    def _ask(self, *words: str) -> str:
        """Return what git answers, "" when it says no."""
        try:
            return self._run(*words).strip()
        except GitError:
            return ""

    def _run(
        self,
        *words: str,
        given: bytes = b"",
        env: dict[str, str] | None = None,
        hooks: bool = False,
    ) -> str:
        """Run git, waiting a while for another git that holds the index."""
        deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
        words = words if hooks else (*_NO_HOOKS, *words)
        while True:
            code, out, err = run_git(
                self.root, *words, given=given, env=env, confinement=self.confinement
            )
            if code == 0:
                return out
            locked = "/index.lock" in err
            passing = locked or code in _HIT_BY_SIGNAL
            if not passing or time.monotonic() > deadline:
                kind = GitLocked if locked else GitError
                raise kind(f"git {_verb(words)} failed: {err.strip() or f'exit {code}'}")
            time.sleep(LOCK_POLL_SECONDS)


def run_git(
    folder: Path,
    *words: str,
    given: bytes = b"",
    env: Mapping[str, str] | None = None,
    confinement: Confinement | None = None,
) -> tuple[int, str, str]:
    """Run git in a folder, and return its exit code, stdout and stderr.

    A session of its own keeps the terminal's Ctrl+C from it. Its output goes to files: what a
    hook leaves behind cannot hold us up.
    """
    ours = {
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    with contextlib.ExitStack() as stack:
        source, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        source.write(given)
        source.seek(0)
        try:
            git = subprocess.Popen(
                [*(confinement.words if confinement else []), _program(folder), *words],
                cwd=folder,
                env=(confinement.env if confinement else environment()) | dict(env or {}) | ours,
                stdin=source,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise UsageError("git is not installed.", "Install git, then try again.") from error
        try:
            code = git.wait(TIMEOUT_SECONDS)
        except BaseException as error:
            _end(git)
            if isinstance(error, subprocess.TimeoutExpired):
                said = f"git {_verb(words)} took over {TIMEOUT_SECONDS:.0f} s."
                raise GitError(said) from error
            raise
        out.seek(0)
        err.seek(0)
        told = out.read().decode(errors="surrogateescape")
        return code, told, err.read().decode(errors="replace")


def _program(folder: Path) -> str:
    """Return the git to be run: one that comes with what is worked on is the last choice."""
    top = next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)
    return find_program("git", [top]) or "git"


def _end(git: "subprocess.Popen[bytes]") -> None:
    """End git and its hooks, gently first: it removes its locks then."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(git.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            git.wait(END_SECONDS)


def _joined(paths: list[str]) -> bytes:
    return b"".join(path.encode(errors="surrogateescape") + b"\0" for path in paths)


def _verb(words: tuple[str, ...]) -> str:
    plain = iter(words)
    for word in plain:
        if word == "-c":
            next(plain)
        else:
            return word
    return ""
