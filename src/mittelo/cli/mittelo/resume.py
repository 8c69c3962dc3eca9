"""`mittelo resume`: hand out tasks again."""

from typing import TYPE_CHECKING

import click

from mittelo.cli.connecting import as_json, asks_hub
from mittelo.cli.output import say, show_json

if TYPE_CHECKING:
    from mittelo.hub.client import HubClient


@click.command("resume")
@click.option("--backend", help="Only tasks of this backend; without it, whatever is paused.")
@as_json
@asks_hub
def command(hub: "HubClient", backend: str | None, as_json: bool) -> None:
    """Let the hub hand out tasks again."""
    hub.resume(backend)
    if as_json:
        return show_json({"ok": True})
    paused = hub.stats().paused
    if paused:
        from mittelo.core.clipping import one_line

        names = ", ".join(one_line(name, 200) or "all" for name in paused)
        return say(f"The hub hands out tasks again, but still paused: {names}.")
    return say("The hub hands out tasks again.")
