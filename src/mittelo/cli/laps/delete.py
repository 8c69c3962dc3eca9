"""`laps delete`: take a lap out for good."""

import click

from mittelo.cli.laps._line import About, Answer, Line
from mittelo.cli.laps._options import laps_command
from mittelo.laps.editing import delete
from mittelo.laps.selection import find_lap
from mittelo.laps.store import Lapbook


@laps_command("delete", scoped=True)
@click.argument("words", nargs=-1, required=True, metavar="ID")
@click.option("--force", is_flag=True, help="Also when it is claimed.")
def command(line: Line, words: tuple[str, ...], force: bool) -> None:
    """Delete a lap, done or not."""
    selection, who, lap_id = line.selection, line.who, words[0]

    def act() -> Answer:
        lap = delete(line.store, who, lap_id, selection, force=force).laps[0]
        return Answer("", {"deleted": lap.id}, lap.id, lap=lap)

    def find(book: Lapbook) -> About:
        return About(*find_lap(book, selection, lap_id, who))

    line.run("delete", words, find, act)
