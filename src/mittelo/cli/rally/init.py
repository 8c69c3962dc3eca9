"""`rally init`: make this folder ready."""

import click

from mittelo.cli.output import say


@click.command("init")
def command() -> None:
    """Make this repository ready for relays, and commit what that takes."""
    from mittelo.rally.setup import initialize
    from mittelo.repo.workspace import find_workspace

    for line in initialize(find_workspace()):
        say(line)
