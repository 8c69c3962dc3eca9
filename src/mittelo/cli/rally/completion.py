"""`rally completion`: make the shell complete our commands."""

import click
from click.shell_completion import get_completion_class

from mittelo.cli.output import say


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print a script that makes SHELL complete the words of rally.

    For bash, put this into ~/.bashrc:  eval "$(rally completion bash)"
    """
    kind = get_completion_class(shell)
    root = context.find_root()
    if kind:
        say(kind(root.command, {}, root.info_name or "rally", "_RALLY_COMPLETE").source())
