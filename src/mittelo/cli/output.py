"""Words and data for stdout."""

import os
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
    """Return a console on stdout, without markup: what agents say is never read as such.

    When its reader or its terminal goes away, it falls silent, and the relay goes on.
    """
    from pathlib import Path

    from rich.console import Console

    class Forgiving(Console):
        """A console whose reader may go."""

        def _check_buffer(self) -> None:
            try:
                super()._check_buffer()
            except OSError:
                self._fall_silent()

        def on_broken_pipe(self) -> None:
            self._fall_silent()

        def _fall_silent(self) -> None:
            self.quiet = True
            self._buffer.clear()
            self.file = Path(os.devnull).open("w")  # noqa: SIM115 - open until the end

    return Forgiving(file=sys.stdout, markup=False, highlight=False, emoji=False)


def pour(text: str) -> None:
    """Write what a task answered as it is, but to a terminal without what that would obey."""
    if sys.stdout.isatty():
        from mittelo.core.clipping import printable

        return say(printable(text).removesuffix("\n"))
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode(errors="replace"))
    sys.stdout.buffer.flush()
    return None
