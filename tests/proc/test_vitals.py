"""What is seen of small real processes."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from streaming import server
from support import wait_until

from mittelo.core.pulses import BYTE_RATE, CPU_RATE, FLOW_RATE, Sample
from mittelo.proc.vitals import Vitals

AGENT = Path(__file__).parents[1] / "lib/silent_agent.py"


@contextmanager
def living(kind: str, folder: Path) -> Iterator[Vitals]:
    """Let a silent agent live while the body runs."""
    with server() as ports:
        argv = [sys.executable, "-I", "-S", str(AGENT), kind, str(folder), *map(str, ports)]
        agent = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        try:
            wait_until((folder / f"ready-{agent.pid}").exists, "its start")
            yield Vitals(agent.pid)
        finally:
            for process in psutil.Process(agent.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            agent.kill()
            agent.wait()


def rate(vitals: Vitals, of: Callable[[Sample], float | None]) -> float:
    """Return what is done a second, in the second after the next."""
    time.sleep(1.0)
    began, before = time.monotonic(), of(vitals.sample())
    time.sleep(1.0)
    after, took = of(vitals.sample()), time.monotonic() - began
    assert before is not None
    assert after is not None
    return (after - before) / took


@pytest.mark.parametrize("kind", ["cpu", "child", "many"])
def test_work_of_children_is_seen_even_of_short_lived_ones(kind: str, tmp_path: Path) -> None:
    with living(kind, tmp_path) as vitals:
        wait_until(lambda: rate(vitals, lambda s: s.cpu_s) > CPU_RATE, "its work")


@pytest.mark.parametrize("kind", ["write", "read"])
def test_bytes_that_are_read_and_written_are_seen(kind: str, tmp_path: Path) -> None:
    with living(kind, tmp_path) as vitals:
        wait_until(lambda: rate(vitals, lambda s: s.syscall_bytes) > BYTE_RATE, "its work")


@pytest.mark.parametrize("kind", ["download", "download6", "child-alone"])
def test_a_slow_download_is_seen_though_no_process_counts_it(kind: str, tmp_path: Path) -> None:
    with living(kind, tmp_path) as vitals:
        wait_until(lambda: rate(vitals, lambda s: s.received) > FLOW_RATE, "its work")
        assert vitals.sample().connections == 1


@pytest.mark.parametrize(("kind", "uncounted"), [("held", 0), ("held6", 0), ("datagrams", 1)])
def test_an_idle_connection_of_any_family_is_seen(
    kind: str, uncounted: int, tmp_path: Path
) -> None:
    with living(kind, tmp_path) as vitals:
        wait_until(lambda: vitals.sample().connections == 1, "a connection")
        sample = vitals.sample()
        assert (sample.uncounted, sample.received) == (uncounted, 0)


def test_a_connection_within_the_tree_leads_nowhere(tmp_path: Path) -> None:
    with living("self", tmp_path) as vitals:

        def joined() -> bool:
            tree = [vitals.root, *vitals.root.children()]
            ends = [[end.status for end in process.net_connections()] for process in tree]
            return [held.count(psutil.CONN_ESTABLISHED) for held in ends] == [1, 1]

        wait_until(joined, "a connection between the two")
        assert vitals.sample().connections == 0


def test_an_idle_tree_does_no_work(tmp_path: Path) -> None:
    with living("tick", tmp_path) as vitals:
        assert rate(vitals, lambda s: s.cpu_s) < CPU_RATE
        assert rate(vitals, lambda s: s.syscall_bytes) < BYTE_RATE


def test_what_a_process_did_that_is_gone_stays_in_the_sum() -> None:
    spend = "import time\nwhile time.process_time() < 0.3: pass\nopen('/dev/null', 'w').write('x')"
    script = '"$0" -I -S -c "$1"; read more'
    argv = ["sh", "-c", script, sys.executable, spend]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as shell:
        vitals = Vitals(shell.pid)
        samples = [vitals.sample()]
        wait_until(lambda: _spent(samples, vitals) >= 0.3, "the sum")
        samples += [vitals.sample() for _ in range(3)]
        shell.communicate(b"\n")
    for name in ("cpu_s", "syscall_bytes", "io_bytes"):
        told = [getattr(sample, name) for sample in samples]
        assert told == sorted(told)


def _spent(samples: list[Sample], vitals: Vitals) -> float:
    samples.append(vitals.sample())
    return samples[-1].cpu_s or 0.0


def test_a_root_that_is_gone_is_told_of() -> None:
    gone = subprocess.Popen(["true"])
    vitals = Vitals(gone.pid)
    gone.wait()
    with pytest.raises(psutil.NoSuchProcess):
        vitals.sample()
