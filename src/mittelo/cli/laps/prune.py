"""`laps prune`: take old laps out that are done."""

import click

from mittelo.cli.laps._line import About, Answer, Line
from mittelo.cli.laps._options import laps_command
from mittelo.laps.editing import prune_done
from mittelo.laps.refusals import RefusedError
from mittelo.laps.selection import select

KEPT = 20


@laps_command("prune", scoped=True)
@click.argument("words", nargs=-1, metavar="[N]")
def command(line: Line, words: tuple[str, ...]) -> None:
    """Take out what is done but for the newest N (20), and print how many went."""
    selection, who = line.selection, line.who
    given = words[0] if words else str(KEPT)
    if not (given.isascii() and given.isdecimal()):
        raise RefusedError(f"{given!r} is no number of laps to keep.", "Give 0 or more.")

    def act() -> Answer:
        removed = len(prune_done(line.store, who, int(given), selection).laps)
        return Answer(f"{removed}\n", {"removed": removed}, str(removed))

    line.run("prune", words, lambda book: About(select(book, selection, who).context), act)
