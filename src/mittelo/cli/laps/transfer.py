"""`laps transfer`: move laps to another queue."""

import click
from msgspec import Struct, field

from mittelo.cli.laps._line import About, Answer, Line
from mittelo.cli.laps._options import laps_command
from mittelo.core.queues import Lap
from mittelo.laps.editing import look_transfer, transfer
from mittelo.laps.store import Lapbook


class _Moved(Struct, frozen=True):
    source: str = field(name="from")
    tasks: list[Lap]
    to: str


@laps_command("transfer", scoped=True)
@click.argument("target", metavar="root|STINT")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
def command(line: Line, target: str, ids: tuple[str, ...]) -> None:
    """Move laps as they are to the root queue or to a stint, all or none."""
    selection, who = line.selection, line.who

    def act() -> Answer:
        source, goal, laps = transfer(line.store, who, target, ids, selection)
        text = "".join(f"{lap.id}\n" for lap in laps)
        facts = _Moved(source.scope, list(laps), goal.scope)
        return Answer(text, facts, text.rstrip("\n"), lap=laps[0])

    def find(book: Lapbook) -> About:
        source, _, laps = look_transfer(book, who, target, ids, selection)
        return About(source, laps[0])

    line.run("transfer", (target, *ids), find, act)
