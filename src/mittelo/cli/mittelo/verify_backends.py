"""`mittelo verify-backends`: look for faults in how we drive agent CLIs."""

from pathlib import Path

import click

from mittelo.cli import proving
from mittelo.cli.connecting import as_json


@click.command("verify-backends")
@click.option("--backend", "names", multiple=True, help="Only these; repeatable.")
@click.option("--strict", is_flag=True, help="Fail for a SKIP, too.")
@proving.run_on_warn
@proving.prompt
@proving.each_seconds
@proving.at_once
@proving.out_dir("reports/verify_cli_drivers")
@proving.real_home
@as_json
@click.pass_context
def command(
    context: click.Context,
    names: tuple[str, ...],
    strict: bool,
    run_on_warn: bool,
    prompt: str,
    timeout_s: float,
    jobs: int,
    out_dir: Path,
    real_home: bool,
    as_json: bool,
) -> None:
    """Try the backends that drive a program of somebody else's; exit 1 if our side is at fault.

    FAIL is a traceback, an empty answer, an error in place of one, a failure though all is set up.
    SKIP is a missing program or login, no network, no quota.
    """
    from mittelo.answering.backends import configuration_here
    from mittelo.cli.mittelo.matrix import show
    from mittelo.cli.steps import progress_line
    from mittelo.proving.circumstances import circumstances
    from mittelo.proving.judging import Mark
    from mittelo.proving.matrix import Survey, choose, drivers, run_matrix
    from mittelo.proving.trial import Asked

    configuration = configuration_here()
    asked = Asked(
        prompt=prompt,
        seconds=timeout_s,
        configuration=configuration,
        cwd=Path.cwd(),
        own_home=not real_home,
        run_on_warn=run_on_warn,
    )
    survey = Survey(
        names=choose(configuration, names, ()) if names else drivers(configuration),
        at_once=jobs,
        base=out_dir,
        folder="verify",
        file="verify.json",
    )
    about = circumstances("verify-backends", context.params, configuration)
    with progress_line() as draw:
        matrix = run_matrix(survey, asked, about, lambda pace: draw(proving.told(pace)))
    show(matrix, as_json=as_json)
    bad = matrix.count(Mark.FAIL) + (matrix.count(Mark.SKIP) if strict else 0)
    context.exit(1 if bad else 0)
