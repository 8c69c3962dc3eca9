"""Many processes on one queue at once: nothing is lost, nothing is done twice."""

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from typing import Self

import lapworker
import pytest
from lapping import LAPS, Laps, lap

from mittelo.core.claims import parse_claims
from mittelo.core.instants import moment
from mittelo.core.queues import parse
from mittelo.laps import folder as folders
from mittelo.laps.folder import locked

WORKERS = 16
LONG_SECONDS = float(os.environ.get("LAPS_LONG_TEST_SECONDS", "0"))


class Watcher:
    """Reads the files raw all the time, as an older program would."""

    def __init__(self, laps: Laps) -> None:
        self.laps = laps
        self.faults: list[str] = []
        self.looks = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _watch(self) -> None:
        most = 0
        while not self._ending.wait(0.001):
            try:
                found = parse((self.laps.folder / "laps.json").read_bytes(), "laps.json")
                if len(found.entries) < most:
                    self.faults.append(f"{len(found.entries)} entries after {most}")
                most = len(found.entries)
                if (self.laps.folder / "claim").exists():
                    raw = (self.laps.folder / "claim").read_bytes()
                    held = parse_claims(raw, moment("2026-01-01T00:00:00Z")).held
                    if len({one.lap for one in held}) < len(held):
                        self.faults.append(f"a lap has two claimants: {held}")
                self.looks += 1
            except FileNotFoundError:
                continue
            except Exception as error:  # noqa: BLE001 - it is what we look for
                self.faults.append(repr(error))


@pytest.mark.timeout(120 + 2 * LONG_SECONDS)
def test_sixteen_processes_lose_and_double_nothing(laps: Laps) -> None:
    laps.write("laps.json", *(lap(f"repo-first{i}") for i in range(WORKERS)))
    words = [sys.executable, lapworker.__file__, str(laps.root)]
    more = [str(LONG_SECONDS), "0" if LONG_SECONDS else "6"]
    with Watcher(laps) as watcher:
        workers = [
            subprocess.Popen(
                [*words, f"session-{i}", *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            for i in range(WORKERS)
        ]
        ended = [worker.communicate() for worker in workers]
    assert not watcher.faults
    assert watcher.looks
    assert [err.decode() for _, err in ended if b"Traceback" in err] == []
    told = [json.loads(line) for out, _ in ended for line in out.splitlines()]
    did = {what: [lap_id for kind, lap_id in told if kind == what] for what, _ in told}
    assert not {"lost", "dishonest"} & did.keys()
    for what in ("claimed", "added", "done"):
        assert len(did[what]) == len(set(did[what])), what
    assert sorted(did["claimed"]) == sorted(did["done"])
    entries = laps.entries()
    assert len(entries) == WORKERS + len(did["added"])
    assert {one["id"] for one in entries if one["isDone"]} == set(did["done"])
    assert len({one["id"] for one in entries}) == len(entries)
    assert laps.claim() is None
    events = [event["event"] for event in laps.events()]
    assert events.count("completed") == events.count("claimed") == len(did["done"])
    assert events.count("created") == len(did["added"])


def test_commands_side_by_side_keep_every_lap(laps: Laps) -> None:
    titles = [f"T{i}" for i in range(12)]
    added = [
        subprocess.Popen([LAPS, "add", "tail", "--title", title], cwd=laps.root, stdout=-1)
        for title in titles
    ]
    assert len({process.communicate()[0] for process in added}) == len(titles)
    assert sorted(laps.titles()) == sorted(titles)


def test_waiting_is_said_and_ends(laps: Laps, monkeypatch: pytest.MonkeyPatch) -> None:
    laps.add("A")
    monkeypatch.setattr(folders, "WORD_SECONDS", 0.05)
    monkeypatch.setattr(folders, "PATIENCE_SECONDS", 0.2)
    with locked(laps.folder, fcntl.LOCK_SH):
        assert laps.ok("list").startswith("1. A")
        done = laps("add", "tail", "--title", "B")
        assert done.code == 2
        assert "waiting for another process" in done.err
        assert "does not let go" in done.err
    with locked(laps.folder, fcntl.LOCK_EX):
        assert laps("list").code == 2
    laps.add("B")


def test_who_waits_goes_on_when_the_lock_is_free(laps: Laps) -> None:
    laps.add("A")
    done: list[bytes] = []
    words = [LAPS, "add", "tail", "--title", "B"]
    with locked(laps.folder, fcntl.LOCK_EX):
        waiting = subprocess.Popen(words, cwd=laps.root, stdout=subprocess.PIPE)
        time.sleep(0.3)
        assert waiting.poll() is None
    done += waiting.communicate(timeout=30)[:1]
    assert laps.titles() == ["A", "B"]
    assert done[0].decode().strip() == laps.ids()[1]


def test_a_folder_that_is_made_anew_is_locked_anew(laps: Laps) -> None:
    laps.add("A")
    with locked(laps.folder, fcntl.LOCK_EX):
        laps.folder.rename(laps.root / "old")
        laps.add("B")
    assert laps.titles() == ["B"]
