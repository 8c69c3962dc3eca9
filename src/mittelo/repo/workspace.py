"""The folder that a relay works in: found from anywhere inside it, with its records and lock."""

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout
from msgspec import Struct

from mittelo.config.load import environment
from mittelo.config.paths import WorkspacePaths
from mittelo.core.records import (
    CommitRecord,
    MessageRecord,
    RelayRecord,
    RunState,
    SummaryRecord,
    TryRecord,
)
from mittelo.core.standings import StandingRecord
from mittelo.errors import MitteloError, UsageError
from mittelo.files import write_whole
from mittelo.log import warn
from mittelo.repo.git import Repository, run_git
from mittelo.repo.journal import Journal
from mittelo.repo.mirror import drop, keep, restore

LOCK_WORD_SECONDS = 2.0
LOCK_PATIENCE_SECONDS = 20.0
RELAY_PATIENCE_SECONDS = 0.3
WORKSPACE_VARIABLE = "MITTELO_WORKSPACE"


class Holder(Struct):
    """Who holds the relay lock; `paused_since` is "" while the relay is not paused."""

    pid: int
    host: str
    since: str
    paused_since: str = ""


class Workspace:
    """A work tree, or a plain folder outside git (`repository` is None then)."""

    def __init__(self, root: Path, repository: Repository | None) -> None:
        self.root = root
        self.repository = repository
        self.paths = WorkspacePaths(root)
        self.tries = Journal(self.paths.tries, TryRecord)
        self.relays = Journal(self.paths.relays, RelayRecord)
        self.standings = Journal(self.paths.standings, StandingRecord)
        self.messages = Journal(self.paths.messages, MessageRecord)
        self.summary = Journal(self.paths.summary, SummaryRecord)
        self.commits = Journal(self.paths.commits, CommitRecord)
        self._lock_folder: Path | None = None

    @property
    def private(self) -> Path:
        """Return a folder for locks that agents do not clean away: in git's own, if there is git.

        A worktree has one of its own.
        """
        if self._lock_folder is None:
            git = self.repository
            self._lock_folder = git.path("mittelo") if git else self.paths.state
            self._lock_folder.mkdir(parents=True, exist_ok=True)
        return self._lock_folder

    @property
    def _mirrored(self) -> list[Path]:
        return [*(journal.path for journal in self.journals), self.paths.run_state]

    def _keep_records(self) -> None:
        """Give the records their second names, where agents do not clean them away."""
        if self.repository:
            keep(self._mirrored, self.private)

    def restore_records(self) -> list[str]:
        """Bring back records that an agent cleaned away, and return their names.

        Only a relay does that, after a try: what a user removes is meant to be gone.
        """
        return restore(self._mirrored, self.private) if self.repository else []

    @property
    def journals(self) -> tuple[Journal[Struct], ...]:
        """Return all files of records."""
        return (  # type: ignore[return-value]  # read as any record
            self.tries,
            self.relays,
            self.standings,
            self.messages,
            self.summary,
            self.commits,
        )

    def require_init(self) -> None:
        """Complain when `rally init` was not run here."""
        if not self.paths.rally.is_dir():
            raise UsageError(f"There is no .rally folder in {self.root}.", "Run: rally init")
        try:
            self.paths.state.mkdir(exist_ok=True)
        except FileExistsError as error:
            raise UsageError(
                f"{self.paths.state} is not a folder.", "Move it away, then try again."
            ) from error

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the records alone among all processes, for the moment of a change."""
        self.paths.state.mkdir(parents=True, exist_ok=True)
        if self.private.parent.is_dir():
            self.private.mkdir(exist_ok=True)
        else:
            raise MitteloError(
                f"{self.private} is gone: somebody removed git's own folder.",
                "Bring the repository back, then go on with: rally start --resume",
            )
        lock = FileLock(self.private / "state.lock")
        try:
            lock.acquire(timeout=LOCK_WORD_SECONDS)
        except Timeout:
            warn(f"waiting for another process that holds {lock.lock_file}")
            try:
                lock.acquire(timeout=LOCK_PATIENCE_SECONDS)
            except Timeout as error:
                raise MitteloError(
                    f"Another process holds {lock.lock_file}, and does not let go.",
                    "End it, then go on with: rally start --resume",
                ) from error
        try:
            yield
        finally:
            self._keep_records()
            lock.release()

    @contextlib.contextmanager
    def relay_lock(self) -> Iterator[None]:
        """Be the only relay in this workspace, until the body ends or we die."""
        lock = FileLock(self.private / "relay.lock")
        try:
            lock.acquire(timeout=RELAY_PATIENCE_SECONDS)
        except Timeout as error:
            held = self._note()
            who = f" (process {held.pid} on {held.host}, since {held.since})" if held else ""
            raise MitteloError(
                f"A relay is already running in {self.root}{who}.",
                "Wait for it or stop it; `rally status` shows how far it is.",
            ) from error
        try:
            note = Holder(os.getpid(), socket.gethostname(), now())
            write_whole(self._holder, msgspec.json.encode(note))
            if self.repository:
                drop(self._mirrored, self.private)
            yield
        finally:
            self._holder.unlink(missing_ok=True)
            lock.release()

    def holder(self) -> Holder | None:
        """Return who runs a relay here, if somebody does: the lock itself tells."""
        lock = FileLock(self.private / "relay.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return self._note() or Holder(0, "?", "?")
        lock.release()
        return None

    def note_pause(self, *, paused: bool) -> None:
        """Note beside the lock, which we hold, that the relay is paused or goes on."""
        if note := self._note():
            note.paused_since = now() if paused else ""
            write_whole(self._holder, msgspec.json.encode(note))

    @property
    def _holder(self) -> Path:
        return self.private / "relay-holder.json"

    def _note(self) -> Holder | None:
        try:
            return msgspec.json.decode(self._holder.read_bytes(), type=Holder)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def run_state(self) -> RunState:
        """Return the state of the current run; an empty one if there is none."""
        try:
            return msgspec.json.decode(self.paths.run_state.read_bytes(), type=RunState)
        except FileNotFoundError:
            return RunState()
        except (msgspec.DecodeError, UnicodeDecodeError):
            aside = self.paths.run_state.with_name("run-state.json.damaged")
            self.paths.run_state.replace(aside)
            warn(f"{self.paths.run_state} was damaged and is now {aside.name}.")
            return RunState()

    def forget_run_state(self) -> None:
        """Remove the state of a run that is over."""
        self.paths.run_state.unlink(missing_ok=True)
        if self.repository:
            drop([self.paths.run_state], self.private)

    def save_run_state(self, state: RunState) -> None:
        """Write the state of the current run."""
        text = msgspec.json.format(msgspec.json.encode(state), indent=2)
        write_whole(self.paths.run_state, text + b"\n")


def find_workspace(start: Path | None = None) -> Workspace:
    """Return the workspace around a folder: the top of its work tree, else the folder itself."""
    start = start or _current_folder()
    code, out, err = run_git(start, "rev-parse", "--show-toplevel")
    if code == 0:
        root = Path(out.rstrip("\n"))
        return Workspace(root, Repository(root))
    if "must be run in a work tree" in err:
        raise _no_work_tree(start)
    if "dubious ownership" in err:
        raise UsageError(
            f"git does not trust {start}, which belongs to another user.",
            f"Trust it with: git config --global --add safe.directory {start}",
        )
    if broken := next((f for f in (start, *start.parents) if (f / ".git").exists()), None):
        raise UsageError(f"git cannot use {broken / '.git'}: {err.strip()}", "Mend it first.")
    around = next((f for f in (start, *start.parents) if (f / ".rally").is_dir()), start)
    return Workspace(around, None)


def _no_work_tree(start: Path) -> UsageError:
    if run_git(start, "rev-parse", "--is-bare-repository")[1].strip() == "true":
        return UsageError(
            f"{start} is inside a bare repository, which has no work tree.",
            "Clone it, or add one with: git worktree add ../work",
        )
    return UsageError(f"{start} is git's own folder.", "Change into the work tree.")


def agents_workspace() -> Workspace:
    """Return the workspace whose relay started us, else the one that we stand in.

    An agent may call us from a repository inside its own.
    """
    given = environment().get(WORKSPACE_VARIABLE, "")
    return find_workspace(Path(given)) if given and Path(given).is_dir() else find_workspace()


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise UsageError("The current folder is gone.", "Change into one that exists.") from error


def now() -> str:
    """Return the present instant as records hold it."""
    return instant(time.time())


def instant(epoch: float | None) -> str:
    """Return an epoch second as records hold it, "" for none."""
    if epoch is None:
        return ""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
