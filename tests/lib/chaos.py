"""Hubs, workers and a database that are killed at random while tasks are worked.

As a program it is one of the workers: it writes down each result that the hub acknowledged.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar

import msgspec
from cutting import Cable
from hubs import HubProcess
from msgspec import Struct
from ports import kept_port
from postgres import PostgresServer

from mittelo.core.requests import Enqueue, Lease, Task
from mittelo.core.tasks import Status
from mittelo.errors import MitteloError
from mittelo.hub.client import HubAwayError, HubClient, HubError, LeaseLostError

LEASE_SECONDS = 2.0
BATCH = 50
MOST_SECONDS = 3000.0
T = TypeVar("T")
NAPS = (0.0, 0.0, 0.0, 0.002, 0.02)


class Acknowledged(Struct):
    """A result that the hub took."""

    task_id: int
    lease_id: str
    result: str


@dataclass
class Report:
    """What chaos left: every task as the hub tells it, and what its workers were told."""

    tasks: list[Task]
    expected: set[int]
    acknowledged: list[Acknowledged]
    killed: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def check(self) -> None:
        """Complain of a task that was lost, that ended twice, or whose result is another's."""
        assert {task.task_id for task in self.tasks} == self.expected
        assert len(self.tasks) == len(self.expected)
        told: dict[int, Acknowledged] = {}
        for one in self.acknowledged:
            assert told.setdefault(one.task_id, one) == one, f"{one.task_id} ended twice"
        for task in self.tasks:
            assert task.status is Status.DONE, (task.task_id, task.status, task.error)
            assert (task.result or "").startswith(f"{task.task_id}:")
            last = task.attempts[-1]
            assert (last.how, last.result) == ("done", task.result), task.task_id
            assert [attempt.how for attempt in task.attempts].count("done") == 1
            if task.task_id in told:
                assert told[task.task_id].result == task.result, task.task_id


class Worker:
    """A process that works until it is killed, and is started again then."""

    def __init__(self, number: int, port: int, notes: Path) -> None:
        self._words = [str(number), str(port), str(notes / f"{number}.jsonl")]
        self._start()

    def _start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, *self._words],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            start_new_session=True,
        )

    def kill(self, *, again: bool = True) -> None:
        """End it with no word; begin anew unless told otherwise."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)
        if again:
            self._start()


class Chaos:
    """One to several hubs on one store, workers, and somebody who kills them."""

    def __init__(self, folder: Path, seed: int, server: PostgresServer | None, hubs: int) -> None:
        self._folder = folder
        self._dice = random.Random(seed)  # noqa: S311 - a game of chance, to be repeated
        self._server = server
        self._open = ExitStack()
        self._ports = [self._open.enter_context(kept_port()) for _ in range(hubs)]
        self._hubs: list[HubProcess] = []
        self._cables: list[Cable] = []
        self.killed = {"hub": 0, "worker": 0, "connections": 0, "database": 0}

    def __enter__(self) -> Self:
        self._hubs = [self._hub(number) for number in range(len(self._ports))]
        self._cables = [self._open.enter_context(Cable(port)) for port in self._ports]
        return self

    def __exit__(self, *_: object) -> None:
        for hub in self._hubs:
            hub.__exit__()
        self._open.close()

    def run(self, tasks: int, workers: int) -> Report:
        """Let tasks be worked while everything is killed; return what is left."""
        began = time.monotonic()
        crew = [
            Worker(number, self._cables[number % len(self._cables)].port, self._folder)
            for number in range(workers)
        ]
        try:
            expected: set[int] = set()
            while len(expected) < tasks:
                expected |= self._enqueue(len(expected), min(BATCH, tasks - len(expected)))
                self._strike(crew)
            while self._left() and time.monotonic() - began < MOST_SECONDS:
                self._strike(crew)
                time.sleep(self._dice.uniform(0.05, 0.3))
        finally:
            for worker in crew:
                worker.kill(again=False)
        found = self._ask(lambda hub: [hub.get(task) for task in sorted(expected)])
        notes = _read_notes(self._folder)
        return Report(found, expected, notes, self.killed, time.monotonic() - began)

    def _hub(self, number: int) -> HubProcess:
        url = self._server.url if self._server else ""
        words = ("--port", str(self._ports[number]), "--lease-seconds", str(LEASE_SECONDS))
        return HubProcess(self._folder / "hub.db", *words, url=url)

    def _strike(self, crew: list[Worker]) -> None:
        """Kill something, or nothing."""
        match self._dice.randrange(40):
            case 0 | 1:
                number = self._dice.randrange(len(self._hubs))
                self._hubs[number].kill()
                self._hubs[number] = self._hub(number)
                self.killed["hub"] += 1
            case 2 | 3 | 4 | 5:
                self._dice.choice(crew).kill()
                self.killed["worker"] += 1
            case 6 | 7:
                self._dice.choice(self._cables).cut()
                self.killed["connections"] += 1
            case 8 if self._server and self._dice.random() < 0.3:
                self._server.restart()
                self.killed["database"] += 1

    def _enqueue(self, first: int, count: int) -> set[int]:
        batch = [
            Enqueue(prompt=f"prompt {n}", dedupe_key=f"key {n}", max_attempts=1000)
            for n in range(first, first + count)
        ]
        return {*self._ask(lambda hub: [hub.enqueue(task) for task in batch])}

    def _left(self) -> int:
        stats = self._ask(lambda hub: hub.stats().stats)
        return stats.queued + stats.leased

    def _ask(self, question: Callable[[HubClient], T]) -> T:
        """Ask a hub until it answers: it may just be gone."""
        deadline = time.monotonic() + 60
        while True:
            try:
                with HubClient("127.0.0.1", self._dice.choice(self._ports)) as hub:
                    return question(hub)
            except (HubAwayError, HubError):
                assert time.monotonic() < deadline, "no hub answers any more"
                time.sleep(0.1)


def _read_notes(folder: Path) -> list[Acknowledged]:
    found = []
    for path in folder.glob("*.jsonl"):
        for line in path.read_bytes().splitlines():
            with suppress(msgspec.DecodeError):  # the last one may be torn
                found.append(msgspec.json.decode(line, type=Acknowledged))
    return found


def work(number: int, port: int, notes: Path) -> None:
    """Lease, answer, acknowledge; now and then later than the lease allows."""
    dice = random.Random(os.getpid())  # noqa: S311 - a game of chance
    me = f"worker {number}"
    with HubClient("127.0.0.1", port) as hub, notes.open("ab", buffering=0) as file:
        tasks: list[Task] = []
        parent = os.getppid()
        while os.getppid() == parent:
            with suppress(MitteloError):
                tasks = tasks or hub.lease(me, max_tasks=8, wait_seconds=1.0)
                more: list[Task] = []
                for task in tasks:
                    more = _answer(hub, task, me, dice, file.write)
                tasks = more


def _answer(
    hub: HubClient, task: Task, me: str, dice: random.Random, note: Callable[[bytes], object]
) -> list[Task]:
    late = dice.random() < 0.002
    time.sleep(LEASE_SECONDS * 1.5 if late else dice.choice(NAPS))
    lease_id = task.lease_id or ""
    result = f"{task.task_id}:{lease_id}"
    with suppress(LeaseLostError):
        more = hub.ack(task, "done", result=result, lease=Lease(worker_id=me, max_tasks=8))
        note(msgspec.json.encode(Acknowledged(task.task_id, lease_id, result)) + b"\n")
        return more
    return []


if __name__ == "__main__":
    work(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
