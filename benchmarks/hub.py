"""Measure a hub: cycles of many clients, waiting and deep queues, beside other task queues.

All clients are one process on one event loop, so that they leave a core to the hub. The time that
the hub's own process spent on a processor tells what the machine's other work does not blur:
`/core` is what the hub would do with a core to itself.
"""

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
import peers
from typing_extensions import override

from mittelo.core.requests import Ack, Enqueue, Lease, Task
from mittelo.hub.client import HubClient
from mittelo.hub.sqlite.store import SqliteStore
from mittelo.hub.store import Call, Caller

MITTELO = str(Path(sys.executable).with_name("mittelo"))
PROMPT = "x" * 100


@contextlib.contextmanager
def running_hub(db: Path | str) -> Iterator[tuple[int, int]]:
    """Run a hub; yields its port and its process."""
    hub = subprocess.Popen(
        [MITTELO, "hub", "--db", str(db), "--port", "0", "--print-url"],
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
            self.lease()
        elif answer.startswith(b'{"id":2'):
            if tasks := msgspec.json.decode(answer)["result"]["tasks"]:
                self.lease_seconds.append(time.perf_counter() - self.asked)
                self.ack(tasks)
            else:  # another hub on the same database has the last one in hand
                self.lease()
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

    def lease(self) -> None:
        """Ask for a task."""
        self.transport.write(b'{"id":2,"method":"lease","params":{"worker_id":"w"}}\n')

    def ack(self, tasks: list[dict[str, Any]]) -> None:
        """End a lease."""
        self.transport.write(line("ack", ack_of(tasks[0]), 3))


def cpu_seconds(pid: int) -> float:
    """Return the processor time that the threads of a process have used."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((one / "schedstat").read_text().split()[0]) for one in threads) / 1e9


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
    return cycles_of(port, pid, clients, seconds)[0]


def cycles_of(port: int, pid: int, clients: int, seconds: float) -> tuple[float, float]:
    """Print and return cycles a second, and those for each second of the hub's processor time."""
    before = cpu_seconds(pid)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        made = runner.run(cycle(port, clients, seconds))
    used = cpu_seconds(pid) - before
    cycles = sum(client.cycles for client in made)
    leases = sorted(wait for client in made for wait in client.lease_seconds)
    p50, p99 = leases[len(leases) // 2], leases[len(leases) * 99 // 100]
    print(
        f"{clients:>3} clients: {cycles / seconds:>7,.0f} cycles/s, {cycles / used:,.0f}/core,"
        f" lease p50 {p50 * 1000:.2f} ms p99 {p99 * 1000:.2f} ms,"
        f" hub {used / cycles * 1e6 / 3:.0f} us/request, {used / seconds:.2f} cores"
    )
    return cycles / seconds, cycles / used


def ended(task: Task, caller: Caller) -> Call:
    """Return the call that ends a lease."""
    ack = Ack(task_id=task.task_id, status="done", result=PROMPT, lease_id=task.lease_id)
    return Call(ack, caller)


def measure_bare(folder: Path, seconds: float) -> float:
    """Print what the store does in one thread, 32 calls a commit; return it for each second."""
    store = SqliteStore(str(folder / "bare.db"))
    caller = Caller(1, set())
    cycles = 0
    began, worked = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        now = time.time()
        store.apply([Call(Enqueue(prompt=PROMPT), caller)] * 32, now)
        leased = store.apply([Call(Lease(worker_id="w"), caller)] * 32, now).answers
        tasks = [task for answer in leased for task in getattr(answer, "tasks", [])]
        store.apply([ended(task, caller) for task in tasks], now)
        cycles += len(tasks)
    per_core = cycles / (time.process_time() - worked)
    store.close()
    print(f"bare store: {cycles / seconds:,.0f} cycles/s, {per_core:,.0f}/core")
    return per_core


def measure_wake_up(port: int, times: int, workers_port: int | None = None) -> None:
    """Print how long it takes from an enqueue until a worker that waits has the task."""
    taken: list[float] = []
    began = [0.0]
    waiting = threading.Semaphore(0)
    ready = threading.Semaphore(0)

    def work() -> None:
        with HubClient(port=workers_port or port) as hub:
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


def measure_depth(folder: Path, depth: int) -> None:
    """Print the processor time of a lease, and of one of 32, with so many tasks queued."""
    store = SqliteStore(str(folder / f"depth{depth}.db"))
    caller = Caller(1, set())
    for _ in range(depth // 1000):
        store.apply([Call(Enqueue(prompt=PROMPT), caller)] * 1000, time.time())
    for at_once in (1, 32):
        taken = []
        for _ in range(20):
            began = time.thread_time()
            store.apply([Call(Lease(worker_id="w", max_tasks=at_once), caller)], time.time())
            taken.append(time.thread_time() - began)
        print(f"lease of {at_once} with {depth:,} queued: {statistics.median(taken) * 1e3:.2f} ms")
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


def measure_alone(port: int, name: str, tasks: int) -> peers.Rate:
    """Return what one producer and one worker do, one task after the other."""
    with HubClient(port=port) as hub:
        began = time.perf_counter()
        for _ in range(tasks):
            hub.enqueue(PROMPT)
        added = time.perf_counter()
        (task,) = hub.lease("w")
        following = [task]
        while following:
            following = hub.ack(following[0], "done", lease=Lease(worker_id="w"))
        done = time.perf_counter()
    return peers.Rate(name, tasks / (added - began), tasks / (done - added))


def measure_sqlite(options: argparse.Namespace) -> None:
    """Print all about a hub on SQLite."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = measure_bare(folder, options.seconds)
        with running_hub(folder / "hub.db") as (port, pid):
            reached = measure_hub(port, pid, options)
            print(f"32 clients reach {reached / bare:.0%} of the bare store, core for core")
            if options.idle:
                asyncio.run(_idle(port, options.idle, pid))
        for depth in (1000, options.rows):
            measure_depth(folder, depth)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, options.rows)
        with running_hub(folder / "hub.db") as (port, pid):
            _, full = cycles_of(port, pid, 32, options.seconds)
            print(f"{full / reached:.0%} of the empty hub, with {options.rows:,} tasks in it")
            measure_reads(port)


def measure_hub(port: int, pid: int, options: argparse.Namespace) -> float:
    """Print what a hub does; return the cycles of 32 clients for each second of its time."""
    per_core = {n: cycles_of(port, pid, n, options.seconds)[1] for n in (1, 8, 32, 200)}
    measure_wake_up(port, 50 if options.quick else 200)
    measure_drain(port, options.tasks, 1)
    measure_drain(port, options.tasks * 4, 32)
    return per_core[32]


def measure_peers(url: str | None, tasks: int) -> None:
    """Print how fast others are, and we with one producer and one worker."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_hub(folder / "hub.db") as (port, _):
            rates = [measure_alone(port, "mittelo, SQLite", tasks)]
        others: list[Callable[[], peers.Rate]] = [lambda: peers.huey(folder, tasks)]
        if url:
            with running_hub(url) as (port, _):
                rates.append(measure_alone(port, "mittelo, PostgreSQL", tasks))
            others.append(lambda: peers.procrastinate(url, tasks))
        for measure in others:
            try:
                rates.append(measure())
            except ImportError as error:
                print(f"{error.name} is not installed: make bench-hub installs it")
    for rate in rates:
        print(f"{rate.name}: {rate.enqueued:,.0f} added/s, {rate.worked:,.0f} worked/s")


@contextlib.contextmanager
def postgres() -> Iterator[str | None]:
    """Run a PostgreSQL server, where there is one; yields its address."""
    sys.path.append(str(Path(__file__).parents[1] / "tests" / "lib"))
    try:
        from postgres import NoServerError, PostgresServer  # noqa: PLC0415 - needs an extra
    except ImportError as error:
        print(f"{error.name} is not installed: make bench-hub installs it")
        yield None
        return
    try:
        server = PostgresServer()
    except NoServerError as error:
        print(error)
        yield None
        return
    with server:
        yield server.url


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a look, in about a minute")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each run of cycles")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the deep queues")
    parser.add_argument("--tasks", type=int, default=20_000, help="for a worker by itself")
    parser.add_argument("--idle", type=int, default=5000, help="workers that wait")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.rows, options.tasks, options.idle = 2.0, 20_000, 2000, 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65536)), hard))
    print(
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, Python {sys.version.split()[0]}"
    )
    measure_sqlite(options)
    with postgres() as url:
        if url:
            with running_hub(url) as (port, pid):
                measure_hub(port, pid, options)
        measure_peers(url, min(options.tasks, 2000))
    print(f"load {os.getloadavg()[0]:.1f} in the end")


if __name__ == "__main__":
    main()
