"""`rally resume`: let a paused relay go on, from another terminal or a script."""

import click

from mittelo.cli.output import say


@click.command("resume")
def command() -> None:
    """Let a relay go on that was paused. One that was stopped: `rally start --resume`."""
    from mittelo.core.keys import Order
    from mittelo.rally.asking import ask, running
    from mittelo.repo.workspace import find_workspace

    workspace = find_workspace()
    workspace.require_init()
    holder = running(workspace)
    if ask(workspace, holder, Order.RESUME):
        say("The relay goes on.")
    else:
        say(f"The relay (process {holder.pid}) is busy; it goes on when it sees the order.")
