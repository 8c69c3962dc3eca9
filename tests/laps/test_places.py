"""Where the queue is: from below, in linked worktrees, in submodules, and never outside."""

import subprocess
from pathlib import Path

import pytest
from lapping import Laps, lap


def test_the_queue_is_found_from_below(laps: Laps) -> None:
    below = laps.root / "a/b"
    below.mkdir(parents=True)
    laps.add("A")
    assert laps("list", cwd=below).out.startswith("1. A")
    (below / ".laps").mkdir()
    assert laps("list", cwd=below).out == ""


def test_a_folder_without_git_will_do(laps: Laps, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    (alone / ".laps").mkdir(parents=True)
    assert laps("init", cwd=alone).code == 0
    assert laps("add", "tail", "--title", "A", cwd=alone).out.startswith("alon-")
    assert laps("on", cwd=alone).code == 0
    assert laps("init", cwd=alone).out == "already initialised\n"


def test_without_anything_nothing_is_made(laps: Laps, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for words in (["list"], ["add", "tail", "--title", "x"], ["init"], ["status"]):
        done = laps(*words, cwd=bare)
        assert (done.code, done.out) == (2, "")
        assert "neither a git repository" in done.err
    assert laps("nonsense", cwd=bare).code == 1
    assert laps("update", cwd=bare).code == 0
    assert laps("--help", cwd=bare).code == 0
    assert not [*bare.iterdir()]


@pytest.mark.parametrize(
    "words",
    [
        *(["get"], ["claim"], ["list"], ["ls", "--all"], ["count"], ["status"], ["log"]),
        *(["done"], ["done", "undo"], ["claim", "undo"], ["get", "x"], ["delete", "x"]),
        *(["prune"], ["stints", "ls"], ["stints", "show", "x"], ["version"], ["wat"]),
        *(
            ["-f", "x", "list"],
            ["move", "x", "head"],
            ["transfer", "root", "x"],
            ["list", "--tree"],
        ),
    ],
)
def test_what_changes_nothing_makes_nothing(laps: Laps, words: list[str]) -> None:
    laps(*words)
    assert [path.name for path in laps.root.iterdir()] == [".git"]


def test_a_linked_worktree_shares_the_queue(laps: Laps, tmp_path: Path) -> None:
    laps.ok("init")
    laps.add("A")
    laps.git("add", ".laps/laps.json")
    laps.git("commit", "--quiet", "-m", "Queue")
    laps.git("worktree", "add", "--quiet", str(tmp_path / "linked"))
    linked = tmp_path / "linked"
    assert (linked / ".laps/laps.json").exists()
    laps.add("B")
    assert laps("list", "--oneline", cwd=linked).out.count("\n") == 2
    assert laps("claim", cwd=linked).code == 0
    assert laps.claim()
    assert not (linked / ".laps/claim").exists()
    assert laps("on", cwd=linked).code == 0
    assert (linked / "AGENTS.md").exists()
    assert not (laps.root / "AGENTS.md").exists()
    made = laps("add", "tail", "--title", "C", cwd=linked).out
    assert made.startswith("repo-")


def test_a_linked_worktree_has_its_own_when_the_main_one_has_none(
    laps: Laps, tmp_path: Path
) -> None:
    laps.git("commit", "--quiet", "--allow-empty", "-m", "Begin")
    laps.git("worktree", "add", "--quiet", str(tmp_path / "linked"))
    assert laps("add", "tail", "--title", "A", cwd=tmp_path / "linked").code == 0
    assert (tmp_path / "linked/.laps/laps.json").exists()


def test_a_submodule_is_a_repository_of_its_own(laps: Laps, tmp_path: Path) -> None:
    laps.add("A")
    other = tmp_path / "other"
    words = ["git", "-c", "user.name=x", "-c", "user.email=x@x", "-C", str(other)]
    subprocess.run(["git", "init", "--quiet", str(other)], check=True)
    subprocess.run([*words, "commit", "--quiet", "--allow-empty", "-m", "B"], check=True)
    laps.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "sub")
    assert (laps.root / "sub/.git").is_file()
    assert laps("list", cwd=laps.root / "sub").out == ""


def test_a_folder_can_be_named_outright(laps: Laps, tmp_path: Path) -> None:
    laps.ok("add", "tail", "--title", "A", LAPS_DIR=str(tmp_path / "mine"))
    assert (tmp_path / "mine/laps.json").exists()
    assert laps.ok("list") == ""
    laps.ok("add", "tail", "--title", "B", LAPS_DIR="near")
    assert (laps.root / "near/laps.json").exists()
    done = laps("add", "tail", "--title", "B", LAPS_DIR="no/such/way")
    assert done.code == 2
    assert "cannot be made" in done.err


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/x", "out/x", ".", ".x", "a/.x", "", " "]
)
def test_a_task_file_is_never_outside(laps: Laps, tmp_path: Path, name: str) -> None:
    laps.add("A")
    (tmp_path / "outside").mkdir()
    (laps.folder / "out").symlink_to(tmp_path / "outside")
    for words in (["add", "tail", "--title", "x"], ["list"]):
        done = laps(*words, "-f", name)
        assert (done.code, done.out) == (1, "")
    assert not [*(tmp_path / "outside").iterdir()]
    assert not (laps.root / "x.json").exists()


def test_a_link_that_leads_out_is_never_followed(laps: Laps, tmp_path: Path) -> None:
    (tmp_path / "target.json").write_text("mine")
    laps.add("A")
    for file in ("claim", "stints/s.laps.json", "stints/archive/t.laps.json"):
        (laps.folder / file).parent.mkdir(parents=True, exist_ok=True)
        (laps.folder / file).symlink_to(tmp_path / "target.json")
    for words in (
        ["claim"],
        ["add", "tail", "--stint", "s", "--title", "x"],
        ["stints", "new", "t"],
    ):
        assert laps(*words).code
    assert (tmp_path / "target.json").read_text() == "mine"


def test_a_link_inside_stays_one(laps: Laps) -> None:
    laps.write("real.json", lap("repo-a"))
    (laps.folder / "laps.json").symlink_to("real.json")
    laps.ok("done", "repo-a")
    assert (laps.folder / "laps.json").is_symlink()
    assert laps.find("repo-a", "real.json")["isDone"]


@pytest.mark.parametrize("name", ["sub/dir/x", "./x", "x.json", "sub/../x"])
def test_task_files_have_many_spellings(laps: Laps, name: str) -> None:
    laps.ok("add", "tail", "-f", name, "--title", "x")
    laps.ok("--file", name, "claim")
    assert laps.claim()["file"] in {"sub/dir/x.json", "x.json"}
    laps.ok("done")


@pytest.mark.parametrize("words", [["-f", "laps"], ["--file=laps.json"], ["-flaps"], ["-f=laps"]])
def test_the_root_queue_has_a_name_too(laps: Laps, words: list[str]) -> None:
    one = laps.add("A")
    assert laps.ok(*words, "list", "--oneline") == laps.ok("list", "--oneline", *words)
    laps.ok("claim", *words)
    assert (laps.claim()["lap"], laps.claim()["scope"]) == (one, "root")


def test_the_hooks_are_no_task_file(laps: Laps) -> None:
    assert laps("add", "tail", "-f", "hooks", "--title", "x").code == 1
    assert not laps.folder.exists()
