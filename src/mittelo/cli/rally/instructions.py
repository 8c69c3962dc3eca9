"""`rally instructions`: text that is part of every prompt."""

import shlex
import subprocess
from pathlib import Path

import click

from mittelo.cli.output import say
from mittelo.errors import MitteloError, UsageError

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
    from mittelo.config.load import editor

    path = _path()
    if not path.parent.is_dir():
        raise UsageError(f"There is no {path.parent}.", "Run: rally init")
    if not path.exists():
        path.write_text(HEADER)
    try:
        words = shlex.split(editor())
    except ValueError as error:
        raise UsageError(f"EDITOR is not a command: {error}.", "Set EDITOR.") from error
    try:
        code = subprocess.run([*words, str(path)], check=False).returncode
    except (FileNotFoundError, PermissionError) as error:
        raise UsageError(f"The editor {words[0]!r} cannot be started.", "Set EDITOR.") from error
    if code:
        raise MitteloError(f"The editor {words[0]!r} ended with code {code}.")


def _path() -> Path:
    from mittelo.repo.workspace import find_workspace

    return find_workspace().paths.instructions
