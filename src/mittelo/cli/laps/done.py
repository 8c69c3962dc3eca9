"""`laps done`: finish a lap."""

import click

from mittelo.cli.laps._line import About, Answer, Line, shown
from mittelo.cli.laps._options import laps_command
from mittelo.cli.laps._show import RULE, Task
from mittelo.laps.flow import done, look_done
from mittelo.laps.store import Lapbook

HINT = f"\n{RULE}\nNot done after all? Open it again with: laps done undo\n"


@laps_command("done", scoped=True)
@click.argument("lap", required=False, metavar="[ID|undo]")
def command(line: Line, lap: str | None) -> None:
    """Finish the lap that this session has claimed, or the one named.

    `laps done undo` opens the lap again that was finished last.
    """
    selection, who, lap_id = line.selection, line.who, lap or ""

    def find(book: Lapbook) -> About:
        return About(*look_done(book, who, selection, lap_id))

    def act() -> Answer:
        finished = done(line.store, who, selection, lap_id)
        found = finished.lap
        text = f"{shown(found.line)}\n{HINT}"
        return Answer(text, Task(found), found.id, lap=found, notes=finished.notes)

    line.run("done", (lap_id,) if lap_id else (), find, act)
