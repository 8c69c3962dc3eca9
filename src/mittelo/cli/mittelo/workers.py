"""`mittelo workers`: who works for the hub."""

from typing import TYPE_CHECKING

import click

from mittelo.cli.connecting import as_json, asks_hub
from mittelo.cli.output import say, show_json

if TYPE_CHECKING:
    from mittelo.core.requests import Worker
    from mittelo.hub.client import HubClient

SHOWN_TASKS = 10


@click.command("workers")
@as_json
@asks_hub
def command(hub: "HubClient", as_json: bool) -> None:
    """Show who leased tasks since the hub started: what they serve, and what they run now."""
    found = [*hub.workers()]
    if as_json:
        return show_json({"workers": found})
    if not found:
        return say("No worker was here since the hub started: mittelo agent")
    from mittelo.cli.table import Table, age

    table = Table("tasks", worker=24, here=4, seen=4, backends=12, tags=12)
    for worker in found:
        connected = "yes" if worker.connected else "no"
        serves = ", ".join(worker.backends) or "—"
        tags = "any" if worker.tags is None else ", ".join(worker.tags)
        seen = age(worker.last_seen)
        table.row(worker.worker_id, connected, seen, serves, tags, _tasks(worker))
    return None


def _tasks(worker: "Worker") -> str:
    shown = ", ".join(map(str, worker.tasks[:SHOWN_TASKS]))
    more = len(worker.tasks) - SHOWN_TASKS
    return f"{shown} and {more} more" if more > 0 else shown
