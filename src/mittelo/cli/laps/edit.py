"""`laps edit`: change what a lap says."""

import click

from mittelo.cli.laps._input import sound, unescaped
from mittelo.cli.laps._line import About, Answer, Line
from mittelo.cli.laps._options import laps_command
from mittelo.cli.laps._show import Task
from mittelo.laps.editing import Edit, edit
from mittelo.laps.refusals import RefusedError
from mittelo.laps.selection import find_lap
from mittelo.laps.store import Lapbook


@laps_command("edit", scoped=True)
@click.argument("lap")
@click.option("--title", help="A new title.")
@click.option("--description", help=r'A new description, "" for none; \n is a line break.')
@click.option("--assignee", help='A new role, "" for none.')
def command(
    line: Line, lap: str, title: str | None, description: str | None, assignee: str | None
) -> None:
    """Change the title, the description or the assignee of a lap."""
    text = None if description is None else unescaped(description)
    changes = Edit(title, text, assignee)
    if not changes.fields:
        todo = "Give --title, --description or --assignee."
        raise RefusedError("Nothing is to be changed.", todo)
    change(line, "edit", (lap,), changes)


def change(line: Line, name: str, words: tuple[str, ...], changes: Edit) -> None:
    """Run an edit of the first of the words."""
    selection, who, lap = line.selection, line.who, words[0]
    for what in changes.fields:
        sound(getattr(changes, what), f"The {what}")

    def act() -> Answer:
        changed = edit(line.store, who, lap, changes, selection, name)
        edited = changed.laps[0]
        return Answer(f"{edited.id}\n", Task(edited), edited.id, lap=edited, notes=changed.notes)

    def find(book: Lapbook) -> About:
        return About(*find_lap(book, selection, lap, who))

    line.run(name, words, find, act)
