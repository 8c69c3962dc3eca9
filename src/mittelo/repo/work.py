"""Whose the changes in the work tree are: the run's own, to be committed, or anybody else's."""

import contextlib
import hashlib
from pathlib import Path

import msgspec
from msgspec import Struct, field

from mittelo.config.paths import DataPaths
from mittelo.core.records import CommitRecord
from mittelo.files import write_whole
from mittelo.repo.changes import Change, is_ours, shown
from mittelo.repo.git import GitError, GitLocked, Repository
from mittelo.repo.workspace import Workspace, now

STATE_MESSAGE = "rally: update state"
FOLDED = " [+state]"
RECORDS = (".rally/", ".laps/")
RECORD_FOLDERS = {".rally", ".laps"}
LOCAL = (".rally/state/", ".laps/claim", ".laps/log.jsonl")
DAMAGED = ".damaged-"
SUMMARY = ".rally/summary.jsonl"

Contents = dict[str, str]
"""What changed paths hold, by their names as text."""


class Baseline(Struct, kw_only=True):
    """What was changed in the work tree when a run began, in `.rally/state/baseline.json`.

    `left` is what the last try of the run left uncommitted: the next one goes on with it. `owed`
    is what an earlier run should have committed: it goes into the next commit, and is no proof
    that the present run did anything.
    """

    v: int = 1
    run_id: str
    changes: Contents
    left: Contents | None = None
    owed: Contents = field(default_factory=dict)


class Result(Struct, frozen=True):
    """What a try did to the repository.

    `trouble` says why its work is not committed; `stuck` that no agent can do anything about it;
    `note` what else the user should know. `is_left`: changes of its own stay uncommitted.
    """

    commit: str = ""
    history: list[str] = []
    files: list[str] = []
    trouble: str = ""
    stuck: bool = False
    note: str = ""
    is_left: bool = False


class Work:
    """The changes that the current run makes in a workspace; without git, none are known.

    What lies in the data directory is none of them, wherever that is.
    """

    def __init__(self, workspace: Workspace, data: DataPaths) -> None:
        self._workspace = workspace
        self._data = data
        self._git = workspace.repository
        self._baseline: Baseline | None = None
        self._before = ""
        self._committed = False
        self._owed_before: Contents = {}

    @property
    def leftover(self) -> list[str]:
        """Return the paths that somebody else had changed before the run."""
        changes = self._baseline.changes if self._baseline else {}
        return [path for path in changes if not is_ours(path)]

    def begin_run(self, run_id: str, *, committed: bool = False) -> None:
        """Note what is changed already, leaving out what earlier tries of ours left.

        `committed` says that earlier tries of this run made commits.
        """
        if not self._git:
            return
        self._committed, self._owed_before = committed, {}
        present = _contents(self._changes())
        saved = _load(self._workspace.paths.baseline)
        changes, owed = present, {}
        if saved and saved.run_id == run_id:
            owed = saved.owed
            changes = saved.changes if saved.left is None else _without(present, saved.left)
        elif saved and saved.owed:
            owed = {path: held for path, held in saved.owed.items() if present.get(path) == held}
            changes = _without(present, owed)
            self._owed_before = owed
        self._save(Baseline(run_id=run_id, changes=changes, owed=owed))

    def begin_try(self) -> str:
        """Note where HEAD stands, and return it."""
        self._before = self._git.head() if self._git else ""
        return self._before

    def files_changed(self) -> int:
        """Return how many files differ from how the run found them; 0 where git fails."""
        with contextlib.suppress(GitError):
            return len(self._own())
        return 0

    def fingerprint(self) -> str:
        """Return a word for the state of the work tree and HEAD without our records, or ""."""
        if not self._git:
            return ""
        with contextlib.suppress(GitError):
            lines = self._git.top_level().splitlines()
            kept = [line for line in lines if line.rpartition("\t")[2] not in RECORD_FOLDERS]
            changes = _contents(self._changes()).items()
            kept += [f"{path}={held}" for path, held in sorted(changes) if not is_ours(path)]
            return hashlib.sha256("\n".join(kept).encode()).hexdigest()[:16]
        return ""

    def changed(self) -> bool:
        """Tell whether the run made a commit or changed a file."""
        if not self._git or self._committed:
            return self._committed
        own, owed, head = _contents(self._own()), self._owed_before, self._git.head()
        moved = bool(head) and head != self._before
        return moved or any(owed.get(path) != held for path, held in own.items())

    def commit(self, message: str, *, hooks: bool, since: float) -> Result:
        """Commit what the run changed, unless the agent made commits of its own.

        `since` is when the try began: a lock of the index from after that, whose git is gone, is
        cleared away.
        """
        if not self._git:
            return Result()
        try:
            history, files, own = self._facts()
            left = self._git.unfinished() if history else ""
        except GitError as error:
            return Result(trouble=f"the work is not committed: {error.what}", stuck=True)
        if history or not own:
            self._settle(committed=bool(history))
            trouble = f"the work is not whole: {left}" if left else ""
            return Result(history[-1] if history else "", history, files, trouble)
        inside = [path for path, change in own.items() if change.is_inside]
        note = f"changes inside the submodule {', '.join(inside)} are its own" if inside else ""
        paths = {path: change for path, change in own.items() if not change.is_inside}
        if not paths:
            return Result(files=files, note=note)
        try:
            made = self._commit(self._git, paths | self._records(), message, hooks, since)
        except GitError as error:
            self._keep(owed=_contents(own))
            trouble = f"the work is not committed: {error.what}"
            return Result(files=files, trouble=trouble, stuck=isinstance(error, GitLocked))
        self._settle(committed=True)
        return Result(made, [made], files, note=note)

    def _commit(
        self, git: Repository, paths: dict[str, Change], message: str, hooks: bool, since: float
    ) -> str:
        try:
            return git.commit(paths, message, hooks=hooks)
        except GitLocked:
            if not git.clear_stale_lock(since):
                raise
            return git.commit(paths, message, hooks=hooks)

    def leave(self) -> Result:
        """Leave the work tree as it is, for the try that goes on with it."""
        if not self._git:
            return Result()
        try:
            history, files, own = self._facts()
        except GitError as error:
            return Result(note=f"what the try did is not known: {error.what}")
        self._keep(left=_contents(own))
        self._committed = self._committed or bool(history)
        return Result(history[-1] if history else "", history, files, is_left=bool(own))

    def owe(self) -> None:
        """Let the next run that commits take up what this one left."""
        if self._baseline and self._baseline.left:
            self._keep(owed=self._baseline.left)

    def adopt(self, run_id: str, before: str, until: float) -> Result:
        """Take what was changed up to an instant for the work of a try that was killed then.

        `before` is where HEAD stood when the try began.
        """
        saved = _load(self._workspace.paths.baseline)
        if not self._git or not saved or saved.run_id != run_id:
            return Result()
        self._baseline, self._before = saved, before
        history, files, own = self._facts()
        later = {p for p in own if not _older(self._git.root / p, until)}
        self._keep(left=_contents({p: c for p, c in own.items() if p not in later}))
        kept = [path for path in files if path not in {shown(p) for p in later}]
        left = len(later) < len(own)
        return Result(history[-1] if history else "", history, kept, is_left=left)

    def commit_records(self) -> str:
        """Commit our own tracked records, if any changed; say what went wrong.

        A commit that we made for nothing else, and that no remote has, is taken up again.
        """
        if not self._git:
            return ""
        try:
            if not (records := self._records()):
                return ""
            again = self._is_state_commit(self._git, self._git.head())
            message = STATE_MESSAGE + (FOLDED if again else "")
            made = self._git.commit(records, message, amend=again)
        except GitError as error:
            return f"the records in .rally are not committed: {error.what}"
        with self._workspace.changing():
            self._workspace.commits.append(CommitRecord(hash=made, made_at=now()))
        return ""

    def _is_state_commit(self, git: Repository, commit: str) -> bool:
        if not commit or git.is_on_remote(commit):
            return False
        return commit in {record.hash for record in self._workspace.commits.read()}

    def _facts(self) -> tuple[list[str], list[str], dict[str, Change]]:
        """Return the commits of the try, the files it changed, and what of them is uncommitted."""
        if not self._git:
            return [], [], {}
        after = self._git.head()
        moved = after != self._before
        history = self._git.commits_between(self._before, after) if moved else []
        own = self._own()
        files = {shown(path) for path in own}
        if moved:
            between = self._git.files_between(self._before, after)
            files |= {shown(path) for path in between if not is_ours(path)}
        return history, sorted(files), own

    def _own(self) -> dict[str, Change]:
        before = self._baseline.changes if self._baseline else {}
        found = self._changes().items()
        return {p: c for p, c in found if before.get(shown(p)) != c.content and not is_ours(p)}

    def _records(self) -> dict[str, Change]:
        """Return our tracked records, and what else the run changed in our folders."""
        found = {p: c for p, c in self._changes().items() if p.startswith(RECORDS)}
        if not self._baseline:
            return {p: c for p, c in found.items() if p == SUMMARY}
        before = self._baseline.changes
        return {
            path: change
            for path, change in found.items()
            if path == SUMMARY
            or (before.get(shown(path)) != change.content and not _is_local(path))
        }

    def _changes(self) -> dict[str, Change]:
        if not self._git:
            return {}
        found = self._git.changes()
        if not self._data.base.is_relative_to(self._git.root):
            return found
        return {p: c for p, c in found.items() if not self._data.holds(self._git.root / p)}

    def _settle(self, *, committed: bool) -> None:
        self._committed = self._committed or committed
        self._keep()

    def _keep(self, left: Contents | None = None, owed: Contents | None = None) -> None:
        if base := self._baseline:
            held = Baseline(run_id=base.run_id, changes=base.changes, left=left, owed=owed or {})
            self._save(held)

    def _save(self, baseline: Baseline) -> None:
        self._baseline = baseline
        self._workspace.paths.state.mkdir(parents=True, exist_ok=True)
        write_whole(self._workspace.paths.baseline, msgspec.json.encode(baseline))


def _is_local(path: str) -> bool:
    """Tell whether a record of ours is only for this work tree."""
    return path.startswith(LOCAL) or DAMAGED in path


def _contents(changes: dict[str, Change]) -> Contents:
    return {shown(path): change.content for path, change in changes.items()}


def _without(present: Contents, ours: Contents) -> Contents:
    return {path: held for path, held in present.items() if ours.get(path) != held}


def _older(path: Path, until: float) -> bool:
    try:
        return path.lstat().st_ctime <= until
    except OSError:
        return True


def _load(path: Path) -> Baseline | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Baseline)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None
