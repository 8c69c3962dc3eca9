"""`version`: which mittelo this is."""

import click

from mittelo.version import version


@click.command("version")
@click.pass_context
def command(context: click.Context) -> None:
    """Show the version."""
    parent = context.parent
    click.echo(f"{parent.info_name if parent else 'mittelo'} {version()}")
