"""`laps on`: tell agents of the queue."""

from mittelo.cli.laps._line import Answer, Line
from mittelo.cli.laps._options import laps_command


@laps_command("on")
def command(line: Line) -> None:
    """Put a block on the queue into AGENTS.md, and into CLAUDE.md and GEMINI.md if they exist."""
    turn(line, "on", "enabled")


def turn(line: Line, name: str, status: str) -> None:
    """Put the block in or take it out."""
    from mittelo.laps.setup import switch

    def act() -> Answer:
        switch(line.place, on=name == "on")
        return Answer("", {"status": status})

    line.run_simple(name, (), act)
