"""`laps assign`: say which role should do a lap."""

import click

from mittelo.cli.laps._line import Line
from mittelo.cli.laps._options import laps_command
from mittelo.cli.laps.edit import change
from mittelo.laps.editing import Edit


@laps_command("assign", scoped=True)
@click.argument("lap")
@click.argument("role")
def command(line: Line, lap: str, role: str) -> None:
    """Assign a lap to a role; a blank one clears it."""
    change(line, "assign", (lap, role), Edit(assignee=role))
