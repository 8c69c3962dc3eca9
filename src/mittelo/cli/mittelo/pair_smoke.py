"""`mittelo pair-smoke`: a hub, two workers, a few tasks."""

from pathlib import Path

import click

from mittelo.cli import proving
from mittelo.cli.connecting import as_json
from mittelo.cli.output import say, show_json


@click.command("pair-smoke")
@click.option("--backend-a", default="echo", show_default=True, help="Of the first worker.")
@click.option("--backend-b", default="echo", show_default=True, help="Of the second worker.")
@click.option(
    "--tasks",
    default=6,
    type=click.IntRange(1, 500),
    show_default=True,
    help="So many in all, in turn for each backend.",
)
@click.option(
    "--timeout-s",
    default=15.0,
    type=click.FloatRange(0, min_open=True),
    show_default=True,
    help="All tasks are done within this.",
)
@click.option(
    "--lease-seconds",
    default=5.0,
    type=click.FloatRange(0, min_open=True),
    show_default=True,
    help="How long a lease lasts unless renewed.",
)
@click.option("--db", default=":memory:", show_default=True, help="The queue of the hub.")
@proving.prompt
@proving.out_dir("reports/swarm")
@proving.shell_cmd
@proving.real_home
@as_json
@click.pass_context
def command(
    context: click.Context,
    backend_a: str,
    backend_b: str,
    tasks: int,
    timeout_s: float,
    lease_seconds: float,
    db: str,
    prompt: str,
    out_dir: Path,
    shell_cmd: str,
    real_home: bool,
    as_json: bool,
) -> None:
    """Start a hub and a worker of each backend, and let them do tasks; exit 0 if all are done.

    Where localhost cannot be used, that is put on record as SKIPPED, with exit code 0. Nothing that
    was started outlives this command.
    """
    from mittelo.answering.backends import configuration_here
    from mittelo.cli.steps import progress_line
    from mittelo.core.clipping import one_line
    from mittelo.proving.circumstances import circumstances
    from mittelo.proving.doctor import examine_pair
    from mittelo.proving.lock import load_lock
    from mittelo.proving.pair import Pair, Smoke

    configuration = configuration_here()
    smoke = Smoke(
        backends=(backend_a, backend_b),
        tasks=tasks,
        seconds=timeout_s,
        lease_seconds=lease_seconds,
        db=db,
        prompt=prompt,
        configuration=configuration,
        cwd=Path.cwd(),
        shell_cmd=shell_cmd,
        own_home=not real_home,
    )
    pair = Pair(smoke, out_dir, circumstances("pair-smoke", context.params, configuration))
    with progress_line() as draw:
        result = pair.run(
            lambda: examine_pair(configuration, load_lock(), (backend_a, backend_b)), draw
        )
    if as_json:
        show_json(result)
    else:
        reason = f": {one_line(result.reason, 400)}" if result.reason else ""
        say(f"{result.status} {backend_a} + {backend_b} ({result.elapsed_ms / 1000:.1f} s){reason}")
        say(str(pair.path))
    context.exit(result.status.exit_code)
