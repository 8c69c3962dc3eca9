"""`rally progress`: what an agent tells of its run."""

import click

from mittelo.cli.output import say
from mittelo.errors import UsageError


@click.command("progress")
@click.option("--summary", default="", help="What was done, in a few sentences.")
@click.option("--followup", "followups", multiple=True, help="A next step that you saw.")
@click.option("--complete", is_flag=True, help="The run's task is done (the default).")
@click.option("--handoff", is_flag=True, help="The run stops here; others must go on.")
@click.option("--classification", default="", help="What a recovery run found.")
def command(
    summary: str,
    followups: tuple[str, ...],
    complete: bool,
    handoff: bool,
    classification: str,
) -> None:
    """Record what a run did. Agents call this before they exit."""
    if complete and handoff:
        raise UsageError("--complete and --handoff exclude each other.", "Give one of them.")
    if not summary.strip():
        raise UsageError("There is nothing to record.", 'Say --summary "what you did".')
    from mittelo.rally.progress import Progress, record_progress
    from mittelo.repo.workspace import agents_workspace

    workspace = agents_workspace()
    workspace.require_init()
    progress = Progress(
        summary=_clean(summary),
        followups=[_clean(text) for text in followups],
        classification=_clean(classification),
        handed_off=handoff,
    )
    record = record_progress(workspace, progress)
    say(f"recorded for {record.run_id} in .rally/summary.jsonl")


def _clean(text: str) -> str:
    """Replace bytes that are not UTF-8: a digest is not worth losing for them."""
    return text.encode(errors="surrogateescape").decode(errors="replace")
