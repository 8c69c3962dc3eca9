"""`mittelo backend-check`: whether a backend can answer here."""

import click

from mittelo.cli.connecting import as_json
from mittelo.cli.output import say, show_json

VERSION_SECONDS = 2.0


@click.command("backend-check")
@click.option("--backend", required=True, help="Which one.")
@as_json
@click.pass_context
def command(context: click.Context, backend: str, as_json: bool) -> None:
    """Look whether a backend has what it needs; exit 0 only if nothing is missing.

    A version that is not the one in the lock is told of, and is no reason to exit with 1.
    """
    from mittelo.answering.backends import configuration_here, find_backend
    from mittelo.answering.preflight import Standing
    from mittelo.proving.readiness import look

    # what the shell will run is said when it runs
    shell_cmd = "true"
    found = look(
        backend, find_backend(backend, configuration_here(), shell_cmd), seconds=VERSION_SECONDS
    )
    if as_json:
        show_json(found)
    else:
        say(f"{backend}: {found.status} ({found.used})")
        for line in [*found.problems, *found.warnings]:
            say(f"  {line}")
    context.exit(0 if found.status is Standing.OK else 1)
