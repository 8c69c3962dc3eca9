"""`rally skip`: skip what the running relay does now, from another terminal or a script."""

import click

from mittelo.cli.output import say
from mittelo.errors import MitteloError


@click.command("skip")
def command() -> None:
    """Skip the run that goes on, or the wait: who sits out for failures is called back then."""
    from mittelo.core.keys import Order
    from mittelo.rally.asking import ask, running
    from mittelo.repo.workspace import find_workspace

    workspace = find_workspace()
    workspace.require_init()
    holder, state = running(workspace), workspace.run_state()
    if holder.paused_since:
        raise MitteloError("The relay is paused.", "Resume it with: rally resume")
    what = f"run {state.active_run_id}" if state.active_try_id else "the wait"
    if ask(workspace, holder, Order.SKIP):
        say(f"The relay skips {what}.")
    else:
        say(f"The relay (process {holder.pid}) is busy; it skips {what} when it sees the order.")
