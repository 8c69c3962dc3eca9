import os
import time
from pathlib import Path

import psutil
from support import wait_until

from mittelo.proc.command import KEPT, Came, run_briefly

ENV = {"PATH": os.environ["PATH"]}


def run(tmp_path: Path, *argv: str, given: bytes = b"", seconds: float = 20.0) -> Came:
    return run_briefly(argv, given, str(tmp_path), ENV, seconds)


def test_a_program_reads_what_it_is_given_and_is_told_of(tmp_path: Path) -> None:
    assert run(tmp_path, "cat", given=b"hello\n") == Came(0, "hello\n")
    assert run(tmp_path, "sh", "-c", "echo out; echo err >&2; exit 3") == Came(3, "out\nerr\n")


def test_a_program_that_reads_nothing_of_a_lot_is_no_trouble(tmp_path: Path) -> None:
    assert run(tmp_path, "true", given=b"x" * 1_000_000) == Came(0, "")


def test_of_megabytes_the_beginning_is_kept(tmp_path: Path) -> None:
    came = run(tmp_path, "sh", "-c", "head -c 20000000 /dev/zero | tr '\\0' x")
    assert (came.code, len(came.output), came.is_cut) == (0, KEPT, True)


def test_a_program_that_hangs_is_ended_with_all_of_its_group(tmp_path: Path) -> None:
    began = time.monotonic()
    came = run(tmp_path, "sh", "-c", "echo begun; sleep 389 & exec sleep 389", seconds=2)
    assert time.monotonic() - began < 10
    assert came == Came(None, "begun\n", "ended after 2 s")
    wait_until(lambda: not _sleeping("389"), "the end of its group")


def test_one_that_never_stops_writing_is_ended(tmp_path: Path) -> None:
    came = run(tmp_path, "yes", seconds=2)
    assert (came.code, len(came.output)) == (None, KEPT)


def test_who_holds_its_output_open_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    script = "setsid sleep 391 & echo $! > pid; sleep 0.1; echo done"
    assert run(tmp_path, "sh", "-c", script) == Came(0, "done\n")
    assert time.monotonic() - began < 10
    psutil.Process(int((tmp_path / "pid").read_text())).kill()


def test_one_that_closes_its_output_and_lives_on_is_stayed_with(tmp_path: Path) -> None:
    came = run(tmp_path, "sh", "-c", "exec >&- 2>&-; sleep 0.2; exit 4")
    assert came == Came(4, "")


def test_a_program_that_cannot_start_is_told_of_without_its_words(tmp_path: Path) -> None:
    assert run(tmp_path, "no-such-program", "secret") == Came(
        None, trouble="could not start: No such file or directory"
    )
    assert run(tmp_path, "echo", "a\0b").trouble == "could not start: its words hold a null byte"


def _sleeping(seconds: str) -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", seconds]]
