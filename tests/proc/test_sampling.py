"""The file of what was seen of an agent's processes, and how often they are looked at."""

import json
import os
import queue
import time
from pathlib import Path

import pytest
from support import wait_until

from mittelo.core.pulses import Sample
from mittelo.core.stalls import Patience
from mittelo.core.tries import Event, Sampled
from mittelo.proc import sampling
from mittelo.proc.sampling import NetstatLog, Sampler, interval

SAMPLE = Sample(connections=2, received=70, cpu_s=1.2345, io_bytes=None, syscall_bytes=9)


def test_a_line_holds_what_was_seen(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("x")
    os.utime(out, (time.time() - 40, time.time() - 40))
    log = NetstatLog(str(tmp_path / "netstat"), [str(out), str(tmp_path / "none"), ""])
    log.add(SAMPLE)
    log.close()
    line = json.loads((tmp_path / "netstat").read_text())
    assert time.strptime(line.pop("ts"), "%Y-%m-%dT%H:%M:%SZ")
    assert 40 <= line.pop("log_silent_s") < 50
    assert line == {
        "connections": 2,
        "uncounted": 0,
        "received": 70,
        "cpu_s": 1.23,
        "io_bytes": 0,
        "syscall_bytes": 9,
    }


def test_after_very_many_lines_only_every_tenth_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "ALL_LINES", 50)
    log = NetstatLog(str(tmp_path / "netstat"), [])
    for _ in range(150):
        log.add(SAMPLE)
    log.close()
    assert len((tmp_path / "netstat").read_text().splitlines()) == 60


def test_a_file_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    log = NetstatLog(str(tmp_path / "no folder/netstat"), [])
    log.add(SAMPLE)
    log.close()
    assert list(tmp_path.glob("no*")) == []


@pytest.mark.parametrize(("silence", "seconds"), [(900, 5), (300, 5), (60, 1), (3, 0.25)])
def test_the_shorter_the_threshold_the_oftener_is_looked(silence: float, seconds: float) -> None:
    assert interval(Patience(silence)) == seconds


def test_samples_arrive_until_the_sampler_is_closed(tmp_path: Path) -> None:
    inbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
    log = NetstatLog(str(tmp_path / "netstat"), [])
    sampler = Sampler(os.getpid(), "", Patience(3), log, inbox)
    wait_until(lambda: inbox.qsize() >= 2, "two samples")
    sampler.close()
    found = inbox.get()
    assert isinstance(found, Sampled)
    assert (found.sample.cpu_s or 0) > 0
    written = len((tmp_path / "netstat").read_text().splitlines())
    assert written == inbox.qsize() + 1
