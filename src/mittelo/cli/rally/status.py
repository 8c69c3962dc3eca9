"""`rally status`: what is going on, in one screen."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mittelo.cli.output import console, say, show_json

if TYPE_CHECKING:
    from mittelo.core.records import RelayRecord
    from mittelo.rally.status import Status


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="As data.")
def command(as_json: bool) -> None:
    """Show the relay of this repository: how far it is, its last tries, what it used."""
    from mittelo.config.limits import budgets
    from mittelo.config.load import load_configuration
    from mittelo.rally.status import collect
    from mittelo.repo.workspace import find_workspace

    workspace = find_workspace()
    workspace.require_init()
    limits = budgets(load_configuration(workspace.paths).settings.budget)
    status = collect(workspace, limits)
    if as_json:
        return show_json(status)
    _show_relay(status)
    if status.tries:
        _show_tries(status)
    for spent in status.spending:
        done = f"{spent.completed} of {spent.tries} tries completed"
        tokens = f", {spent.tokens.total:,} tokens" if spent.tokens.total else ""
        cost = f", ${spent.cost_usd:.2f}" if spent.cost_usd else ""
        say(f"{spent.runner}: {done}{tokens}{cost}")
    if status.budgets:
        say(f"budgets: {', '.join(map(str, status.budgets))}")
    for out in status.benched:
        until = f"until {out.until}" if out.until else f"until: rally unbench {out.runner}"
        say(f"{out.runner} sits out {until} ({out.why})")
    if status.pending_messages:
        say(f"inbox: {status.pending_messages} waiting (rally inbox list)")
    return None


def _show_relay(status: "Status") -> None:
    from mittelo.core.clipping import one_line
    from mittelo.rally.roster import shown_mix
    from mittelo.rally.view import counted

    relay, holder, active = status.relay, status.running, status.active
    if not relay:
        return say('no relay yet: rally start --iterations 3 "your task"')
    done = f"{relay.completed_iterations}/{relay.target_iterations} runs"
    if status.laps and relay.queue:
        runs = counted(relay.completed_iterations, "run")
        done = f"{runs}, {status.laps.done} of {counted(status.laps.total, 'lap')} done"
    how = f"running (process {holder.pid})" if holder else _ended(relay)
    if holder and status.paused:
        how = f"paused for {_ago(holder.paused_since)} (process {holder.pid}), go on: rally resume"
    say(f"relay {relay.id}: {done} with {shown_mix(relay.agent_mix)}, {how}")
    if active:
        model = f":{active.model}" if active.model else ""
        say(
            f"now: try {active.id}, run {active.run} attempt {active.attempt} with "
            f"{active.agent}{model} for {_ago(active.started_at)}, "
            f"last activity {_age(Path(active.log_path))} ago"
        )
        if active.lap:
            say(f"lap: {active.lap} {one_line(active.lap_title, 200)}")
        say(f"transcript: {active.log_path}")
    return None


def _ended(relay: "RelayRecord") -> str:
    if not relay.ended_at:
        return "unfinished (rally start --resume)"
    why = f": {relay.ended_why}" if relay.ended_why else ""
    return f"{relay.ended_how} {_ago(relay.ended_at)} ago{why}"


def _ago(instant: str) -> str:
    from mittelo.rally.view import duration

    then = datetime.fromisoformat(instant) if instant else datetime.now(UTC)
    return duration(max(0.0, (datetime.now(UTC) - then).total_seconds()))


def _age(path: Path) -> str:
    from mittelo.rally.view import duration

    try:
        return duration(max(0.0, time.time() - path.stat().st_mtime))
    except FileNotFoundError:
        return "—"


def _show_tries(status: "Status") -> None:
    from rich.table import Table

    from mittelo.core.clipping import one_line

    table = Table(box=None, pad_edge=False, expand=True)
    for heading in ("try", "run", "agent", "outcome", "files", "commit"):
        table.add_column(heading, no_wrap=True)
    table.add_column("said", ratio=1, no_wrap=True, overflow="ellipsis")
    for made in status.tries:
        said = made.fail_reason if not made.completed else made.summary
        table.add_row(
            str(made.id),
            f"{made.run_id}.{made.attempt_number}",
            f"{made.agent_type}:{made.model}" if made.model else made.agent_type,
            made.outcome,
            str(len(made.files_changed)),
            made.commit_hash[:7] or "—",
            one_line(said, 200),
        )
    console().print(table)
