"""`laps done undo`: open the lap again that was finished last."""

import click

from mittelo.cli.laps._line import About, Answer, Line, shown
from mittelo.cli.laps._options import laps_command
from mittelo.cli.laps._show import Task
from mittelo.laps.flow import look_undo, undo
from mittelo.laps.store import Lapbook


@laps_command("done undo")
@click.option("-y", "--yes", is_flag=True, help="However long ago that was.")
def command(line: Line, yes: bool) -> None:
    """Open the lap again that was finished last, if that is not over five minutes ago."""
    who = line.who

    def find(book: Lapbook) -> About:
        return About(*look_undo(book, who, force=yes))

    def act() -> Answer:
        _, lap = undo(line.store, who, force=yes)
        text = f"{shown(lap.line)} ({lap.id}) is to do again\n"
        return Answer(text, Task(lap), lap.id, lap=lap)

    line.run("done-undo", (), find, act)
