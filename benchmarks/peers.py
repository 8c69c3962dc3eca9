"""Measure other durable Python task queues: how fast one program adds tasks, and one works them."""

import asyncio
import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

PROMPT = "x" * 100


class Rate(Struct, frozen=True):
    """What one producer and one worker of a queue did in a second."""

    name: str
    enqueued: float
    worked: float


def huey(folder: Path, tasks: int) -> Rate:
    """Measure huey on SQLite with fsync; it forgets a task before it runs."""
    queue: Any = importlib.import_module("huey").SqliteHuey(
        filename=str(folder / "huey.db"), fsync=True, results=False
    )

    @queue.task()  # type: ignore[untyped-decorator, unused-ignore]
    def work(_prompt: str) -> None:
        """Do nothing."""

    enqueued = _rate(tasks, lambda: [work(PROMPT) for _ in range(tasks)])
    worked = _rate(tasks, lambda: [queue.execute(queue.dequeue()) for _ in range(tasks)])
    return Rate("huey, SQLite, fsync", enqueued, worked)


def procrastinate(url: str, tasks: int) -> Rate:
    """Measure procrastinate on PostgreSQL, with a worker that does one task at a time."""
    return asyncio.run(_procrastinate(url, tasks))


async def _procrastinate(url: str, tasks: int) -> Rate:
    module: Any = importlib.import_module("procrastinate")
    app = module.App(connector=module.PsycopgConnector(conninfo=url))

    @app.task(name="work")  # type: ignore[untyped-decorator, unused-ignore]
    async def work(prompt: str) -> None:
        """Do nothing."""

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        began = time.perf_counter()
        for _ in range(tasks):
            await work.defer_async(prompt=PROMPT)
        added = time.perf_counter()
        await app.run_worker_async(wait=False, concurrency=1, install_signal_handlers=False)
        ended = time.perf_counter()
    return Rate("procrastinate, PostgreSQL", tasks / (added - began), tasks / (ended - added))


def _rate(count: int, work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)
