"""`laps get`: show a lap."""

import click

from mittelo.cli.laps._line import About, Answer, Line
from mittelo.cli.laps._options import laps_command
from mittelo.cli.laps._show import Task, detail, no_lap, reasons
from mittelo.laps.flow import look
from mittelo.laps.store import Lapbook


@laps_command("get", scoped=True)
@click.argument("words", nargs=-1, metavar="[head|ID]")
def command(line: Line, words: tuple[str, ...]) -> None:
    """Show the next lap, or the one named, without claiming it.

    \b
    Exit codes: 0 a lap is shown; 10 the next one is held or claimed by others, start nothing;
    11 the queue is empty; 12 all of it is done.
    """  # noqa: D301 - click reads it
    selection, who = line.selection, line.who
    lap_id = "" if words[:1] in {(), ("head",)} else words[0]

    def act() -> Answer:
        with line.store.reading() as book:
            picked = look(book, who, selection, lap_id)
        if not picked.lap:
            return no_lap(picked)
        text = detail(picked.lap)
        return Answer(text, Task(picked.lap), text, lap=picked.lap, notes=reasons(picked))

    def find(book: Lapbook) -> About:
        picked = look(book, who, selection, lap_id)
        return About(picked.context, picked.lap)

    line.run("get", words, find, act)
