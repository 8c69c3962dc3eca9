"""`rally bench`: let a runner sit out."""

import re
import time

import click

from mittelo.cli.output import say
from mittelo.errors import UsageError

LONGEST = 366 * 86400
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@click.command("bench")
@click.argument("runner")
@click.option("--for", "length", default="", help="How long: 90m, 3h, 2d. Without, until unbench.")
@click.option("--why", default="benched by the user", help="The reason, for those who look.")
def command(length: str, runner: str, why: str) -> None:
    """Let RUNNER (cc, cx:gpt-5.5) serve no run until its time is over or you call it back.

    A relay that is running keeps to it from its next try on.
    """
    from mittelo.config.load import load_configuration
    from mittelo.core.mixes import parse_entry
    from mittelo.rally.roster import everyone
    from mittelo.rally.standing import bench
    from mittelo.repo.workspace import find_workspace

    workspace = find_workspace()
    workspace.require_init()
    configuration = load_configuration(workspace.paths)
    configuration.warn_of_version()
    spec = parse_entry(runner)
    if spec.quota:
        raise UsageError(f"{runner!r} has a count, which means nothing here.", "Leave it out.")
    harness, model = configuration.catalogue.resolve(spec)
    until = time.time() + _seconds(length) if length else None
    bench(workspace, [(harness.name, model)], until, why)
    name = f"{harness.name}:{model}" if model else harness.name
    named = everyone(configuration)
    if named and (harness.name, model) not in named:
        others = [":".join(key) for key in named if key[0] == harness.name]
        hint = f"; they name {', '.join(others)}" if others else ""
        click.echo(f"warning: no route names {name}{hint}.", err=True)
    how_long = f"for {length}" if length else f"until: rally unbench {runner}"
    say(f"{name} sits out {how_long}")


def _seconds(length: str) -> float:
    """Return the seconds of lengths such as `90m` or `1h30m`."""
    parts = re.findall(r"(\d{1,12})([smhd])", length)
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != length:
        raise UsageError(f"{length!r} is no length of time.", "Write 90m, 3h, 2d or 1h30m.")
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in parts)
    if seconds > LONGEST:
        raise UsageError(f"{length!r} is more than a year.", "Leave --for out.")
    return float(seconds)
