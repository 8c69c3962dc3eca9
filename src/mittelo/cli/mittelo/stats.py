"""`mittelo stats`: how many tasks there are."""

from typing import TYPE_CHECKING

import click

from mittelo.cli.connecting import as_json, asks_hub
from mittelo.cli.output import say, show_json

if TYPE_CHECKING:
    from mittelo.hub.client import HubClient


@click.command("stats")
@as_json
@asks_hub
def command(hub: "HubClient", as_json: bool) -> None:
    """Count the tasks of the hub."""
    found = hub.stats()
    if as_json:
        return show_json(found)
    counts = found.stats
    for name in ("queued", "leased", "done", "failed", "cancelled", "total"):
        say(f"{name:<10}{getattr(counts, name):>12,}")
    if counts.oldest_queued_seconds is not None:
        say(f"the oldest waits for {counts.oldest_queued_seconds:,.0f} s")
    if found.paused:
        say(f"paused: {', '.join(backend or 'all' for backend in found.paused)}")
    return None
