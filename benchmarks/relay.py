"""Measure start-up, what a relay adds to an iteration, and the cost of supervising an agent."""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mittelo.core.stalls import Patience
from mittelo.core.tries import Limits
from mittelo.harness.claude import Claude
from mittelo.proc.child import Launch
from mittelo.proc.supervise import Supervisor, Watched

RALLY = str(Path(sys.executable).with_name("rally"))
AGENT = "date +%N > made-$$.txt; echo made it"
ITERATIONS = 10
GIGABYTE = 1 << 30
IDLE_SECONDS = 20
LINE = (
    b'{"type":"assistant","message":{"id":"m","content":[{"type":"tool_use","name":"Bash",'
    b'"input":{"command":"' + b"x" * 900 + b'"}}]},"session_id":"s"}\n'
)


def median_seconds(run: Callable[[], object], times: int) -> float:
    """Return the median time of a call."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def start_up(env: dict[str, str]) -> None:
    """Time the smallest command against a bare interpreter."""
    bare = median_seconds(lambda: subprocess.run([sys.executable, "-c", ""], check=True), 20)
    ours = median_seconds(
        lambda: subprocess.run([RALLY, "version"], env=env, check=True, capture_output=True), 20
    )
    print(f"rally version: {ours * 1000:.0f} ms (bare interpreter {bare * 1000:.0f} ms; goal 60)")


def iteration(env: dict[str, str], folder: Path) -> None:
    """Time a relay of small agents against the agents alone."""
    root = folder / "repository"
    root.mkdir()
    subprocess.run(["git", "init", "--quiet", root], env=env, check=True)
    subprocess.run([RALLY, "init"], cwd=root, env=env, check=True, capture_output=True)
    config = f"[harness.small]\ncommand = ['sh', '-c', '{AGENT}']\n"
    (root / ".rally/config.toml").write_text(config)
    alone = median_seconds(
        lambda: subprocess.run(["sh", "-c", AGENT], cwd=folder, check=True, capture_output=True), 10
    )
    words = ["start", "--iterations", str(ITERATIONS), "--agent", "small", "x"]
    began = time.perf_counter()
    subprocess.run([RALLY, *words], cwd=root, env=env, check=True, capture_output=True)
    added = (time.perf_counter() - began) / ITERATIONS - alone
    print(f"added to an iteration: {added * 1000:.0f} ms, start of rally shared in (goal 300)")


def supervise(program: str, folder: Path) -> tuple[float, float, float]:
    """Return wall seconds, our CPU seconds and our peak memory in MB, for an agent in Python."""
    launch = Launch(
        argv=[sys.executable, "-c", program],
        cwd=str(folder),
        env=dict(os.environ),
        stdin="",
        stdout=str(folder / "out"),
        stderr=str(folder / "err"),
    )
    limits = Limits(patience=Patience(900.0))
    supervisor = Supervisor(Claude(), launch, "", limits, str(folder / "netstat"))
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    supervisor.run(ignore)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def ignore(_: Watched) -> None:
    """Watch nothing."""


def supervising(folder: Path) -> None:
    """Measure an agent that is silent, and one that writes a gigabyte."""
    wall, cpu, _ = supervise(f"import time; time.sleep({IDLE_SECONDS})", folder)
    print(f"supervising a silent agent: {100 * cpu / wall:.2f} % of a core (goal 2)")
    blocks = GIGABYTE // (len(LINE) * 64)
    write = f"import sys\nfor _ in range({blocks}): sys.stdout.buffer.write({LINE!r} * 64)"
    wall, cpu, peak = supervise(write, folder)
    size = (folder / "out").stat().st_size / 1e9
    print(
        f"a transcript of {size:.2f} GB: {cpu:.1f} s of CPU in all, {100 * cpu / 3600:.2f} % of a "
        f"core over an hour (goal 2); written in {wall:.0f} s; peak memory {peak:.0f} MB (goal 80)"
    )


def main() -> None:
    """Run all of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = dict(os.environ) | {
            "HOME": name,
            "XDG_DATA_HOME": f"{name}/data",
            "XDG_CONFIG_HOME": f"{name}/config",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        start_up(env)
        iteration(env, folder)
        supervising(folder)


if __name__ == "__main__":
    main()
