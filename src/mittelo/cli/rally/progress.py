"""`rally progress`: what an agent tells of its run."""

import click

from mittelo.cli.output import say
from mittelo.errors import UsageError


@click.command("progress")
@click.option("--summary", default="", help="What was done, in a few sentences.")
@click.option("--followup", "followups", multiple=True, help="A next step that you saw.")
@click.option("--complete", is_flag=True, help="The run's task is done (the default).")
@click.option("--handoff", is_flag=True, help="The run stops here; others must go on.")
@click.option("--wrapup", is_flag=True, help="A handoff if one was begun, else complete.")
@click.option("--classification", default="", help="What a recovery run found.")
@click.option("--record-lap", "laps", multiple=True, help="A lap that the run finished.")
@click.option("--set-handoff", is_flag=True, help="The run is about to hand its lap off.")
def command(
    summary: str,
    followups: tuple[str, ...],
    complete: bool,
    handoff: bool,
    wrapup: bool,
    classification: str,
    laps: tuple[str, ...],
    set_handoff: bool,
) -> None:
    """Record what a run did. Agents call this before they exit."""
    if complete and handoff:
        raise UsageError("--complete and --handoff exclude each other.", "Give one of them.")
    ends, laps = bool(summary.strip()), tuple(filter(str.strip, laps))
    if (complete or handoff or wrapup) and not ends:
        mode = "--complete" if complete else "--handoff" if handoff else "--wrapup"
        raise UsageError(f"{mode} needs a summary.", 'Say --summary "what you did".')
    if not (ends or laps or set_handoff):
        raise UsageError("There is nothing to record.", 'Say --summary "what you did".')
    from mittelo.rally.lapmaking import lap_maker
    from mittelo.rally.progress import Progress, record_laps, record_progress, record_wrapup
    from mittelo.repo.workspace import agents_workspace

    workspace = agents_workspace()
    workspace.require_init()
    if laps or set_handoff:
        record_laps(workspace, [clean(lap) for lap in laps], handoff=set_handoff)
    if not ends:
        say(f"recorded {', '.join(laps) or 'the handoff'}")
        return
    progress = Progress(
        summary=clean(summary),
        followups=[clean(text) for text in followups if text.strip()],
        classification=clean(classification),
        handed_off=handoff,
    )
    if handoff or (wrapup and not complete):
        record = record_wrapup(workspace, progress, lap_maker(workspace))
    else:
        record = record_progress(workspace, progress)
    say(f"recorded for {record.run_id} in .rally/summary.jsonl")


def clean(text: str) -> str:
    """Replace bytes that are not UTF-8: a digest is not worth losing for them."""
    return text.encode(errors="surrogateescape").decode(errors="replace")
