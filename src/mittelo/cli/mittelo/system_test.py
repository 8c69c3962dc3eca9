"""`mittelo system-test`: try one backend, and keep what came of it."""

from pathlib import Path

import click

from mittelo.cli import proving
from mittelo.cli.connecting import as_json
from mittelo.cli.output import say, show_json


@click.command("system-test")
@click.option("--backend", required=True, help="Which one.")
@proving.prompt
@proving.each_seconds
@proving.out_dir("reports/e2e")
@proving.shell_cmd
@proving.real_home
@as_json
@click.pass_context
def command(
    context: click.Context,
    backend: str,
    prompt: str,
    timeout_s: float,
    out_dir: Path,
    shell_cmd: str,
    real_home: bool,
    as_json: bool,
) -> None:
    """Let a backend answer one prompt; exit 0 if it does.

    What came of it is in run.json, result.json and summary.md of a new folder, also if the backend
    is missing, fails or is interrupted. What it starts has its home in there.
    """
    from mittelo.answering.backends import configuration_here
    from mittelo.cli.steps import progress_line
    from mittelo.core.clipping import one_line
    from mittelo.proving.circumstances import circumstances
    from mittelo.proving.system_test import run_system_test
    from mittelo.proving.trial import Asked

    configuration = configuration_here()
    asked = Asked(
        prompt=prompt,
        seconds=timeout_s,
        configuration=configuration,
        cwd=Path.cwd(),
        shell_cmd=shell_cmd,
        own_home=not real_home,
        run_on_warn=True,
    )
    about = circumstances("system-test", context.params, configuration)
    with progress_line() as draw:
        result, folder = run_system_test(
            backend, out_dir, asked, about, lambda pace: draw(proving.told(pace))
        )
    if as_json:
        show_json(result)
    else:
        reason = f": {one_line(result.reason, 400)}" if result.reason else ""
        say(f"{result.verdict} {backend} ({result.latency_ms / 1000:.1f} s){reason}")
        say(str(folder))
    context.exit(0 if result.ok else 1)
