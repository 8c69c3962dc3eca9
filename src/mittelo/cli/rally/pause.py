"""`rally pause`: hold the running relay, from another terminal or a script."""

import click

from mittelo.cli.output import say


@click.command("pause")
def command() -> None:
    """Stop what runs now, and begin nothing until the relay is resumed; it costs no attempt."""
    from mittelo.core.keys import Order
    from mittelo.rally.asking import ask, running, wait_until_paused
    from mittelo.repo.workspace import find_workspace

    workspace = find_workspace()
    workspace.require_init()
    holder = running(workspace)
    if not ask(workspace, holder, Order.PAUSE):
        say(f"The relay (process {holder.pid}) is busy; it will pause when it sees the order.")
    elif wait_until_paused(workspace, holder):
        say("The relay has paused.")
    else:
        say("The relay has not paused yet; see: rally status")
    say("Resume it with: rally resume")
