"""`laps off`: tell agents of the queue no longer."""

from mittelo.cli.laps._line import Line
from mittelo.cli.laps._options import laps_command
from mittelo.cli.laps.on import turn


@laps_command("off")
def command(line: Line) -> None:
    """Take the block on the queue out of AGENTS.md, CLAUDE.md and GEMINI.md."""
    turn(line, "off", "disabled")
