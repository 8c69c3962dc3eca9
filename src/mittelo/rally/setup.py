"""Make a folder ready for rally: `rally init`."""

from collections.abc import Collection, Iterator
from pathlib import Path

from mittelo.errors import MitteloError, UsageError
from mittelo.files import write_whole
from mittelo.log import warn
from mittelo.repo.git import GitError, Repository, run_git
from mittelo.repo.workspace import Workspace

MESSAGE = "rally: initialize workspace"
OLD_CONFIG = "rally.toml"
IGNORING = {"state", "state/", "/state", "/state/"}

CONFIG = """\
# Configuration of rally for this repository; it is laid over the user's own.
# schema_version = 2

# [defaults]
# iterations = 5                 # runs of a relay
# claude_model = ""              # "" leaves the choice to the CLI

# [routes]                       # who runs, for each role; `rally init roles` writes some
# default = ["cc", "cx"]         # Claude Code until a run of it fails, then Codex

# [free_run]
# prompt_file = "TASK.md"        # the task, where the command line gives none
# require_changes = true         # a run that changes nothing has failed

# [sandbox]                      # what runs may do, see docs/policies.md
# enabled = true                 # keep them in the repository (bubblewrap)

# [harness.mine]                 # a CLI of your own: --agent mine
# command = ["my-agent", "--headless", "$PROMPT"]
"""

GUIDE = """\
# .rally

What `rally` keeps of its work in this repository.

- `config.toml`: configuration. `instructions.md`: text that is part of every prompt.
- `summary.jsonl`: one line for each finished run, written by its agent with `rally progress`.
- `agents/user/ROLE.md`: the text of a role, for `rally start --role ROLE`.
- `state/` (not tracked): `tries.jsonl`, one line for each start of an agent; `relays.jsonl`;
  `messages.jsonl`, the inbox; `run-state.json`, the run that is going on; `current_task.md`,
  the last prompt.

For agents:

    tail -n 5 .rally/summary.jsonl          # what the last runs did
    tail -n 5 .rally/state/tries.jsonl      # the last tries, in detail
    rally inbox list                        # messages that wait to be dealt with
    rally status                            # the relay that is going on
"""


def initialize(workspace: Workspace, *, tip: bool = True) -> Iterator[str]:
    """Bring the folder into shape, telling what was done; doing it again changes nothing."""
    if not workspace.repository:
        yield from _make_repository(workspace)
    paths = workspace.paths
    try:
        paths.state.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(
            f"{paths.rally} is not a folder.", "Move it away, then try again."
        ) from error
    if _take_over(workspace):
        yield f"copied {OLD_CONFIG} to .rally/config.toml; the old file is read no more"
    made = [path for path, text in _files(workspace) if _put(path, text)]
    for path in made:
        yield f"wrote {path.relative_to(workspace.root)}"
    commit_ours(workspace, [path for path, _ in _files(workspace)], made, MESSAGE)
    yield f'{workspace.root} is ready: rally start --iterations 3 "your task"'
    if tip and not paths.agents.exists():
        yield "tip: rally init roles makes lanes and texts for junior, senior, ui and verify"


def ignore_state(workspace: Workspace) -> None:
    """See to it that git ignores our local records, also where an older rally began."""
    path = workspace.paths.rally / ".gitignore"
    if _put(path, _ignoring(path)):
        commit_ours(workspace, [path], [path], MESSAGE)


def _take_over(workspace: Workspace) -> bool:
    """Copy the configuration of an older layout, where there is none of today's."""
    old, new = workspace.root / OLD_CONFIG, workspace.paths.config
    if new.exists() or not old.is_file():
        return False
    write_whole(new, old.read_bytes())
    return True


def _make_repository(workspace: Workspace) -> Iterator[str]:
    code, _, err = run_git(workspace.root, "init", "--quiet")
    if code:
        raise MitteloError(f"git init failed: {err.strip()}", "Make a repository by hand.")
    workspace.repository = Repository(workspace.root)
    yield f"made a git repository in {workspace.root}"


def _files(workspace: Workspace) -> list[tuple[Path, str]]:
    """Return our files with the text they should have; an empty one means: as it is."""
    paths = workspace.paths
    ignore = paths.rally / ".gitignore"
    return [
        (ignore, _ignoring(ignore)),
        (paths.config, "" if paths.config.exists() else CONFIG),
        (paths.rally / "README.md", "" if (paths.rally / "README.md").exists() else GUIDE),
    ]


def _ignoring(path: Path) -> str:
    """Return the ignore file with a line for the state folder; "" if it has one."""
    text = path.read_text() if path.exists() else ""
    if any(line.strip() in IGNORING for line in text.splitlines()):
        return ""
    return text + ("\n" if text and not text.endswith("\n") else "") + "state/\n"


def _put(path: Path, text: str) -> bool:
    if text:
        write_whole(path, text.encode())
    return bool(text)


def commit_ours(
    workspace: Workspace, ours: list[Path], made: Collection[Path], message: str
) -> None:
    """Commit those of our files that were made now or that git does not know; nothing else.

    Where git ignores them, they stay uncommitted.
    """
    git = workspace.repository
    if not git:
        return
    try:
        found = {workspace.root / path: (path, change) for path, change in git.changes().items()}
        new = [found[p] for p in ours if p in found and (p in made or found[p][1].is_untracked)]
        if new:
            git.commit(dict(new), message)
    except GitError as error:
        warn(f"the files of rally are not committed: {error.what}")
