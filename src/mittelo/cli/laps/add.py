"""`laps add`: put laps into the queue."""

import click
from msgspec.structs import asdict

from mittelo.cli.laps._input import drafts_of, read_stdin, sound, unescaped, where
from mittelo.cli.laps._line import About, Answer, Line
from mittelo.cli.laps._options import laps_command
from mittelo.cli.laps._show import Task, Tasks
from mittelo.core.queues import Lap
from mittelo.laps.editing import Draft, add, add_context
from mittelo.laps.refusals import RefusedError
from mittelo.laps.store import Lapbook


@laps_command("add", scoped=True, json_alias=False)
@click.argument("words", nargs=-1, metavar="head|tail|after ID|-")
@click.option("--title", help="What is to be done, in one line.")
@click.option("--description", help=r"All that is to be said of it; \n is a line break.")
@click.option("--assignee", help="The role that should do it.")
@click.option("--json", "told", metavar="JSON", help='An object or a list of them; "-": stdin.')
@click.option("--stdin", "piped", is_flag=True, help="Read the description from stdin.")
def command(
    line: Line,
    words: tuple[str, ...],
    title: str | None,
    description: str | None,
    assignee: str | None,
    told: str | None,
    piped: bool,
) -> None:
    """Put a lap, or several, at the head or the tail of the queue, or after another.

    \b
    laps add tail --title "Fix the parser" --assignee senior
    laps add head --json '[{"title": "First"}, {"title": "Second"}]'
    laps add - < laps.json
    """  # noqa: D301 - click reads it
    selection, who = line.selection, line.who
    positions = words
    if words[-1:] == ("-",):
        positions, told = words[:-1] or ("tail",), told or "-"

    def drafts() -> list[Draft]:
        if told is not None:
            if piped or not (title is description is assignee is None):
                raise RefusedError("--json excludes the other ways to say what a lap is.")
            return drafts_of(read_stdin("The JSON") if told == "-" else sound(told, "The JSON"))
        if piped and description is not None:
            raise RefusedError("--stdin and --description exclude each other.")
        if title is None:
            raise RefusedError("A title is required.", "Give --title, or --json.")
        text = unescaped(description or "")
        if piped:
            text = read_stdin("The description").rstrip("\r\n")
        sound(f"{title}{text}{assignee}", "What the lap says")
        return [Draft(title, text, assignee or "")]

    def find(book: Lapbook) -> About:
        says = Draft(title or "", description or "", assignee or "")
        planned = Lap(id="", **asdict(says)) if told is None else None
        return About(add_context(book, selection, who), planned)

    def act() -> Answer:
        place = where(positions)
        changed = add(line.store, who, drafts(), place, selection)
        laps = changed.laps
        text = "".join(f"{lap.id}\n" for lap in laps)
        one = laps[0] if len(laps) == 1 else None
        facts = Task(one) if one else Tasks(laps)
        return Answer(text, facts, text.rstrip("\n"), lap=one, notes=changed.notes)

    line.run("add", words, find, act)
