"""`rally instructions`: text that is part of every prompt."""

from pathlib import Path

import click

from mittelo.cli.output import say
from mittelo.errors import UsageError

HEADER = "<!-- What every agent should know about this project: goals, rules, commands. -->\n"


@click.group("instructions")
def command() -> None:
    """Show or edit the project instructions."""


@command.command("show")
def show() -> None:
    """Print the project instructions."""
    path = _path()
    if path.exists():
        say(path.read_text(encoding="utf-8", errors="replace").rstrip("\n"))
    else:
        say("(no project instructions set)")


@command.command("edit")
def edit() -> None:
    """Open the project instructions in your editor."""
    from mittelo.cli.editing import open_editor

    path = _path()
    if not path.parent.is_dir():
        raise UsageError(f"There is no {path.parent}.", "Run: rally init")
    if not path.exists():
        path.write_text(HEADER)
    open_editor(path)


def _path() -> Path:
    from mittelo.repo.workspace import find_workspace

    return find_workspace().paths.instructions
