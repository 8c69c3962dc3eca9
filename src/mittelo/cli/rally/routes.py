"""`rally routes`: whether the routes will do, and who runs next."""

from typing import TYPE_CHECKING

import click

from mittelo.cli.output import say, show_json
from mittelo.errors import MitteloError

if TYPE_CHECKING:
    from mittelo.rally.checking import Report, RunnerReport
    from mittelo.rally.nexts import Next


@click.group("routes")
def command() -> None:
    """Check the routes, and tell who runs next."""


@command.command("check")
@click.option("--json", "as_json", is_flag=True, help="As data.")
@click.pass_context
def check(context: click.Context, as_json: bool) -> None:
    """Check lanes, runners, providers and roles; exit code 1 when something is wrong."""
    from mittelo.config.load import load_configuration
    from mittelo.rally.checking import check_routes
    from mittelo.repo.workspace import find_workspace

    workspace = find_workspace()
    report = check_routes(workspace, load_configuration(workspace.paths))
    if as_json:
        show_json(report)
    else:
        _show(report)
        for error in report.errors:
            click.echo(f"error: {error}", err=True)
    if report.errors:
        context.exit(MitteloError.exit_code)


def _show(report: "Report") -> None:
    from mittelo.rally.view import counted

    say("routes check summary:")
    for lane in report.lanes:
        say(f"- {lane.name}: {_entries(len(lane.entries))}")
        for entry in lane.entries:
            say(f"    {_resolved(entry)}")
    for name in report.broken:
        say(f"- {name}: broken")
    if not report.lanes and not report.broken:
        say("- no routes declared")
    if report.providers:
        say("providers:")
    for provider in report.providers:
        disabled = " [disabled]" if provider.disabled else ""
        say(f"- {provider.name}: {counted(len(provider.members), 'model')}{disabled}")
        say(f"    {', '.join(provider.members)}")
    say("roles:")
    for role in report.roles:
        say(f"- {role.name}: about {counted(role.tokens, 'token')}, {role.source}")
    for title, lines in (
        ("warning", report.warnings),
        ("info", report.infos),
        ("advice", report.advisories),
    ):
        for line in lines:
            say(f"{title}: {line}")


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _resolved(entry: "RunnerReport") -> str:
    model = entry.model or "(its own choice of model)"
    effort = f", effort {entry.effort}" if entry.effort else ""
    runs = f", {entry.quota} in a row" if entry.quota else ", until it fails"
    missing = "" if entry.installed else ", not installed"
    disabled = ", disabled" if entry.disabled else ""
    return f"{entry.entry} = {entry.harness} {model}{effort}{runs}{missing}{disabled}"


@command.command("next")
@click.option("--role", default="", help="As a new relay would for this role.")
@click.option("--json", "as_json", is_flag=True, help="As data.")
def next_(role: str, as_json: bool) -> None:
    """Tell who serves the next run of the unfinished relay, else of a new one, and why."""
    from mittelo.config.load import load_configuration
    from mittelo.rally.nexts import find_next
    from mittelo.rally.roster import Wanted
    from mittelo.repo.workspace import find_workspace

    workspace = find_workspace()
    configuration = load_configuration(workspace.paths)
    configuration.warn_of_version()
    found = find_next(workspace, configuration, Wanted(role))
    if as_json:
        show_json(found)
    else:
        _show_next(found)


def _show_next(found: "Next") -> None:
    relay = f"relay {found.relay}, run {found.run}" if found.relay else "a new relay"
    lap = f", lap {found.lap}" if found.lap else ""
    say(f"{relay}{lap}: {found.runner or 'nobody'} ({found.why})")
    say(f"lane {found.lane}, from {found.mix}:")
    for one in found.candidates:
        sign = "→" if one.state == "next" else " "
        until = f" until {one.until}" if one.until else ""
        why = f": {one.why}" if one.why else ""
        entry = f" (from {one.entry})" if one.entry.partition(" ")[0] != one.runner else ""
        quota = f" × {one.quota}" if one.quota and not entry else ""
        say(f"{sign} {one.runner}{quota}{entry}  {one.state}{until}{why}")
