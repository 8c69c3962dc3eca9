"""What agents and hooks do to a repository in mid relay, and what becomes of everybody's work."""

import os
import shutil
import signal
from pathlib import Path

import pytest
from support import RALLY, Place, wait_until

EDIT = '{write="made.txt", text="x"}, {say="made"}'
START = ("start", "-i", "1", "-a", "script", "x")


def hook(place: Place, name: str, text: str) -> None:
    path = place.root / ".git/hooks" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("name", ["pre-commit", "prepare-commit-msg", "post-commit"])
def test_no_hook_runs_unless_it_is_asked_for(place: Place, name: str) -> None:
    hook(place, name, "touch hook-ran; exit 1")
    place.script(EDIT)
    assert place.rally(*START).code == 0
    assert not (place.root / "hook-ran").exists()


def test_a_hook_that_refuses_the_work_is_the_agents_to_satisfy(place: Place) -> None:
    hook(place, "pre-commit", "test -f ok.txt || { echo no ok.txt >&2; exit 1; }")
    place.configure("run_hooks_on_autocommit = true\n")
    place.script(EDIT, '{write="ok.txt"}, {say="satisfied"}')
    done = place.rally(*START)
    assert done.code == 0, done.err
    first, second = place.tries()
    assert (first.outcome, first.commit_hash) == ("failed", "")
    assert "no ok.txt" in first.fail_reason
    assert place.committed(second.commit_hash) == [".rally/summary.jsonl", "made.txt", "ok.txt"]


def test_what_a_hook_leaves_running_does_not_hold_us_up(place: Place) -> None:
    hook(place, "post-commit", "sleep 100 & echo $! > .git/sleeper")
    place.configure("run_hooks_on_autocommit = true\n")
    place.script(EDIT)
    assert place.rally(*START).code == 0
    os.kill(int((place.root / ".git/sleeper").read_text()), signal.SIGKILL)


def test_a_hook_may_use_rally(place: Place) -> None:
    hook(place, "post-commit", f"{RALLY} inbox add from-the-hook")
    place.configure("run_hooks_on_autocommit = true\n")
    place.script(EDIT)
    assert place.rally(*START).code == 0
    assert "from-the-hook" in place.rally("inbox", "list").out


def test_a_merge_that_the_agent_left_open_is_the_agents_to_finish(place: Place) -> None:
    place.git("checkout", "-q", "-b", "other")
    (place.root / "README.md").write_text("theirs\n")
    place.git("commit", "-qam", "theirs")
    place.git("checkout", "-q", "main")
    (place.root / "README.md").write_text("ours\n")
    place.git("commit", "-qam", "ours")
    place.script(
        '{run=["git", "merge", "other"]}, {write="made.txt", text="x"}, {say="conflict"}',
        '{run=["git", "merge", "--abort"]}, {say="given up"}',
    )
    assert place.rally(*START).code == 0
    first, second = place.tries()
    assert first.fail_reason == "the work is not committed: a merge was left unfinished."
    assert place.committed(second.commit_hash) == [".rally/summary.jsonl", "made.txt"]


@pytest.mark.parametrize(
    ("steps", "files"),
    [
        ('{run=["sh", "-c", "rm -r d && ln -s e d"]}', ["d", "d/f"]),
        ('{remove="README.md"}, {write="README.md/b", text="x"}', ["README.md", "README.md/b"]),
        ('{run=["chmod", "+x", "README.md"]}', ["README.md"]),
    ],
)
def test_a_path_that_becomes_something_else_is_committed(
    place: Place, steps: str, files: list[str]
) -> None:
    for name in ("d/f", "e/f"):
        (place.root / name).parent.mkdir()
        (place.root / name).write_text("x")
    place.git("add", ".")
    place.git("commit", "-qm", "more")
    place.script(f'{steps}, {{say="x"}}')
    assert place.rally(*START).code == 0
    assert place.tries()[0].files_changed == files
    assert place.git("status", "--porcelain") == "?? .rally/script.toml"


def test_dirt_that_was_only_moved_about_stays_the_users(place: Place) -> None:
    (place.root / "README.md").write_text("the user's\n")
    place.script('{run=["git", "stash", "-q"]}, {run=["git", "stash", "pop", "-q"]}, ' + EDIT)
    assert place.rally(*START).code == 0
    assert place.tries()[0].files_changed == ["made.txt"]
    assert " M README.md" in place.git("status", "--porcelain")


def test_a_rewritten_history_is_recorded(place: Place) -> None:
    anew = "rm -rf .git && git init -q && git add README.md && git -c user.name=A -c user.email=a@x"
    place.script(f'{{run=["sh", "-c", "{anew} commit -qm anew"]}}, {{say="x"}}')
    done = place.rally(*START)
    assert done.code == 0, done.err
    assert len(place.tries()[0].commit_history) == 1


def test_names_that_are_no_text_are_committed_and_written_as_escapes(place: Place) -> None:
    raw = os.fsencode(place.root) + b"/left\xff"
    Path(os.fsdecode(raw)).write_text("the user's")
    place.script('{run=["sh", "-c", "printf x > \\"$(printf \'made\\\\377\')\\""]}, {say="x"}')
    done = place.rally(*START)
    assert done.code == 0, done.err
    assert place.tries()[0].files_changed == ["made\\xff"]
    assert "left\\xff" in (place.root / ".rally/state/current_task.md").read_text()


def test_records_survive_an_agent_that_cleans_up(place: Place) -> None:
    place.script(EDIT, '{run=["git", "clean", "-qfdx"]}, {write="second.txt"}, {say="clean"}')
    place.git("add", ".")
    place.git("commit", "-qm", "script")
    done = place.rally("start", "-i", "2", "-a", "script", "x")
    assert done.code == 0, done.err
    assert [made.id for made in place.tries()] == [1, 2]
    assert place.relays()[0].completed_iterations == 2


def test_a_data_directory_in_the_repository_is_never_committed(place: Place) -> None:
    place.configure('data_dir = ".data"\n[reliability]\nretry_budget = 2\n')
    place.script('{say="did nothing"}', EDIT)
    assert place.rally(*START).code == 0
    assert [made.fail_reason for made in place.tries()] == ["no changes made", ""]
    assert place.tries()[1].files_changed == ["made.txt"]


def test_a_relay_without_runs_commits_nothing_of_the_users(place: Place) -> None:
    (place.root / ".rally/agents").mkdir()
    (place.root / ".rally/agents/mine.md").write_text("mine")
    assert place.rally("start", "-i", "0", "-a", "script", "x").code == 0
    assert all("/builtin/" in path for path in place.committed())
    assert place.git("status", "--porcelain") == "?? .rally/agents/user/"


def test_thousands_of_new_files_are_committed(place: Place) -> None:
    place.script('{run=["sh", "-c", "mkdir n; cd n; seq 5000 | xargs touch"]}, {say="x"}')
    assert place.rally(*START).code == 0
    assert len(place.committed(place.tries()[0].commit_hash)) == 5001


def test_progress_from_a_repository_inside_reaches_the_relay(place: Place) -> None:
    tell = f"git init -q in && cd in && {RALLY} progress --handoff --summary inside"
    place.script(f'{{run=["sh", "-c", "{tell}"]}}, {{say="x"}}')
    assert place.rally(*START).code == 0
    assert place.tries()[0].outcome == "handoff_requested"
    assert place.summary()[0]["run_id"] == "relay-1-run-1"


def test_a_git_that_fails_does_not_make_the_users_dirt_the_agents(place: Place) -> None:
    (place.root / "mine.txt").write_text("the user's")
    shim = place.home / "bin/git"
    shim.parent.mkdir()
    real = shutil.which("git")
    shim.write_text(
        f'#!/bin/sh\ncase "$*" in *status*) [ -e "$0.failed" ] || '
        f'{{ touch "$0.failed"; echo broken >&2; exit 128; }};; esac\nexec {real} "$@"\n'
    )
    shim.chmod(0o755)
    place.env = {"PATH": f"{shim.parent}:{os.environ['PATH']}"}
    place.script(EDIT)
    done = place.rally(*START)
    assert (done.code, "broken" in done.err) == (1, True)
    assert place.rally("start", "--resume").code == 0
    assert "?? mine.txt" in place.git("status", "--porcelain")


def test_an_index_of_ours_that_a_crash_left_is_in_nobodys_way(place: Place) -> None:
    (place.root / ".git/mittelo-index.lock").touch()
    place.script(EDIT)
    assert place.rally(*START).code == 0


def test_a_message_that_was_dealt_with_does_not_come_back_after_a_clean_up(place: Place) -> None:
    place.rally("inbox", "add", "ONLY-ONCE")
    place.script(EDIT, '{run=["git", "clean", "-qfdx"]}, {write="second.txt"}, {say="clean"}')
    place.git("add", ".")
    place.git("commit", "-qm", "script")
    assert place.rally("start", "-i", "2", "-a", "script", "x").code == 0
    assert place.rally("inbox", "list").out == "no messages\n"
    assert [line["run_id"] for line in place.summary()] == ["relay-1-run-1", "relay-1-run-2"]


def test_records_that_the_user_removed_stay_removed(place: Place) -> None:
    place.script(EDIT, '{write="second.txt"}, {say="second"}')
    assert place.rally(*START).code == 0
    shutil.rmtree(place.root / ".rally/state")
    (place.root / ".rally/state").mkdir()
    place.script(EDIT.replace("made", "other"))
    assert place.rally(*START).code == 0
    assert len(place.tries()) == 1


def test_commits_of_the_agent_with_an_unfinished_merge_are_no_success(place: Place) -> None:
    git = "git -c user.name=A -c user.email=a@x"
    steps = (
        f"git checkout -qb o; echo t > README.md; {git} commit -qam t; git checkout -q main; "
        f"echo u > README.md; {git} commit -qam u; git merge o"
    )
    place.script(
        f'{{run=["sh", "-c", "{steps}"]}}, {{say="merged"}}',
        '{run=["git", "merge", "--abort"]}, {say="given up"}',
    )
    assert place.rally(*START).code == 0
    first, second = place.tries()
    assert first.fail_reason == "the work is not whole: a merge was left unfinished."
    assert second.completed


def test_a_data_directory_that_is_cleaned_away_is_made_again(place: Place) -> None:
    place.configure('data_dir = ".data"\n')
    place.git("commit", "-qam", "config")
    gone = '{run=["git", "clean", "-qfdx"]}, {write="a"}, {say="a"}'
    place.script(gone, '{write="b"}, {sleep=300}')
    place.git("add", ".")
    place.git("commit", "-qm", "script")
    relay = place.begin("start", "-i", "3", "-a", "script", "x")
    wait_until(lambda: len(place.tries()) > 1, "a try after the first")
    relay.terminate()
    assert relay.wait(20) in {0, 130}
    assert "fault of ours" not in (place.home / "err").read_text()


@pytest.mark.parametrize("lost", ["relays", "tries"])
def test_our_records_in_the_workspace_are_nobodys_work(place: Place, lost: str) -> None:
    place.configure('data_dir = ".data"\n')
    place.git("commit", "-qam", "config")
    ignoring = f"find .data/{lost} -name .gitignore -delete"
    place.script(
        f'{{run=["sh", "-c", "{ignoring}"]}}, {{write="made.txt"}}, {{say="made"}}',
        '{run=["sh", "-c", "git add -A && git commit -qm all"]}, {say="committed"}',
    )
    assert place.rally("start", "-i", "2", "-a", "script", "x").code in {0, 1}
    assert place.tries()[0].files_changed == ["made.txt"]
    assert place.git("log", "--format=", "--name-only", "--", ".data") == ""


def test_a_data_directory_that_holds_other_things_does_not_hide_them(place: Place) -> None:
    (place.root / "src").mkdir()
    (place.root / "src/f").touch()
    place.configure('data_dir = "src"\n')
    place.script('{write="src/new.txt", text="x"}, {say="made"}')
    assert place.rally(*START).code == 0
    assert place.tries()[0].files_changed == ["src/new.txt"]


def test_an_agent_that_removes_git_ends_the_relay_with_a_word(place: Place) -> None:
    place.script('{run=["rm", "-rf", ".git"]}, {write="made.txt"}, {say="gone"}')
    done = place.rally(*START)
    assert done.code == 1
    assert "Traceback" not in done.err
    assert not (place.root / ".git").exists()
    assert (place.root / "made.txt").exists()
