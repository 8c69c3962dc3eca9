"""`laps move`: give a lap another place."""

import click

from mittelo.cli.laps._input import where
from mittelo.cli.laps._line import About, Answer, Line
from mittelo.cli.laps._options import laps_command
from mittelo.cli.laps._show import Task
from mittelo.laps.editing import move_lap
from mittelo.laps.selection import find_lap
from mittelo.laps.store import Lapbook


@laps_command("move", scoped=True)
@click.argument("lap")
@click.argument("position", nargs=-1, metavar="head|tail|after ID")
def command(line: Line, lap: str, position: tuple[str, ...]) -> None:
    """Put a lap at the head or the tail of its queue, or after another."""
    selection, who = line.selection, line.who
    place = where(position)

    def act() -> Answer:
        changed = move_lap(line.store, who, lap, place, selection)
        moved = changed.laps[0]
        return Answer(f"{moved.id}\n", Task(moved), moved.id, lap=moved, notes=changed.notes)

    def find(book: Lapbook) -> About:
        return About(*find_lap(book, selection, lap, who))

    line.run("move", (lap, *position), find, act)
