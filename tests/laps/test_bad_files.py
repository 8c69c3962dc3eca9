"""Files in every broken form: a clear word each time, and nothing is touched."""

import pytest
from lapping import Laps, lap, ref

BROKEN = {
    "nothing": (b"", "stint"),
    "blank": (b" \n", "stint"),
    "braces": (b"{}", "stint"),
    "not JSON": (b"hello", "both"),
    "torn": (b'{"version":3,"tasks":[{"id":"a"', "both"),
    "no version": (b'{"tasks":[]}', "both"),
    "no tasks": (b'{"version":3}', "both"),
    "null tasks": (b'{"version":3,"tasks":null}', "both"),
    "newer": (b'{"version":4,"tasks":[]}', "both"),
    "unknown key": (b'{"version":3,"tasks":[],"x":1}', "both"),
    "unknown key of an entry": (b'{"version":3,"tasks":[{"id":"a","x":1}]}', "both"),
    "other kind": (b'{"version":3,"tasks":[{"id":"a","kind":"epic"}]}', "both"),
    "bad prefix": (b'{"version":3,"prefix":"ABCD","tasks":[]}', "both"),
    "no prefix": (b'{"version":3,"tasks":[{"id":"a"}]}', "stint"),
    "conflict": (b"<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> other\n", "both"),
    "not UTF-8": (b'{"version":3,"tasks":[{"id":"\xff"}]}', "both"),
}
COMMANDS = [
    *(["get"], ["claim"], ["list"], ["count"], ["status"], ["done", "x"], ["move", "x", "head"]),
    *(["edit", "x", "--title", "t"], ["delete", "x"], ["prune"], ["transfer", "root", "x"]),
    *(["add", "head", "--title", "t"],),
]


@pytest.mark.parametrize(("held", "where"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_queue_is_no_empty_queue(laps: Laps, held: bytes, where: str) -> None:
    laps.write("laps.json", ref("auth"))
    laps.put("stints/auth.laps.json", held)
    files = {"stints/auth.laps.json"}
    if where == "both":
        laps.put("laps.json", held)
        files = {"laps.json"}
    with laps.unchanged():
        for words in COMMANDS:
            done = laps(*words)
            assert (done.code, done.out) == (2, ""), words
            assert any(file in done.err for file in files)
            assert len(done.err.splitlines()) == 1
            assert ("laps doctor" in done.err) != ("Update laps" in done.err)
            assert "Traceback" not in done.err


@pytest.mark.parametrize("held", [b"", b" \n\t", b"{}", b"{ }\n", b" {\n}\n"])
def test_a_root_queue_may_be_blank(laps: Laps, held: bytes) -> None:
    laps.put("laps.json", held)
    with laps.unchanged():
        assert laps("get").code == 11
        assert laps.ok("list") == ""
    laps.add("A")
    assert laps.titles() == ["A"]


def test_a_conflict_is_called_one(laps: Laps) -> None:
    laps.put("laps.json", b'{\n<<<<<<< HEAD\n"version": 3\n=======\n>>>>>>> other\n}')
    done = laps("list")
    assert "merge conflict (line 2)" in done.err
    assert "laps doctor" in done.err


def test_a_broken_root_is_no_matter_of_a_stint_that_is_named(laps: Laps) -> None:
    laps.put("laps.json", b"broken")
    laps.stint("auth", lap("auth-a"))
    assert laps.ok("list", "--stint", "auth", "--oneline").startswith("1. auth-a")
    laps.ok("add", "tail", "--stint", "auth", "--title", "t")


def test_a_broken_stint_is_no_matter_of_root(laps: Laps) -> None:
    laps.write("laps.json", lap("repo-a"), ref("auth"))
    laps.put("stints/auth.laps.json", b"broken")
    assert "2. auth/ (stint - ? laps)\n" in laps.ok("list")
    assert "(unreadable)" in laps.ok("list", "--tree")
    laps.ok("done", "repo-a")
    laps.ok("done", "undo")
    laps.ok("stints", "rm", "auth", "--force")
    assert laps.ids() == ["repo-a"]


@pytest.mark.parametrize("name", ["laps.json", "claim", "stints/auth.laps.json", "hooks.json"])
def test_a_folder_in_the_place_of_a_file_is_told_of(laps: Laps, name: str) -> None:
    laps.write("laps.json", ref("auth"))
    laps.stint("auth", lap("auth-a"))
    (laps.folder / name).unlink(missing_ok=True)
    (laps.folder / name).mkdir()
    done = laps("claim")
    assert (done.code, done.out) == (2, "")
    assert name.rpartition("/")[2] in done.err


def test_a_file_in_the_place_of_the_folder_is_told_of(laps: Laps) -> None:
    laps.folder.write_text("")
    for words in (["add", "tail", "--title", "x"], ["list"], ["init"]):
        done = laps(*words)
        assert done.code == 2
        assert ".laps is not a folder" in done.err


def test_damaged_lines_of_the_log_are_passed_over(laps: Laps) -> None:
    one = laps.add("A")
    with (laps.folder / "log.jsonl").open("ab") as file:
        file.write(b"torn {\n[]\n\xff\n" + b'{"ts":"x"}\n' + b"\n")
    laps.ok("edit", one, "--description", "d" * 70_000)
    laps.ok("edit", one, "--title", "t" * 70_000)
    done = laps("log")
    assert done.code == 0
    assert "4 damaged line(s)" in done.err
    assert len(done.out.splitlines()) == 3


def test_the_log_is_kept_small(laps: Laps) -> None:
    laps.put("log.jsonl", b'{"ts":"2026-01-01T00:00:00Z","event":"old"}\n' * 100_000)
    laps.add("A")
    path = laps.folder / "log.jsonl"
    assert path.stat().st_size < (4 << 20)
    assert path.stat().st_mode & 0o777 == 0o600
    assert '"A"' in laps.ok("log", "-n", "1")
    assert laps("log").err == ""
