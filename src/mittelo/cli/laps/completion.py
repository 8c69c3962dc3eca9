"""`laps completion`: make the shell complete our commands."""

import click

from mittelo.cli.laps._line import Line
from mittelo.cli.laps._options import laps_command
from mittelo.cli.output import say


@laps_command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, _line: Line, shell: str) -> None:
    """Print a script that makes SHELL complete the words of laps.

    For bash, put this into ~/.bashrc:  eval "$(laps completion bash)"
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind:
        say(kind(context.find_root().command, {}, "laps", "_LAPS_COMPLETE").source())
