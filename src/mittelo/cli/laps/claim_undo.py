"""`laps claim undo`: give a claimed lap back."""

from mittelo.cli.laps._line import About, Answer, Line, shown
from mittelo.cli.laps._options import laps_command
from mittelo.core.scopes import Context
from mittelo.laps.flow import claimed_lap, unclaim
from mittelo.laps.store import Lapbook


@laps_command("claim undo")
def command(line: Line) -> None:
    """Give the lap back that this session has claimed."""
    who = line.who

    def find(book: Lapbook) -> About:
        held = book.claims.of(who.session)
        if not held:
            return About(book.root)
        lap = claimed_lap(book, held)
        return About(Context(held.file, held.scope, book.root.queue), lap)

    def act() -> Answer:
        held, lap = unclaim(line.store, who)
        title = lap.line if lap else ""
        text = f"{held.lap} is claimed no longer" + (f": {shown(title)}" if title else "") + "\n"
        return Answer(text, {"title": title, "unclaimedId": held.lap}, held.lap, lap=lap)

    line.run("claim-undo", (), find, act)
