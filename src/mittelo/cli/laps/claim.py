"""`laps claim`: take a lap to work on."""

import click

from mittelo.cli.laps._line import About, Answer, Line
from mittelo.cli.laps._options import laps_command
from mittelo.cli.laps._show import RULE, detail, no_lap
from mittelo.config.laps import claim_seconds
from mittelo.laps.flow import claim, look
from mittelo.laps.store import Lapbook

HINT = f"\n{RULE}\nNot the lap you intended? Give it back with: laps claim undo\n"


@laps_command("claim", scoped=True)
@click.argument("words", nargs=-1, metavar="[head|ID|undo]")
@click.option("--take", is_flag=True, help="Take it over from the session that has claimed it.")
def command(line: Line, words: tuple[str, ...], take: bool) -> None:
    """Claim the next lap, or the one named, and show it.

    A session (LAPS_SESSION) has one claim at a time; a claim holds for four hours, or for
    LAPS_CLAIM_SECS, and can be renewed. What other sessions have claimed is passed over.
    `laps claim undo` gives a lap back.

    \b
    Exit codes: 0 a lap is claimed; 10 the next one is held or claimed by others, start nothing;
    11 the queue is empty; 12 all of it is done.
    """  # noqa: D301 - click reads it
    selection, who = line.selection, line.who
    lap_id = "" if words[:1] in {(), ("head",)} else words[0]

    def find(book: Lapbook) -> About:
        picked = look(book, who, selection, lap_id)
        return About(picked.context, picked.lap)

    def act() -> Answer:
        picked = claim(line.store, who, claim_seconds(), selection, lap_id, take=take)
        lap = picked.lap
        if not lap:
            return no_lap(picked)
        facts = {"claimedId": lap.id, "task": lap}
        return Answer(detail(lap) + HINT, facts, lap.id, lap=lap, notes=picked.notes)

    line.run("claim", words, find, act)
