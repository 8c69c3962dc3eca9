"""`mittelo pause`: hand out no more tasks for now."""

from typing import TYPE_CHECKING

import click

from mittelo.cli.connecting import as_json, asks_hub
from mittelo.cli.output import say, show_json
from mittelo.core.clipping import printable

if TYPE_CHECKING:
    from mittelo.hub.client import HubClient


@click.command("pause")
@click.option("--backend", help="Only tasks of this backend.")
@as_json
@asks_hub
def command(hub: "HubClient", backend: str | None, as_json: bool) -> None:
    """Let the hub hand out nothing more, until `mittelo resume`; what runs goes on."""
    hub.pause(backend)
    if as_json:
        return show_json({"ok": True})
    if backend is None:
        return say("The hub hands out no more tasks. Go on with: mittelo resume")
    name = printable(backend)
    return say(
        f"The hub hands out no more tasks of {name}. Go on with: mittelo resume --backend {name}"
    )
