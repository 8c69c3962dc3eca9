"""Measure a hub on SQLite: cycles with many clients, long polls, batch leases, a deep table."""

import argparse
import asyncio
import contextlib
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from typing_extensions import override

from mittelo.core.requests import Ack, Enqueue, Lease, Task
from mittelo.hub.client import HubClient
from mittelo.hub.sqlite.store import SqliteStore
from mittelo.hub.store import Call, Caller

MITTELO = str(Path(sys.executable).with_name("mittelo"))
PROMPT = "x" * 100


@contextlib.contextmanager
def running_hub(folder: Path) -> Iterator[tuple[int, int]]:
    """Run a hub; yields its port and its process."""
    hub = subprocess.Popen(
        [MITTELO, "hub", "--db", str(folder / "hub.db"), "--port", "0", "--print-url"],
        stdout=subprocess.PIPE,
        env={**os.environ, "MITTELO_TOKEN": ""},
    )
    if hub.stdout is None:
        raise RuntimeError
    line = hub.stdout.readline().decode()
    try:
        yield int(line.rsplit(":", 1)[1]), hub.pid
    finally:
        hub.send_signal(signal.SIGTERM)
        hub.wait(30)


class Cycling(asyncio.Protocol):
    """A client that enqueues, leases and acks, again and again."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.cycles = 0
        self.lease_seconds: list[float] = []
        self.asked = 0.0
        self.buffer = b""
        self.transport: Any = None
        self.done = asyncio.get_running_loop().create_future()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.enqueue()

    @override
    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.buffer.endswith(b"\n"):
            return
        answer, self.buffer = self.buffer, b""
        if answer.startswith(b'{"id":1'):
            self.asked = time.perf_counter()
            self.transport.write(b'{"id":2,"method":"lease","params":{"worker_id":"w"}}\n')
        elif answer.startswith(b'{"id":2'):
            self.lease_seconds.append(time.perf_counter() - self.asked)
            self.ack(msgspec.json.decode(answer)["result"]["tasks"])
        else:
            self.cycles += 1
            self.enqueue()

    def enqueue(self) -> None:
        """Begin a cycle, or end."""
        if time.perf_counter() >= self.until:
            self.transport.close()
            self.done.set_result(None)
            return
        self.transport.write(
            b'{"id":1,"method":"enqueue","params":{"prompt":"%b"}}\n' % PROMPT.encode()
        )

    def ack(self, tasks: list[dict[str, Any]]) -> None:
        """End a lease."""
        self.transport.write(line("ack", ack_of(tasks[0]), 3))


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def mebibytes(pid: int) -> float:
    """Return the memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def cycle(port: int, clients: int, seconds: float) -> list[Cycling]:
    """Run clients against a hub."""
    loop = asyncio.get_running_loop()
    until = time.perf_counter() + seconds
    made = [
        await loop.create_connection(lambda: Cycling(until), "127.0.0.1", port)
        for _ in range(clients)
    ]
    await asyncio.gather(*(client.done for _, client in made))
    return [client for _, client in made]


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a fast event loop for the clients, who share the machine with the hub."""
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def measure_cycles(port: int, pid: int, clients: int, seconds: float) -> float:
    """Print and return cycles a second."""
    before = cpu_seconds(pid)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        made = runner.run(cycle(port, clients, seconds))
    used = cpu_seconds(pid) - before
    cycles = sum(client.cycles for client in made)
    leases = sorted(wait for client in made for wait in client.lease_seconds)
    p50, p99 = leases[len(leases) // 2], leases[len(leases) * 99 // 100]
    print(
        f"{clients:>3} clients: {cycles / seconds:>8,.0f} cycles/s, lease p50 {p50 * 1000:.2f} ms"
        f" p99 {p99 * 1000:.2f} ms, hub {used / cycles * 1e6 / 3:.0f} us/request,"
        f" {used / seconds:.2f} cores"
    )
    return cycles / seconds


def ended(task: Task, caller: Caller) -> Call:
    """Return the call that ends a lease."""
    ack = Ack(task_id=task.task_id, status="done", result=PROMPT, lease_id=task.lease_id)
    return Call(ack, caller)


def measure_bare(folder: Path, seconds: float) -> float:
    """Print and return what the store does in one thread, 32 calls in each commit."""
    store = SqliteStore(str(folder / "bare.db"))
    caller = Caller(1, set())
    cycles = 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        now = time.time()
        store.apply([Call(Enqueue(prompt=PROMPT), caller)] * 32, now)
        leased = store.apply([Call(Lease(worker_id="w"), caller)] * 32, now).answers
        tasks = [task for answer in leased for task in getattr(answer, "tasks", [])]
        store.apply([ended(task, caller) for task in tasks], now)
        cycles += len(tasks)
    store.close()
    print(f"bare store: {cycles / seconds:,.0f} cycles/s")
    return cycles / seconds


def measure_wake_up(port: int, times: int) -> None:
    """Print how long it takes from an enqueue until a worker that waits has the task."""
    taken: list[float] = []
    began = [0.0]
    waiting = threading.Semaphore(0)
    ready = threading.Semaphore(0)

    def work() -> None:
        with HubClient(port=port) as hub:
            for _ in range(times):
                ready.release()
                tasks = hub.lease("waiting", wait_seconds=20)
                taken.append(time.perf_counter() - began[0])
                hub.ack(tasks[0], "done")
                waiting.release()

    thread = threading.Thread(target=work)
    thread.start()
    with HubClient(port=port) as hub:
        for _ in range(times):
            ready.acquire()
            time.sleep(0.005)
            began[0] = time.perf_counter()
            hub.enqueue("x")
            waiting.acquire()
    thread.join()
    taken.sort()
    p99 = taken[times * 99 // 100]
    print(f"enqueue to start: p50 {statistics.median(taken) * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms")


def measure_drain(port: int, tasks: int, at_once: int) -> None:
    """Print how fast one worker empties the queue."""
    with HubClient(port=port) as hub:
        for _ in range(tasks // 1000):
            hub.enqueue_many([Enqueue(prompt=PROMPT)] * 1000)
    with socket.create_connection(("127.0.0.1", port)) as raw, raw.makefile("rb") as answers:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        params = {"worker_id": "w", "max_tasks": at_once}
        raw.sendall(line("lease", params))
        began = time.perf_counter()
        done = 0
        while left := msgspec.json.decode(answers.readline())["result"]["tasks"]:
            acks = [ack_of(task) for task in left]
            acks[-1]["lease"] = params
            raw.sendall(b"".join(line("ack", ack) for ack in acks))
            for _ in acks[1:]:
                answers.readline()
            done += len(left)
        seconds = time.perf_counter() - began
    print(f"one worker, leases of {at_once}: {done / seconds:,.0f} tasks/s")


def line(method: str, params: dict[str, Any], number: int = 1) -> bytes:
    """Return a request."""
    asked = {"id": number, "method": method, "params": params}
    return msgspec.json.encode(asked) + b"\n"


def ack_of(task: dict[str, Any]) -> dict[str, Any]:
    """Return the end of a lease."""
    kept = {name: task[name] for name in ("task_id", "lease_id")}
    return {**kept, "status": "done", "result": PROMPT}


def fill(folder: Path, rows: int) -> None:
    """Fill a hub's file with tasks, half of them done, half queued for somebody else."""
    store = SqliteStore(str(folder / "hub.db"))
    caller = Caller(1, set())
    for _ in range(rows // 2000):
        now = time.time()
        store.apply([Call(Enqueue(prompt=PROMPT), caller)] * 1000, now)
        store.apply([Call(Enqueue(prompt=PROMPT, backend="other"), caller)] * 1000, now)
        (leased,) = store.apply([Call(Lease(worker_id="w", max_tasks=1000), caller)], now).answers
        tasks = getattr(leased, "tasks", [])
        store.apply([ended(task, caller) for task in tasks], now)
    store.close()


def measure_reads(port: int) -> None:
    """Print how long it takes to count and to list."""
    with HubClient(port=port) as hub:
        asked: list[tuple[str, Callable[[], object]]] = [
            ("stats", hub.stats),
            ("list of 50", hub.list),
        ]
        for name, ask in asked:
            taken = []
            for _ in range(50):
                began = time.perf_counter()
                ask()
                taken.append(time.perf_counter() - began)
            print(f"{name}: {statistics.median(taken) * 1000:.2f} ms")


async def _idle(port: int, clients: int, pid: int) -> None:
    reached = []
    for number in range(clients):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b'{"id":1,"method":"lease","params":{"worker_id":"w%d","wait_seconds":60}}\n' % number
        )
        reached.append(writer)
    await asyncio.sleep(2)
    before = cpu_seconds(pid)
    await asyncio.sleep(5)
    used = (cpu_seconds(pid) - before) / 5
    print(f"{clients} waiting workers: {mebibytes(pid):.0f} MiB, {used * 100:.1f} % of a core")
    for writer in reached:
        writer.close()


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rows", type=int, default=0, help="also with so many tasks in the file")
    parser.add_argument("--idle", type=int, default=0, help="also with so many waiting workers")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65536)), hard))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = measure_bare(folder, options.seconds)
        with running_hub(folder) as (port, pid):
            for clients in (1, 8, 32):
                best = measure_cycles(port, pid, clients, options.seconds)
            print(f"{best / bare:.0%} of the bare store")
            measure_wake_up(port, 200)
            measure_drain(port, 20_000, 1)
            measure_drain(port, 60_000, 32)
            if options.idle:
                asyncio.run(_idle(port, options.idle, pid))
    if options.rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            fill(folder, options.rows)
            with running_hub(folder) as (port, pid):
                full = measure_cycles(port, pid, 32, options.seconds)
                print(f"{full / best:.0%} of the empty hub, with {options.rows:,} tasks in it")
                measure_reads(port)


if __name__ == "__main__":
    main()
