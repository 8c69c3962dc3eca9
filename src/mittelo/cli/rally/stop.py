"""`rally stop`: end the running relay, from another terminal or a script."""

import click

from mittelo.cli.output import say


@click.command("stop")
@click.option("--now", "at_once", is_flag=True, help="Quit; said again, kill what still runs.")
def command(at_once: bool) -> None:
    """Stop the relay that runs in this repository; it can be resumed later."""
    from mittelo.core.keys import Order
    from mittelo.rally.asking import ask, running, wait_until_ended
    from mittelo.rally.unfinished import unfinished
    from mittelo.repo.workspace import find_workspace

    workspace = find_workspace()
    workspace.require_init()
    holder = running(workspace)
    if not ask(workspace, holder, Order.QUIT if at_once else Order.STOP):
        return say(
            f"The relay (process {holder.pid}) is busy; it will stop when it sees the order."
        )
    if not wait_until_ended(workspace, holder):
        return say("The relay is still stopping; kill what runs with: rally stop --now")
    if unfinished(workspace.relays.read()):
        return say("The relay has stopped; go on with: rally start --resume")
    return say("The relay has ended; see: rally status")
