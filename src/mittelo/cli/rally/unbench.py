"""`rally unbench`: call a runner back."""

import time

import click

from mittelo.cli.output import say
from mittelo.errors import UsageError


@click.command("unbench")
@click.argument("runner", default="")
@click.option("--all", "everyone", is_flag=True, help="Call all back who sit out.")
def command(runner: str, everyone: bool) -> None:
    """Let RUNNER serve again at once, whoever sent it to the bench."""
    from mittelo.config.load import load_configuration
    from mittelo.core.mixes import parse_entry
    from mittelo.rally.standing import benched, call_back
    from mittelo.repo.workspace import find_workspace

    if bool(runner) == everyone:
        raise UsageError("Name a runner, or say --all.", "See who sits out: rally routes next")
    workspace = find_workspace()
    workspace.require_init()
    configuration = load_configuration(workspace.paths)
    configuration.warn_of_version()
    out = benched(workspace, time.time())
    if everyone:
        keys = out
    else:
        harness, model = configuration.catalogue.resolve(parse_entry(runner))
        keys = [key for key in out if key == (harness.name, model)]
    call_back(workspace, keys)
    for key in keys:
        say(f"{':'.join(filter(None, key))} is back")
    if not keys:
        say("nobody to call back")
