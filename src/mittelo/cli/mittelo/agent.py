"""`mittelo agent`: a worker."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mittelo.cli.connecting import asks_hub
from mittelo.cli.output import say
from mittelo.cli.policies import keeps_to_policy
from mittelo.cli.working import address_of, new_worker_id, tell
from mittelo.errors import MitteloError

if TYPE_CHECKING:
    from mittelo.answering.backends import Backend

LONGEST_LEASE = 30 * 86400.0


@click.command("agent")
@click.option("--backend", default="echo", show_default=True, help="Who answers.")
@click.option("--shell-cmd", default="", help="The command of the backend shell; prompt on stdin.")
@click.option("--worker-id", help="Its name; made up if not given.")
@click.option(
    "--max-tasks",
    default=1,
    type=click.IntRange(1, 1000),
    show_default=True,
    help="Lease so many at a time, to be run one after the other.",
)
@click.option(
    "--lease-seconds",
    type=click.FloatRange(0, LONGEST_LEASE, min_open=True),
    help="How long a lease lasts unless renewed; the hub's default if not given.",
)
@click.option("--once", is_flag=True, help="Take tasks once, wait for none, and end.")
@click.option("--no-preflight", is_flag=True, help="Do not look whether the backend is ready.")
@click.option("--require-ready", is_flag=True, help="Do not start with doubts about the backend.")
@click.option(
    "--concurrency",
    default=1,
    type=click.IntRange(1, 1000),
    show_default=True,
    help="Run so many tasks side by side.",
)
@click.option(
    "--cwd",
    default=".",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The folder that the backend runs in.",
)
@keeps_to_policy
@click.option("--explain", is_flag=True, help="Say what a run may do and what is started, no more.")
@click.option(
    "--grace-seconds",
    default=10.0,
    type=click.FloatRange(0),
    show_default=True,
    help="How long runs may go on when the worker is told to end.",
)
@click.option("--leashed", is_flag=True, hidden=True, help="End when stdin is closed.")
@asks_hub
@click.pass_context
def command(
    context: click.Context,
    hub: object,
    backend: str,
    shell_cmd: str,
    worker_id: str | None,
    max_tasks: int,
    lease_seconds: float | None,
    once: bool,
    no_preflight: bool,
    require_ready: bool,
    concurrency: int,
    cwd: Path,
    policy: str | None,
    sandbox: bool | None,
    explain: bool,
    grace_seconds: float,
    leashed: bool,
) -> None:
    """Lease tasks of a hub, let a backend answer them, and hand the answers in.

    It goes on until it is told to end (SIGTERM, Ctrl+C): it finishes its runs or gives them back.
    """
    del hub
    from mittelo.answering.backends import configuration_here, find_backend
    from mittelo.answering.preparing import explain as explained
    from mittelo.answering.preparing import require_kept
    from mittelo.answering.run import bounds_of
    from mittelo.config.paths import worker_state
    from mittelo.worker.agent import Agent, Orders

    configuration = configuration_here()
    found = find_backend(backend, configuration, shell_cmd)
    bounds = bounds_of(configuration, policy or "", sandbox=sandbox)
    require_kept(found, bounds.permit, cwd.resolve())
    if explain:
        say(explained(found, bounds.permit, str(cwd.resolve())))
        return
    name = worker_id or new_worker_id()
    if not no_preflight:
        _look(name, backend, found, strict=require_ready)
    orders = Orders(
        worker_id=name,
        max_tasks=max_tasks,
        lease_seconds=lease_seconds,
        once=once,
        concurrency=concurrency,
        cwd=str(cwd.resolve()),
        grace=grace_seconds,
        leashed=leashed,
    )
    address, state = address_of(context), worker_state()
    Agent(address, found, bounds, orders, state, lambda text: tell(f"{name}: {text}")).run()


def _look(worker: str, name: str, backend: "Backend", *, strict: bool) -> None:
    """Say what is missing, and refuse to start where that is needed."""
    from mittelo.answering.backends import Folder
    from mittelo.answering.preflight import Standing, preflight

    found = preflight(name, backend)
    if isinstance(backend, Folder):
        tell(f"{worker}: the backend {name} is {found.used}")
    refused = found.status is Standing.FAIL or (strict and found.status is not Standing.OK)
    if refused:
        said = " ".join([*found.problems, *found.warnings])
        raise MitteloError(f"The backend {name} is not ready: {said}", "Or try --no-preflight.")
    for warning in found.warnings:
        tell(f"{worker}: {name} may fail: {warning}")
