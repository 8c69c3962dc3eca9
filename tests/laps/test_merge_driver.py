"""Git merges queues by way of laps: real branches, merged and rebased both ways."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from lapping import Laps
from support import Done, Place

from mittelo.core.queues import TAIL, Lap, Queue, encode, insert, parse

BIN = str(Path(sys.executable).parent)
FILE = ".laps/laps.json"
MINE = """\
*.png binary\r
.laps/laps.json text\r
last line"""


@pytest.fixture
def repository(plain: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A repository whose queue has three laps, with the merge driver."""
    for name in ("LAPS_SESSION", "LAPS_DIR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    plain.env["PATH"] = f"{BIN}:{os.environ['PATH']}"
    laps(plain, "init", "--merge-driver")
    for title in ("one", "two", "three"):
        laps(plain, "add", "tail", "--title", title)
    commit(plain, "Plan")
    return plain


def laps(place: Place, *words: str, code: int = 0) -> Done:
    done = Laps(place.root, pytest.MonkeyPatch())(*words)
    assert done.code == code, done.err
    return done


def commit(place: Place, subject: str) -> None:
    place.git("add", "--all")
    place.git("commit", "--quiet", "-m", subject)


def queue(place: Place) -> Queue:
    return parse((place.root / FILE).read_bytes(), FILE)


def titles(held: Queue) -> list[str]:
    return [lap.title for lap in held.todo]


def id_of(place: Place, title: str) -> str:
    return next(lap.id for lap in queue(place).entries if lap.title == title)


def branch_off(place: Place) -> None:
    """Make two branches that add, finish, edit, move and delete laps, each in its commits."""
    place.git("checkout", "--quiet", "-b", "left")
    laps(place, "done", "--root", id_of(place, "one"))
    laps(place, "add", "head", "--title", "left first")
    commit(place, "Left")
    laps(place, "edit", id_of(place, "three"), "--title", "three, left")
    laps(place, "add", "tail", "--title", "left last")
    commit(place, "Left again")
    place.git("checkout", "--quiet", "-b", "right", "main")
    laps(place, "move", id_of(place, "three"), "head")
    laps(place, "add", "tail", "--title", "right last")
    commit(place, "Right")
    laps(place, "edit", id_of(place, "one"), "--description", "by the right")
    laps(place, "delete", id_of(place, "two"))
    commit(place, "Right again")


def test_branches_merge_without_a_conflict_and_the_same_both_ways(repository: Place) -> None:
    branch_off(repository)
    repository.git("merge", "--quiet", "--no-edit", "left")
    from_right = queue(repository)
    repository.git("checkout", "--quiet", "left")
    repository.git("merge", "--quiet", "--no-edit", "right~0")
    assert queue(repository).entries == from_right.entries
    assert set(titles(from_right)) == {"left first", "three, left", "left last", "right last"}
    assert titles(from_right)[2:] in (["left last", "right last"], ["right last", "left last"])
    done = from_right.done[0]
    assert (done.title, done.description) == ("one", "by the right")
    assert repository.git("status", "--porcelain") == ""


def test_a_rebase_ends_where_a_merge_does(repository: Place) -> None:
    branch_off(repository)
    repository.git("checkout", "--quiet", "-b", "merged", "left")
    repository.git("merge", "--quiet", "--no-edit", "right")
    merged = queue(repository)
    repository.git("checkout", "--quiet", "right")
    repository.git("rebase", "--quiet", "left")
    assert queue(repository).entries == merged.entries
    assert laps(repository, "list", "--oneline").out.count("\n") == len(merged.todo)


def test_a_queue_that_both_sides_begin_is_merged(repository: Place) -> None:
    for name in ("left", "right"):
        repository.git("checkout", "--quiet", "-b", name, "main")
        laps(repository, "stints", "new", "auth")
        laps(repository, "add", "tail", "--stint", "auth", "--title", f"by {name}")
        commit(repository, name)
    repository.git("merge", "--quiet", "--no-edit", "left")
    stint = parse((repository.root / ".laps/stints/auth.laps.json").read_bytes(), "auth")
    assert sorted(titles(stint)) == ["by left", "by right"]
    assert stint.prefix == "auth"


def test_a_stint_that_one_side_archived_is_merged(repository: Place) -> None:
    laps(repository, "stints", "new", "auth")
    laps(repository, "add", "tail", "--stint", "auth", "--title", "login")
    laps(repository, "add", "tail", "--stint", "auth", "--title", "logout")
    laps(repository, "stints", "enqueue", "auth", "head")
    commit(repository, "Stint")
    repository.git("checkout", "--quiet", "-b", "left")
    for lap in parse((repository.root / ".laps/stints/auth.laps.json").read_bytes(), "").todo:
        laps(repository, "done", "--stint", "auth", lap.id)
    commit(repository, "Left")
    repository.git("checkout", "--quiet", "main")
    laps(repository, "add", "tail", "--root", "--title", "other")
    laps(repository, "add", "tail", "--stint", "auth", "--title", "late")
    commit(repository, "Right")
    repository.git("merge", "--quiet", "--no-edit", "left")
    assert (repository.root / ".laps/stints/archive/auth.laps.json").exists()
    assert titles(queue(repository)) == ["one", "two", "three", "other"]
    told = laps(repository, "doctor", "--mend").out
    assert "stints/archive/auth.laps.json" in told
    assert "late" in laps(repository, "get").out


def test_what_cannot_be_read_is_left_to_git(repository: Place, tmp_path: Path) -> None:
    held = encode(insert(Queue(), [Lap(id="a", title="a")], TAIL))
    for name, content in (("base", b""), ("ours", held), ("theirs", held[:-9])):
        (tmp_path / name).write_bytes(content)
    files = [str(tmp_path / name) for name in ("base", "ours", "theirs")]
    told = laps(repository, "merge-driver", *files, FILE, code=2)
    assert f"{FILE} (theirs) is not a valid laps task file" in told.err
    assert (tmp_path / "ours").read_bytes() == held
    (tmp_path / "theirs").write_bytes(b"")
    (tmp_path / "base").write_bytes(held)
    assert "is empty" in laps(repository, "merge-driver", *files, FILE, code=2).err
    (tmp_path / "base").unlink()
    assert laps(repository, "merge-driver", *files, FILE, code=2).err.startswith("laps: ")


def test_a_damaged_side_becomes_a_conflict(repository: Place) -> None:
    repository.git("checkout", "--quiet", "-b", "left")
    (repository.root / FILE).write_bytes((repository.root / FILE).read_bytes()[:-40])
    commit(repository, "Left")
    repository.git("checkout", "--quiet", "main")
    laps(repository, "add", "tail", "--title", "four")
    commit(repository, "Right")
    with pytest.raises(subprocess.CalledProcessError):
        repository.git("merge", "--quiet", "--no-edit", "left")
    assert repository.git("ls-files", "--unmerged").count(FILE) == 3
    assert titles(queue(repository)) == ["one", "two", "three", "four"]


def test_setting_up_leaves_what_is_there(plain: Place) -> None:
    attributes = plain.root / ".gitattributes"
    attributes.write_bytes(MINE.encode())
    told = laps(plain, "init", "--merge-driver").out
    assert "merge.laps.driver" in told
    assert ".gitattributes" in told
    before = attributes.read_bytes()
    assert before.decode() == (
        f"{MINE}\r\n.laps/laps.json merge=laps\r\n.laps/stints/*.laps.json merge=laps\r\n"
        ".laps/stints/archive/*.laps.json merge=laps\r\n"
    )
    assert laps(plain, "init", "--merge-driver").out == "already initialised\n"
    assert attributes.read_bytes() == before
    again = msgspec.json.decode(laps(plain, "init", "--merge-driver", "--json-output").out)
    assert again["mergeDriver"] == []
    assert "merge: laps" in plain.git("check-attr", "merge", ".laps/stints/a b.laps.json")


def test_without_git_there_is_nothing_to_set_up(tmp_path: Path) -> None:
    (tmp_path / "bare/.laps").mkdir(parents=True)
    place = Place(tmp_path / "bare", tmp_path / "home")
    assert "git init" in laps(place, "init", "--merge-driver", code=2).err
