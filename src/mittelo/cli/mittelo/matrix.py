"""`mittelo matrix`: try all backends."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mittelo.cli import proving
from mittelo.cli.connecting import as_json
from mittelo.cli.output import say, show_json

if TYPE_CHECKING:
    from mittelo.proving.matrix import Matrix


@click.command("matrix")
@click.option("--include", multiple=True, help="Only these backends; repeatable.")
@click.option("--exclude", multiple=True, help="Not these; repeatable.")
@proving.run_on_warn
@proving.prompt
@proving.each_seconds
@proving.at_once
@proving.out_dir("reports/e2e")
@proving.shell_cmd
@proving.real_home
@as_json
@click.pass_context
def command(
    context: click.Context,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    run_on_warn: bool,
    prompt: str,
    timeout_s: float,
    jobs: int,
    out_dir: Path,
    shell_cmd: str,
    real_home: bool,
    as_json: bool,
) -> None:
    """Try every backend that is ready here; exit 1 if one of them FAILs.

    SKIP means that something of this machine is missing: a program, a login, the network, quota.
    """
    from mittelo.answering.backends import configuration_here
    from mittelo.cli.steps import progress_line
    from mittelo.proving.circumstances import circumstances
    from mittelo.proving.judging import Mark
    from mittelo.proving.matrix import Survey, choose, run_matrix
    from mittelo.proving.trial import Asked

    configuration = configuration_here()
    asked = Asked(
        prompt=prompt,
        seconds=timeout_s,
        configuration=configuration,
        cwd=Path.cwd(),
        shell_cmd=shell_cmd,
        own_home=not real_home,
        run_on_warn=run_on_warn,
    )
    survey = Survey(
        names=choose(configuration, include, exclude),
        at_once=jobs,
        base=out_dir,
        folder="matrix",
        file="matrix.json",
    )
    about = circumstances("matrix", context.params, configuration)
    with progress_line() as draw:
        matrix = run_matrix(survey, asked, about, lambda pace: draw(proving.told(pace)))
    show(matrix, as_json=as_json)
    context.exit(1 if matrix.count(Mark.FAIL) else 0)


def show(matrix: "Matrix", *, as_json: bool) -> None:
    """Show what a matrix came to."""
    from mittelo.core.clipping import one_line

    if as_json:
        return show_json({"folder": str(matrix.folder), "results": matrix.rows})
    for row in matrix.rows:
        say(f"{row.verdict:<5} {row.backend:<15} {one_line(row.reason, 400)}".rstrip())
    return say(str(matrix.folder))
