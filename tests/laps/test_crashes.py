"""Killed at any step, a change is there as a whole or not at all, for whoever comes next."""

import os
import shutil
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lapping import Laps, lap, ref

from mittelo.core.queues import parse
from mittelo.laps.place import Place
from mittelo.laps.store import Lapbook, Store

Doing = tuple[list[str], ...]
State = tuple[tuple[str, tuple[tuple[str, bool], ...]], ...]

CHANGES: dict[str, Doing] = {
    "done, and two stints with it": (["claim"], ["done"]),
    "done undo, and two stints back": (["claim"], ["done"], ["done", "undo"]),
    "transfer": (["transfer", "side", "repo-last", "--root"],),
    "delete with force, and two stints": (["claim"], ["delete", "srch-1111", "--force"]),
    "stints rm": (["claim"], ["stints", "rm", "search", "--force"]),
    "claim": (["claim"],),
    "add": (["add", "tail", "--root", "--title", "x"],),
}


def begin(laps: Laps) -> None:
    shutil.rmtree(laps.folder, ignore_errors=True)
    laps.write("laps.json", ref("auth"), lap("repo-last"))
    laps.stint("auth", ref("search"), lap("auth-b", done=True))
    laps.stint("search", lap("srch-1111"), lap("srch-0000", done=True))
    laps.stint("side")


def state(book: Lapbook) -> State:
    """Return which entries are where, how far they are, and what is claimed."""
    files = ["laps.json"]
    files += [f"stints/{name}.laps.json" for name in book.stints()]
    files += [f"stints/archive/{name}.laps.json" for name in book.archived()]
    found = [(f, tuple((e.id, e.is_done) for e in book.queue(f).entries)) for f in files]
    return (*found, ("claim", tuple((held.lap, False) for held in book.claims.held)))


def seen(laps: Laps) -> State:
    """Return the state that a reader sees."""
    with Store(Place(laps.folder, laps.root, laps.root)).reading() as book:
        return state(book)


def on_disk(laps: Laps) -> State:
    """Return the state that one sees who knows nothing of cut off changes."""
    return state(Lapbook(Place(laps.folder, laps.root, laps.root), {}))


def killed(laps: Laps, words: list[str], step: int) -> bool:
    """Run a command in a process that is killed before or after its n-th step on the disk."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            _count_down(step)
            laps(*words)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _count_down(step: int) -> None:
    left = [step]

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            _tick(left)
            result = function(*args, **named)
            _tick(left)
            return result

        return call

    os.fsync = counted(os.fsync)
    for name in ("replace", "unlink", "mkdir"):
        setattr(Path, name, counted(getattr(Path, name)))


def _tick(left: list[int]) -> None:
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_whole_or_not_at_all(laps: Laps, change: Doing) -> None:
    *first, last = change
    begin(laps)
    for words in first:
        laps.ok(*words)
    before = seen(laps)
    laps.ok(*last)
    after = seen(laps)
    assert on_disk(laps) == after
    added = last[0] == "add"
    for step in range(200):
        begin(laps)
        for words in first:
            laps.ok(*words)
        was_killed = killed(laps, last, step)
        for path in laps.folder.rglob("*laps.json"):
            parse(path.read_bytes(), path.name)
        found = seen(laps)
        if added:  # its id differs from one time to the next
            assert len(found[0][1]) in {len(before[0][1]), len(after[0][1])}
        else:
            assert found in {before, after}, step
        laps.ok("stints", "hold", "side")
        assert seen(laps) == on_disk(laps) == found
        assert not (laps.folder / ".redo").exists()
        if not was_killed:
            assert step > 5
            assert len(found[0][1]) == len(after[0][1])
            return
    pytest.fail("it never came to its end")


def test_what_was_killed_twice_is_completed_by_the_third(laps: Laps) -> None:
    begin(laps)
    laps.ok("claim")
    laps.ok("done")
    after = seen(laps)
    for step in range(3, 60):
        begin(laps)
        laps.ok("claim")
        if not killed(laps, ["done"], step):
            return
        cut_off = (laps.folder / ".redo").exists()
        killed(laps, ["stints", "hold", "side"], 3)
        laps.ok("stints", "hold", "side")
        assert not cut_off or on_disk(laps) == after
    pytest.fail("it never came to its end")


def test_what_others_changed_meanwhile_is_not_written_over(laps: Laps) -> None:
    begin(laps)
    laps.ok("claim")
    step = next(
        n for n in range(99) if killed(laps, ["done"], n) and (laps.folder / ".redo").exists()
    )
    assert step
    laps.write("laps.json", lap("repo-mine"))
    assert laps.ok("list", "--root", "--oneline") == "1. repo-mine — Title of repo-mine\n"
    done = laps("stints", "hold", "side")
    assert done.code == 0
    assert ".redo.aside" in done.err
    assert laps.ids() == ["repo-mine"]
    assert (laps.folder / ".redo.aside").exists()


def test_what_killed_writers_left_is_swept_up(laps: Laps) -> None:
    laps.add("A")
    old, fresh = laps.folder / ".laps.json.abcd1234", laps.folder / ".claim.abcd1234"
    for path in (old, fresh):
        path.write_text("{")
    os.utime(old, (1, 1))
    laps.add("B")
    assert (old.exists(), fresh.exists()) == (False, True)


@pytest.mark.parametrize("failing", range(1, 5))
def test_a_full_disk_changes_nothing(
    laps: Laps, failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(laps)
    laps.ok("claim")
    before = laps.contents()
    calls = [0]

    def replace(self: Path, target: Path) -> Path:
        calls[0] += 1
        if calls[0] == failing:
            raise OSError(28, "No space left on device")
        return Path(shutil.move(self, target))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        done = laps("done")
    assert (done.code, done.out) == (2, "")
    assert "No space left" in done.err
    assert laps.contents() == before
    laps.ok("done")
