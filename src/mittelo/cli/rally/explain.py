"""`rally explain`: why a try ended as it did."""

import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mittelo.cli.output import say, show_json

if TYPE_CHECKING:
    from mittelo.core.faults import Evidence
    from mittelo.rally.explaining import Explanation, Out

WIDTH = 80
HEADING = 10
SOURCES = {
    "event": "an error event of the CLI",
    "stderr": "the CLI's stderr",
    "session_log": "the CLI's own session log",
    "exit_code": "the exit code",
    "repository": "the repository",
    "ourselves": "what rally saw and did itself",
    "none": "nothing that is known: it is not told apart",
}
ENDED_BY = {
    "quit_now": "the user, at once",
    "graceful_stop": "the user, with a graceful stop",
    "terminated": "a signal to rally",
    "skip": "the user, who skipped the run",
    "pause": "the user, who paused the relay",
    "try_timeout": "rally, as the time of a try was over",
    "run_timeout": "rally, as the time of its run was over",
    "stalled": "rally, as it got nowhere any more",
    "lingered": "rally, as it had finished and did not exit",
    "budget": "rally, as a budget was used up",
}


@click.command("explain")
@click.argument("number", metavar="[TRY]", type=click.IntRange(min=0), default=0)
@click.option("--json", "as_json", is_flag=True, help="As data.")
def command(number: int, as_json: bool) -> None:
    """Tell why TRY ended as it did, what was decided, and where to look; else the newest."""
    from mittelo.config.load import load_configuration
    from mittelo.rally.explaining import explain
    from mittelo.repo.workspace import find_workspace

    workspace = find_workspace()
    workspace.require_init()
    found = explain(workspace, load_configuration(workspace.paths), number)
    if as_json:
        return show_json(found)
    _show("", _title(found))
    say()
    _show("verdict", _verdict(found))
    if found.made.evidence:
        _show("evidence", _evidence(found.made.evidence, found.quota_scope))
    _show("ended", [_ended(found)])
    _show("decided", [found.made.decided or "nothing is recorded"])
    _show("now", _now(found))
    say()
    return _show_look(found)


def _show(heading: str, lines: "list[str] | Iterator[str]") -> None:
    """Write lines beside a heading, in 80 columns; a word is never cut."""
    start = heading
    for line in lines:
        indent = HEADING if heading else 0
        for part in textwrap.wrap(
            line, WIDTH - indent, break_long_words=False, break_on_hyphens=False
        ):
            say(f"{start:<{indent}}{part}")
            start = ""


def _title(found: "Explanation") -> Iterator[str]:
    from mittelo.rally.view import duration

    made = found.made
    said = f": {found.label}" if found.label else ""
    yield f"Try {made.id}: {made.outcome}{said}"
    model = made.resolved_model
    who = found.runner + (f" ({model})" if model and model != made.model else "")
    effort = f", effort {made.effort}" if made.effort else ""
    role = f" as {made.role}" if made.role else ""
    yield f"{who}{effort}{role}, run {made.run_id} attempt {made.attempt_number} of relay " + str(
        made.relay_id
    )
    if made.lap_id:
        done = f", finished {', '.join(made.laps_completed)}" if made.laps_completed else ""
        made_laps = f", made {', '.join(made.created_laps)}" if made.created_laps else ""
        mess = ", left changes uncommitted" if made.dirty_handoff else ""
        yield f"worked lap {made.lap_id} ({made.lap_title}){done}{made_laps}{mess}"
    yield f"began {_clock(made.started_at)}, took {duration(made.runtime_ms / 1000)}"


def _verdict(found: "Explanation") -> Iterator[str]:
    from mittelo.core.clipping import one_line

    made = found.made
    category = f", category {made.category} ({found.label})" if made.category else ""
    yield f"{made.outcome}{category}"
    if made.fail_reason:
        yield one_line(made.fail_reason, 600)


def _evidence(evidence: "Evidence", scope: str) -> Iterator[str]:
    from mittelo.core.clipping import one_line

    status = f", HTTP {evidence.status}" if evidence.status else ""
    yield f"from {SOURCES.get(evidence.source, evidence.source)}{status}"
    signal, message = one_line(evidence.signal, 600), one_line(evidence.message, 600)
    if signal:
        yield f"line: {signal}"
    if message and message != signal:
        yield f"says: {message}"
    if evidence.resets:
        when = datetime.fromtimestamp(evidence.resets, UTC)
        yield f"resets {_clock(when.isoformat())}"
    if scope:
        yield f"concerns all runners of the quota {scope}"


def _ended(found: "Explanation") -> str:
    made = found.made
    code = made.exit_code
    if code is None:
        how = "no exit code is known"
    else:
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
    by = made.ended_by or made.cancellation_source
    if by:
        return f"{how}, ended by {ENDED_BY.get(by, by)}"
    return f"{how}, it ended by itself" if code is not None else how


def _now(found: "Explanation") -> Iterator[str]:
    made, follows = found.made, found.follows
    for out in follows.out:
        yield _sits_out(out)
    if not any(out.runner == found.runner for out in follows.out):
        yield f"{found.runner} may serve: it does not sit out"
    later = f", went on with try {follows.next_try}" if follows.next_try else ""
    of = f"attempt {follows.attempt} of {max(follows.attempt, follows.attempts)}"
    yield f"run {made.run_id} is {follows.run}: this was {of}{later}"
    done = f"{follows.relay_done} of {follows.relay_target} runs done"
    resume = ", go on: rally start --resume" if follows.relay in {"unfinished", "failed"} else ""
    yield f"relay {made.relay_id} is {follows.relay}, {done}{resume}"


def _sits_out(out: "Out") -> str:
    until = f"until {_clock(out.until)}" if out.until else f"until: rally unbench {out.runner}"
    return f"{out.runner} sits out {until} ({out.why})"


def _clock(instant: str) -> str:
    """Return an instant in the zone of this machine, to the minute."""
    from mittelo.config.zone import local_zone

    try:
        at = datetime.fromisoformat(instant).astimezone(local_zone())
    except ValueError:
        return "at a time that is not known"
    return at.strftime("%Y-%m-%d %H:%M %Z")


def _show_look(found: "Explanation") -> None:
    """Write where more is to be seen; files of one folder stand together, as paths are long."""
    say(f"look: rally tail --try {found.made.id}, and the files")
    folder = ""
    for trail in found.look:
        path = Path(trail.path)
        if str(path.parent) != folder:
            folder = str(path.parent)
            say(f"in {folder}")
        gone = "" if trail.exists else " (gone)"
        say(f"  {trail.what:<12} {path.name}{gone}")
