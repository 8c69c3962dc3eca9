"""`mittelo doctor`: whether this machine has what is needed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from mittelo.cli.connecting import as_json
from mittelo.cli.output import say, show_json

if TYPE_CHECKING:
    from mittelo.proving.checks import Check


@click.command("doctor")
@click.option("--core", is_flag=True, help="Only what mittelo itself needs; no agent CLIs.")
@click.option("--need", "needed", multiple=True, help="Fail unless this CLI is here; repeatable.")
@as_json
@click.pass_context
def command(context: click.Context, core: bool, needed: tuple[str, ...], as_json: bool) -> None:
    """Look at Python, git, every agent CLI, localhost, folders and the disk; exit 0 if all is well.

    A CLI that is not installed is no fault unless --need asks for it. A login that is not seen, and
    a version that is not the one in the lock, are told of as warnings.
    """
    from mittelo.answering.backends import configuration_here
    from mittelo.proving.doctor import examine
    from mittelo.proving.lock import load_lock

    clis = () if core else None
    found = examine(configuration_here(), load_lock(), clis=clis, needed=needed)
    if as_json:
        show_json(found)
    else:
        for check in found.checks:
            for line in _lines(check):
                say(line)
        for name, value in found.env_model_vars.items():
            if value is not None:
                say(f"      {name}={value}")
        say("All is well." if found.ok else "Something is wrong: see FAIL above.")
    context.exit(0 if found.ok else 1)


def _lines(check: "Check") -> Iterator[str]:
    from mittelo.core.clipping import one_line

    away = check.which is None and not check.needed
    mark = "FAIL" if not check.ok else "warn" if check.warnings else "-" if away else "ok"
    told = "not installed" if away else f"{check.version:<10} {check.which or check.detail}"
    yield f"{mark:<5} {check.name:<15} {told}".rstrip()
    for text in [*check.problems, *check.warnings]:
        yield f"      {one_line(text, 400)}"
