"""`laps merge-driver`: merge two versions of a queue, as git asks for it."""

from pathlib import Path

import click

from mittelo.cli.laps._line import Answer, Line
from mittelo.cli.laps._options import laps_command


@laps_command("merge-driver")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("ours", type=click.Path(path_type=Path))
@click.argument("theirs", type=click.Path(path_type=Path))
@click.argument("path", required=False)
def command(line: Line, base: Path, ours: Path, theirs: Path, path: str | None) -> None:
    """Merge two versions of a queue into the file OURS; git calls this.

    \b
    Set it up with: laps init --merge-driver
    """  # noqa: D301 - click reads it
    from mittelo.laps.driver import merge_files

    merged = merge_files(base, ours, theirs, path or ours.name)
    line.write(Answer("", {"tasks": merged.entries}))
