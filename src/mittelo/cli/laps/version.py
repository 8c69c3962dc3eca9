"""`laps version`: which laps this is."""

from mittelo.cli.laps._line import Line
from mittelo.cli.laps._options import laps_command, version_answer


@laps_command("version")
def command(line: Line) -> None:
    """Show the version."""
    line.write(version_answer())
