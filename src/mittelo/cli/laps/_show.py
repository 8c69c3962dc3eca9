"""How laps are shown; what others read is exact to the byte when it does not go to a terminal."""

from collections.abc import Sequence

from msgspec import Struct

from mittelo.cli.laps._line import Answer, painted, shown
from mittelo.core.claims import Claims
from mittelo.core.queues import Lap
from mittelo.core.scopes import State
from mittelo.laps.flow import Picked, told
from mittelo.laps.overview import held_message

CODES = {State.HELD: 10, State.CLAIMED: 10, State.EMPTY: 11, State.COMPLETE: 12}
RULE = "-----"


class Task(Struct, frozen=True):
    """An answer that is one lap."""

    task: Lap


class Tasks(Struct, frozen=True):
    """An answer that is several laps."""

    tasks: Sequence[Lap]


def detail(lap: Lap) -> str:
    """Return a lap in full: title, assignee, a blank line, description."""
    if lap.is_ref:
        return f"{shown(lap.ref)}/ (stint)\n"
    who = f"Assignee: {shown(lap.assignee)}\n" if lap.assignee else ""
    return f"{painted(lap.line, bold=True)}\n{who}\n{shown(lap.description)}\n"


def no_lap(picked: Picked) -> Answer:
    """Return the answer where there is no lap to work on."""
    code = CODES[picked.state]
    facts = {"exitCode": code, "state": picked.state.value}
    return Answer("", facts, code=code, notes=reasons(picked))


def reasons(picked: Picked) -> tuple[str, ...]:
    """Return what is said of a held stint, or of who has claimed all there is."""
    if picked.gate:
        return (held_message(picked.gate),)
    if picked.state is State.CLAIMED:
        return tuple(f"{held.lap} is claimed by {told(held)}" for held in picked.barred)
    return ()


def two_lines(number: int, lap: Lap, file: str, claims: Claims, count: str) -> str:
    """Return a lap as lists show it: number and title, then id, assignee and state."""
    if lap.is_ref:
        return f"{number}. {ref_line(lap, count)}\n"
    mark = painted("> ", fg="green") if claims.on(file, lap.id) else ""
    title = painted(f"~~{lap.line}~~", dim=True) if lap.is_done else painted(lap.line, bold=True)
    blank = " " * len(f"{number}. ")
    who = shown(lap.assignee) or "—"
    state = "done" if lap.is_done else "todo"
    return f"{number}. {mark}{title}\n{blank}{painted(lap.id, fg='cyan')} · {who} · {state}\n"


def in_one_line(number: int, lap: Lap) -> str:
    """Return a lap in one line, as it has always been."""
    title = f"{lap.ref}/ (stint)" if lap.is_ref else lap.line
    who = f" (assignee: {lap.assignee})" if lap.assignee else ""
    text = shown(f"{lap.id} — {title}{who}")
    return f"{number}. ~~{text}~~\n" if lap.is_done else f"{number}. {text}\n"


def ref_line(lap: Lap, count: str) -> str:
    """Return a reference to a stint, with how many entries that has."""
    text = shown(f"{lap.ref}/ (stint - {count} laps)")
    return f"~~{text}~~" if lap.is_done else text
