"""Relays in repositories of every shape: what is committed, and what is left alone."""

import pytest
from support import Place

EDIT = '{write="made.txt", text="x"}, {say="made"}'
START = ("start", "-i", "1", "-a", "script", "x")


def test_what_the_user_staged_stays_staged(place: Place) -> None:
    (place.root / "staged.txt").write_text("mine")
    place.git("add", "staged.txt")
    (place.root / "dirty.txt").write_text("mine")
    place.script(EDIT)
    assert place.rally(*START).code == 0
    work = place.tries()[0].commit_hash
    assert place.committed(work) == [".rally/summary.jsonl", "made.txt"]
    assert place.git("status", "--porcelain") == (
        "A  staged.txt\n?? .rally/script.toml\n?? dirty.txt"
    )


def test_a_dirty_file_is_committed_only_when_the_run_touched_it(place: Place) -> None:
    (place.root / "README.md").write_text("changed by the user\n")
    (place.root / "other.txt").write_text("the user's\n")
    place.script('{append="README.md", text="and by the agent"}, {say="x"}')
    assert place.rally(*START).code == 0
    assert place.committed(place.tries()[0].commit_hash) == [".rally/summary.jsonl", "README.md"]
    assert "?? other.txt" in place.git("status", "--porcelain")


def test_a_run_that_only_finds_dirt_has_changed_nothing(place: Place) -> None:
    (place.root / "dirt.txt").write_text("mine")
    place.configure("[reliability]\nretry_budget = 1\n[harness.ok]\ncommand = ['echo', 'fine']\n")
    place.script(EDIT)
    assert place.rally("start", "-i", "1", "-a", "ok script", "x").code == 0
    assert place.tries()[0].fail_reason == "no changes made"
    assert place.tries()[0].files_changed == []


@pytest.mark.parametrize(
    "name", ["a", "with space.txt", 'quo"te', "ümläut.txt", "*", ":(top)x", "-dash", "new\nline"]
)
def test_odd_names_are_committed_as_they_are(place: Place, name: str) -> None:
    (place.root / "a-other").write_text("mine")
    text = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    place.script(f'{{write="{text}", text="x"}}, {{say="made"}}')
    assert place.rally(*START).code == 0
    assert place.tries()[0].files_changed == [name]
    listed = place.git("ls-tree", "-z", "--name-only", place.tries()[0].commit_hash)
    assert name in listed.split("\0")
    assert "a-other" not in listed.split("\0")


def test_removed_renamed_and_nested_files_are_committed(place: Place) -> None:
    place.script(
        '{remove="README.md"}, {write="deep/er/new.txt", text="x"}, '
        '{run=["git", "mv", ".rally/.gitignore", "moved"]}, {run=["git", "mv", "moved", "again"]},'
        '{run=["git", "mv", "again", ".rally/.gitignore"]}, {say="x"}'
    )
    assert place.rally(*START).code == 0
    made = place.tries()[0]
    assert made.files_changed == ["README.md", "deep/er/new.txt"]
    assert place.git("status", "--porcelain") == "?? .rally/script.toml"


def test_a_repository_without_commits_gets_its_first(place: Place) -> None:
    fresh = Place(place.home / "fresh", place.home)
    fresh.root.mkdir()
    fresh.git("init", "--quiet")
    (fresh.root / ".rally/state").mkdir(parents=True)
    fresh.script(EDIT)
    done = fresh.rally(*START)
    assert done.code == 0, done.err
    made = fresh.tries()[0]
    assert made.commit_hash
    assert made.files_changed == ["made.txt"]
    author = fresh.git("show", "--no-patch", "--format=%an <%ae>", made.commit_hash)
    assert author == "Rally <rally@localhost>"


def test_half_an_identity_is_completed(place: Place) -> None:
    place.git("config", "--unset", "user.email")
    place.script(EDIT)
    assert place.rally(*START).code == 0
    author = place.git("show", "--no-patch", "--format=%an <%ae>", place.tries()[0].commit_hash)
    assert author == "Somebody <rally@localhost>"


def test_an_agents_first_commit_is_recorded(place: Place) -> None:
    fresh = Place(place.home / "fresh", place.home)
    fresh.root.mkdir()
    fresh.git("init", "--quiet")
    (fresh.root / ".rally/state").mkdir(parents=True)
    commit = "git add f && git -c user.name=A -c user.email=a@x commit -qm first"
    fresh.script(f'{{run=["sh", "-c", "echo 1 > f; {commit}"]}}, {{say="x"}}')
    assert fresh.rally(*START).code == 0
    made = fresh.tries()[0]
    assert made.files_changed == ["f"]
    assert len(made.commit_history) == 1


def test_a_worktree_is_a_workspace_of_its_own(place: Place) -> None:
    tree = Place(place.home / "tree", place.home)
    place.git("worktree", "add", "-q", str(tree.root), "-b", "side")
    (tree.root / ".rally/state").mkdir()
    tree.script(EDIT)
    assert tree.rally(*START).code == 0
    assert tree.git("log", "-1", "--format=%s", "side") == "rally: run 1 attempt 1 (script)"
    assert "made.txt" not in place.git("ls-files")


def test_a_detached_head_is_told_of_and_committed_to(place: Place) -> None:
    place.git("checkout", "--quiet", "--detach")
    place.script(EDIT)
    done = place.rally(*START)
    assert done.code == 0
    assert "HEAD is detached" in done.out
    assert place.git("rev-parse", "HEAD") == place.tries()[0].commit_hash


def test_changes_inside_a_submodule_do_not_stop_a_commit(place: Place) -> None:
    inner = Place(place.home / "inner", place.home)
    place.git("clone", "--quiet", ".", str(inner.root))
    add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add"]
    place.git(*add, str(inner.root), "sub")
    place.git("commit", "--quiet", "-m", "submodule")
    place.script('{append="sub/README.md", text="inside"}, ' + EDIT)
    done = place.rally(*START)
    assert done.code == 0, done.err
    assert place.tries()[0].files_changed == ["made.txt", "sub"]
    assert "changes inside the submodule sub are its own" in done.out
    assert place.git("status", "--porcelain") == " M sub\n?? .rally/script.toml"


def test_work_inside_a_submodule_alone_counts_as_a_change(place: Place) -> None:
    inner = Place(place.home / "inner", place.home)
    place.git("clone", "--quiet", ".", str(inner.root))
    add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add"]
    place.git(*add, str(inner.root), "sub")
    place.git("commit", "--quiet", "-m", "submodule")
    place.script('{append="sub/README.md", text="inside"}, {say="x"}')
    assert place.rally(*START).code == 0
    assert place.tries()[0].files_changed == ["sub"]


def test_a_broken_repository_is_not_taken_for_none(place: Place) -> None:
    (place.root / ".git/HEAD").unlink()
    done = place.rally(*START)
    assert (done.code, "git cannot use" in done.err) == (2, True)


def test_gits_own_folder_is_no_work_tree(place: Place) -> None:
    done = place.rally("status", cwd=place.root / ".git")
    assert (done.code, "git's own folder" in done.err) == (2, True)


def test_a_repository_inside_is_not_swallowed(place: Place) -> None:
    place.script('{run=["git", "init", "-q", "inner"]}, {write="inner/f", text="x"}, ' + EDIT)
    assert place.rally(*START).code == 0
    assert place.tries()[0].files_changed == ["made.txt"]


def test_a_lock_that_a_dead_git_of_the_agent_left_is_cleared_away(place: Place) -> None:
    place.script('{run=["touch", ".git/index.lock"]}, ' + EDIT)
    done = place.rally(*START)
    assert done.code == 0, done.err
    assert place.committed(place.tries()[0].commit_hash) == [".rally/summary.jsonl", "made.txt"]
    assert (place.root / ".git/index.lock.stale").exists()


def test_a_lock_that_somebody_holds_ends_the_relay_and_the_work_is_committed_later(
    place: Place,
) -> None:
    lock = place.root / ".git/index.lock"
    lock.touch()
    place.script(EDIT, '{say="nothing more to do"}')
    done = place.rally(*START)
    assert done.code == 1
    assert "the work is not committed" in done.out
    assert "index.lock" in done.err
    assert [made.outcome for made in place.tries()] == ["failed"]
    assert lock.exists()
    lock.unlink()
    again = place.rally("start", "--resume")
    assert again.code == 0, again.err
    assert place.committed(place.tries()[1].commit_hash) == [".rally/summary.jsonl", "made.txt"]


def test_records_are_committed_once_and_taken_up_again(place: Place) -> None:
    commit = "git -c user.name=A -c user.email=a@x commit --allow-empty -qm own"
    place.script(*[f'{{run=["sh", "-c", "{commit}"]}}, {{say="x"}}'] * 2)
    assert place.rally(*START).code == 0
    assert place.rally(*START).code == 0
    subjects = place.git("log", "--format=%s", "-4").splitlines()
    assert subjects == ["rally: update state", "own", "rally: update state", "own"]
    place.rally("progress", "--summary", "something else")
    assert place.rally("start", "-i", "0", "-a", "script", "x").code == 0
    subjects = place.git("log", "--format=%s", "-2").splitlines()
    assert subjects == ["rally: update state [+state]", "own"]


def test_records_that_a_remote_has_are_not_amended(place: Place) -> None:
    commit = "git -c user.name=A -c user.email=a@x commit --allow-empty -qm own"
    place.script(f'{{run=["sh", "-c", "{commit}"]}}, {{say="x"}}')
    assert place.rally(*START).code == 0
    place.git("clone", "--quiet", "--bare", ".", str(place.home / "remote"))
    place.git("remote", "add", "origin", str(place.home / "remote"))
    place.git("fetch", "--quiet", "origin")
    pushed = place.git("rev-parse", "HEAD")
    place.rally("progress", "--summary", "something else")
    assert place.rally("start", "-i", "0", "-a", "script", "x").code == 0
    assert place.git("rev-parse", "HEAD~1") == pushed


def test_local_records_are_never_committed(place: Place) -> None:
    (place.root / ".rally/.gitignore").unlink()
    place.git("commit", "--quiet", "-am", "drop")
    place.script(EDIT)
    assert place.rally(*START).code == 0
    assert "state/" in (place.root / ".rally/.gitignore").read_text()
    assert not any("/state/" in name for name in place.git("ls-files").splitlines())
