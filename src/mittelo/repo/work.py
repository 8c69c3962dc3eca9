"""Whose the changes in the work tree are: the run's own, to be committed, or anybody else's."""

from pathlib import Path

import msgspec
from msgspec import Struct, field

from mittelo.core.records import CommitRecord
from mittelo.files import write_whole
from mittelo.repo.git import Change, GitError, is_ours
from mittelo.repo.workspace import Workspace, now

STATE_MESSAGE = "rally: update state"
FOLDED = " [+state]"
RECORDS = (".rally/", ".laps/")
LOCAL = ".rally/state/"
SUMMARY = ".rally/summary.jsonl"


class Baseline(Struct, kw_only=True):
    """What was changed in the work tree when a run began, in `.rally/state/baseline.json`.

    `own` holds what a try of the run left uncommitted: a later try finds it as it is and goes on
    with it. `owed` says that it should have been committed, so that any later run does so.
    """

    v: int = 1
    run_id: str
    changes: dict[str, Change]
    own: dict[str, Change] = field(default_factory=dict)
    owed: bool = False


class Result(Struct, frozen=True):
    """What a try did to the repository. `trouble` says why its work is not committed."""

    commit: str = ""
    history: list[str] = []
    files: list[str] = []
    trouble: str = ""


class Work:
    """The changes that the current run makes in a workspace; without git, none are known."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._git = workspace.repository
        self._baseline = Baseline(run_id="", changes={})
        self._before = ""

    @property
    def leftover(self) -> list[str]:
        """Return the paths that somebody else had changed before the run."""
        return [path for path in self._baseline.changes if not is_ours(path)]

    def begin_run(self, run_id: str) -> None:
        """Note what is changed already, leaving out what an unfinished try of ours left."""
        if not self._git:
            return
        changes = self._git.changes()
        saved = _load(self._workspace.paths.baseline)
        if saved and (saved.owed or saved.run_id == run_id):
            foreign = {p: c for p, c in changes.items() if saved.own.get(p) != c}
            changes = foreign if saved.own else saved.changes
        self._save(Baseline(run_id=run_id, changes=changes))

    def begin_try(self) -> str:
        """Note where HEAD stands, and return it."""
        self._before = self._git.head() if self._git else ""
        return self._before

    def files_changed(self) -> int:
        """Return how many files differ from how the run found them."""
        return len(self._own())

    def changed(self) -> bool:
        """Tell whether the try made a commit or changed a file."""
        if not self._git:
            return False
        return self._git.head() != self._before or bool(self._own())

    def commit(self, message: str, *, hooks: bool) -> Result:
        """Commit what the run changed, unless the agent made commits of its own."""
        if not self._git:
            return Result()
        history, files, own = self._facts()
        if history or not own:
            self._save(Baseline(run_id=self._baseline.run_id, changes=self._baseline.changes))
            return Result(history[-1] if history else "", history, files)
        try:
            made = self._git.commit(own | self._records(), message, hooks=hooks)
        except GitError as error:
            self._keep(own, owed=True)
            return Result(files=files, trouble=f"the work is not committed: {error.what}")
        self._save(Baseline(run_id=self._baseline.run_id, changes=self._baseline.changes))
        return Result(made, [made], files)

    def leave(self) -> Result:
        """Leave the work tree as it is, for the try that goes on with it."""
        if not self._git:
            return Result()
        history, files, own = self._facts()
        self._keep(own, owed=False)
        return Result(history[-1] if history else "", history, files)

    def commit_records(self) -> str:
        """Commit our own tracked records, if any changed; say what went wrong.

        A commit that we made for nothing else, and that no remote has, is taken up again.
        """
        records = self._records()
        if not self._git or not records:
            return ""
        with self._workspace.changing():
            try:
                last = self._git.head()
                again = self._is_state_commit(last)
                message = STATE_MESSAGE + (FOLDED if again else "")
                made = self._git.commit(records, message, amend=again)
                self._workspace.commits.append(CommitRecord(hash=made, made_at=now()))
            except GitError as error:
                return f"the records in .rally are not committed: {error.what}"
        return ""

    def _is_state_commit(self, commit: str) -> bool:
        if not self._git or not commit or self._git.is_on_remote(commit):
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
        files = {*own}
        if moved:
            files |= {p for p in self._git.files_between(self._before, after) if not is_ours(p)}
        return history, sorted(files), own

    def _own(self) -> dict[str, Change]:
        if not self._git:
            return {}
        before = self._baseline.changes
        found = self._git.changes().items()
        return {p: c for p, c in found if before.get(p) != c and not is_ours(p)}

    def _records(self) -> dict[str, Change]:
        """Return our tracked records, and what else the run changed in our folders."""
        if not self._git:
            return {}
        before = self._baseline.changes
        ours = {p: c for p, c in self._git.changes().items() if p.startswith(RECORDS)}
        ours = {p: c for p, c in ours.items() if not p.startswith(LOCAL)}
        return {p: c for p, c in ours.items() if p == SUMMARY or before.get(p) != c}

    def _keep(self, own: dict[str, Change], *, owed: bool) -> None:
        base = self._baseline
        self._save(Baseline(run_id=base.run_id, changes=base.changes, own=own, owed=owed))

    def _save(self, baseline: Baseline) -> None:
        self._baseline = baseline
        write_whole(self._workspace.paths.baseline, msgspec.json.encode(_readable(baseline)))


def _load(path: Path) -> Baseline | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Baseline)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _readable(baseline: Baseline) -> Baseline:
    """Leave out names that are not UTF-8: a later run takes such files for new ones."""
    return Baseline(
        run_id=baseline.run_id,
        changes={p: c for p, c in baseline.changes.items() if _is_text(p)},
        own={p: c for p, c in baseline.own.items() if _is_text(p)},
        owed=baseline.owed,
    )


def _is_text(path: str) -> bool:
    return path.isprintable() or not any("\udc80" <= letter <= "\udcff" for letter in path)
