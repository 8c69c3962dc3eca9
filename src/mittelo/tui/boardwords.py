"""The words of the board: its status line, its messages, and what is told of one lap."""

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from mittelo.core.claims import Claim
from mittelo.core.instants import ZERO, moment
from mittelo.core.lapfiles import ROOT_FILE, archived_stint_of
from mittelo.core.scopes import State
from mittelo.laps.boarding import Picture
from mittelo.tui.laprows import Row, View, age_words, claim_words, plain, plain_lines

KEYS = """\
j k ↑ ↓  go down, up
J K      move the lap down, up
t b      move it to the head, the tail
Enter    open a stint; edit a lap
← →      close, open a stint
e        edit
a        add a lap below
A        add one at the head
d        it is done
u        it is not done after all; on
         an open lap: the last one done
x        delete
h        hold a stint, or release it
c        show or hide what is done
/        show only some laps
r        read the files again
q        quit

▶ the lap that `laps claim` would get
● claimed: by whom, since when
✓ done    ▾ ▸ a stint

What others do shows within a second.
Hooks do not run for what is done here."""
STATES = {
    State.LAP: ("ready", "bold green"),
    State.HELD: ("held", "bold red"),
    State.CLAIMED: ("all claimed", "bold yellow"),
    State.EMPTY: ("empty", "bold"),
    State.COMPLETE: ("complete", "bold green"),
}


def status(picture: Picture, view: View) -> Text:
    """Return how everything stands, in a line."""
    worked = [queue for file, queue in picture.queues.items() if not archived_stint_of(file)]
    laps = [lap for queue in worked for lap in queue.entries if not lap.is_ref]
    archived = [queue for file, queue in picture.queues.items() if archived_stint_of(file)]
    done = sum(lap.is_done for lap in laps) + sum(len(queue.done) for queue in archived)
    word, style = STATES[picture.state] if picture.state else ("broken", "bold red")
    text = Text.assemble((word, style), f" · {sum(not lap.is_done for lap in laps)} to do")
    text.append(f" · {done} done{' (shown)' if view.shows_done else ''}", "dim")
    if picture.claims:
        text.append(f" · {len(picture.claims)} claimed", "yellow")
    if view.words:
        text.append(f" · /{plain(view.words)}", "reverse")
    return text


def message(picture: Picture, view: View, listed: Sequence[Row]) -> Text:
    """Return what must be known before the list, "" for nothing."""
    if picture.trouble:
        told = dict.fromkeys([plain_lines(picture.trouble), *map(plain_lines, _troubles(picture))])
        return Text("\n".join(told), "red")
    if picture.gate:
        return Text(plain(picture.gate), "red")
    if listed:
        return Text("\n".join(map(plain_lines, _troubles(picture))), "red")
    if view.words:
        return Text("No lap has these words. Esc shows all.")
    if picture.state is State.COMPLETE:
        return Text("Everything is done. c shows it, a adds a lap.", "green")
    return Text("The queue is empty. a adds a lap.")


def detail(row: Row | None, picture: Picture, now: datetime) -> Text:
    """Return all that is known of a line."""
    if not row:
        return Text()
    if not row.lap or row.lap.is_ref:
        return _of_stint(row)
    lap = row.lap
    text = Text.assemble((plain(lap.title), "bold"), "\n", (plain(lap.id), "cyan"))
    if row.file != ROOT_FILE:
        text.append(f" · {plain(row.inside or row.file)}", "dim")
    if lap.assignee:
        text.append(f" · {plain(lap.assignee)}", "magenta")
    if lap.created_at != ZERO:
        text.append(f" · {age_words((now - moment(lap.created_at)).total_seconds())} old", "dim")
    if claim := picture.claim_on(row.file, lap.id):
        text.append(f" · {_claimed(claim, now)}", "yellow")
    if lap.description.strip():
        text.append(f"\n{plain_lines(lap.description)}")
    return text


def _of_stint(row: Row) -> Text:
    text = Text.assemble("stint ", (plain(row.stint), "bold cyan"))
    text.append(f" · {row.total - row.done} to do, {row.done} done", "dim")
    if row.is_held:
        text.append(" · held: none of its laps is started; h releases it", "red")
    if row.trouble:
        text.append(f" · it {row.trouble}", "red")
    return text


def _claimed(claim: Claim, now: datetime) -> str:
    left = (moment(claim.expires_at) - now).total_seconds() if claim.expires_at else 0
    until = f", for {age_words(left)} more" if left > 0 else ""
    return f"claimed by {claim_words(claim, now)}{until}"


def _troubles(picture: Picture) -> list[str]:
    return list(picture.troubles.values())
