"""`laps board`: the queue on one screen."""

import sys

from mittelo.cli.laps._line import Line
from mittelo.cli.laps._options import laps_command
from mittelo.laps.refusals import RefusedError


@laps_command("board")
def command(line: Line) -> None:
    """Look at the queue on one screen, and put it in order; `?` there tells the keys.

    Hooks do not run for what is done on the board.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise RefusedError("The board needs a terminal.", "See: laps list --tree")
    place = line.place
    from mittelo.tui.board import show_board

    show_board(place)
