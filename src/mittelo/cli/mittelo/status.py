"""`mittelo status`: the tasks of the hub, newest first."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from mittelo.cli.connecting import as_json, asks_hub
from mittelo.cli.output import say, show_json
from mittelo.core.tasks import Status

if TYPE_CHECKING:
    from mittelo.core.requests import Counts, Listed, Task
    from mittelo.hub.client import HubClient

PAGE = 500
"""So many tasks are asked for at a time, and no more are in memory."""


@click.command("status")
@click.option("--status", type=click.Choice([str(status) for status in Status]), help="Only these.")
@click.option("--limit", default=50, show_default=True, help="So many tasks; 0 shows all.")
@as_json
@asks_hub
def command(hub: "HubClient", status: str | None, limit: int, as_json: bool) -> None:
    """Show the tasks of the hub, newest first, and how many there are of each status."""
    only = Status(status) if status else None
    if as_json:
        found = hub.list(only, limit=limit)
        return show_json({"tasks": found.tasks, "stats": found.stats})
    return _draw(_pages(hub, only, limit))


def _pages(hub: "HubClient", status: Status | None, limit: int) -> "Iterator[Listed]":
    left = limit if limit > 0 else 2**53
    before = None
    while True:
        page = hub.list(status, limit=min(left, PAGE), before=before, brief=True)
        yield page
        left -= len(page.tasks)
        before = page.next
        if before is None or left <= 0:
            return


def _draw(pages: "Iterator[Listed]") -> None:
    from mittelo.cli.table import Table

    table = Table("prompt", id=6, status=9, age=4, tries=5, worker=16)
    for page in pages:
        for task in page.tasks:
            table.row(*_cells(task))
        last = page
    more = "; there are more: --limit 0 shows all" if last.next is not None else ""
    say(f"{_counted(last.stats)}{more}")


def _cells(task: "Task") -> tuple[str, ...]:
    from mittelo.cli.table import age

    tries = f"{task.attempt}/{task.max_attempts}" if task.max_attempts else ""
    since = age(task.created_at)
    return (str(task.task_id), task.status, since, tries, task.worker_id or "", task.prompt)


def _counted(stats: "Counts") -> str:
    return ", ".join(f"{getattr(stats, status):,} {status}" for status in Status)
