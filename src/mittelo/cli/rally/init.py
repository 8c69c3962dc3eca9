"""`rally init`: make this folder ready."""

import click

from mittelo.cli.output import say


@click.group("init", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Make this repository ready for relays, and commit what that takes."""
    if context.invoked_subcommand is None:
        _initialize(tip=True)


@command.command("roles")
@click.option("--user", is_flag=True, help="Write the lanes into your own configuration.")
def roles(user: bool) -> None:
    """Add lanes and texts for default, junior, senior, ui, verify and recovery.

    Each lane has two of the agent CLIs that are installed. What is there already stays.
    """
    _set_up_roles(user=user)


@command.command("all")
@click.option("--user", is_flag=True, help="Write the lanes into your own configuration.")
def everything(user: bool) -> None:
    """Do what `init` and `init roles` do."""
    _initialize(tip=False)
    _set_up_roles(user=user)


def _initialize(*, tip: bool) -> None:
    from mittelo.rally.setup import initialize
    from mittelo.repo.workspace import find_workspace

    for line in initialize(find_workspace(), tip=tip):
        say(line)


def _set_up_roles(*, user: bool) -> None:
    from mittelo.config.edit import file_for
    from mittelo.rally.rolesetup import set_up_roles
    from mittelo.repo.workspace import find_workspace

    workspace = find_workspace()
    workspace.require_init()
    for line in set_up_roles(workspace, file_for(workspace.paths, repo=not user)):
        say(line)
