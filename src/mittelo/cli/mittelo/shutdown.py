"""`mittelo shutdown`: end the hub."""

from typing import TYPE_CHECKING

import click

from mittelo.cli.connecting import as_json, asks_hub
from mittelo.cli.output import say, show_json

if TYPE_CHECKING:
    from mittelo.hub.client import HubClient


@click.command("shutdown")
@as_json
@asks_hub
def command(hub: "HubClient", as_json: bool) -> None:
    """End the hub: it hands out nothing more, finishes its replies and exits.

    Tasks and leases are kept; workers come back to it when it is started again.
    """
    hub.shutdown()
    if as_json:
        show_json({"ok": True})
    else:
        say("The hub shuts down.")
