"""Words and data for stdout."""

import sys
from typing import TYPE_CHECKING

import click
import msgspec

if TYPE_CHECKING:
    from rich.console import Console


def say(text: str = "") -> None:
    """Write a line for a person."""
    click.echo(text)


def show_json(facts: object) -> None:
    """Write facts as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(facts), indent=2))


def console() -> "Console":
    """Return a console on stdout, without markup: what agents say is never read as such."""
    from rich.console import Console

    return Console(file=sys.stdout, markup=False, highlight=False, emoji=False)
