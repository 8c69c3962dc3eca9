"""`mittelo purge`: forget tasks that ended long ago."""

from typing import TYPE_CHECKING

import click

from mittelo.cli.connecting import as_json, asks_hub
from mittelo.cli.output import say, show_json

if TYPE_CHECKING:
    from mittelo.hub.client import HubClient


@click.command("purge")
@click.option(
    "--days",
    required=True,
    type=click.FloatRange(0, 36_500),
    help="Only tasks that ended longer ago; 0 forgets all that ended.",
)
@as_json
@asks_hub
def command(hub: "HubClient", days: float, as_json: bool) -> None:
    """Forget tasks that are done, failed or cancelled, with their results."""
    purged = hub.purge(days)
    if as_json:
        show_json({"purged": purged})
    else:
        say(f"Purged {purged} tasks.")
