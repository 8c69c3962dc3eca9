"""`rally init-roles`: the older name of `rally init all`."""

import click

from mittelo.cli.rally.init import everything

command = click.Command(
    "init-roles", callback=everything.callback, params=everything.params, hidden=True
)
