"""`laps update`: how to get a newer one."""

import sys
from pathlib import Path

import click

from mittelo.cli.laps._line import Answer, Line
from mittelo.cli.laps._options import laps_command
from mittelo.version import version


@laps_command("update")
@click.option("-y", "--yes", is_flag=True, help="Taken, and without effect.")
def command(line: Line, yes: bool) -> None:  # noqa: ARG001 - scripts give it
    """Say how to get a newer mittelo; its package manager does that, not laps."""

    def act() -> Answer:
        text = f"{version()}; get a newer one with: {_way()}\n"
        facts = {
            "currentVersion": version(),
            "latestVersion": None,
            "upToDate": None,
            "updated": False,
        }
        return Answer(text, facts, text)

    if line.is_somewhere:
        line.run_simple("update", (), act)
    else:
        line.write(act())


def _way() -> str:
    parts = Path(sys.prefix).parts
    if "pipx" in parts:
        return "pipx upgrade mittelo"
    if "uv" in parts:
        return "uv tool upgrade mittelo"
    return "pip install --upgrade mittelo"
