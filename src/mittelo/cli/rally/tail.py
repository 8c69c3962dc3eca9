"""`rally tail`: what an agent does or did."""

import sys

import click

from mittelo.cli.output import say
from mittelo.errors import UsageError


@click.command("tail")
@click.option("--try", "number", type=click.IntRange(min=0), default=0, help="A try's number.")
@click.option("--raw", is_flag=True, help="The transcript's bytes as they are.")
@click.option("--no-follow", is_flag=True, help="Print what is there and exit.")
def command(number: int, raw: bool, no_follow: bool) -> None:
    """Show the transcript of the try that runs, until it ends; else of the newest one."""
    from mittelo.config.load import load_configuration
    from mittelo.rally.tailing import find_try, raw_bytes, told
    from mittelo.repo.workspace import find_workspace

    workspace = find_workspace()
    workspace.require_init()
    found = find_try(workspace, number)
    if raw:
        for chunk in raw_bytes(workspace, found, follow=not no_follow):
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
        return
    say(f"try {found.try_id} with {found.agent}: {found.path}")
    if found.session_log:
        say(f"its own log: {found.session_log}")
    harness = load_configuration(workspace.paths).harnesses.get(found.agent)
    if harness is None:
        raise UsageError(
            f"The agent {found.agent!r} is no longer configured.", "See the bytes with --raw."
        )
    for line in told(workspace, found, harness, follow=not no_follow):
        say(line)
