"""`mittelo cancel`: end tasks."""

from typing import TYPE_CHECKING

import click

from mittelo.cli.connecting import as_json, asks_hub
from mittelo.cli.each import for_each, name_failed, task_ids
from mittelo.cli.output import say, show_json
from mittelo.errors import UsageError

if TYPE_CHECKING:
    from mittelo.core.requests import Cancelled
    from mittelo.hub.client import HubClient


@click.command("cancel")
@task_ids
@as_json
@asks_hub
@click.pass_context
def command(
    context: click.Context, hub: "HubClient", task_ids: tuple[int, ...], as_json: bool
) -> None:
    """Cancel tasks: a queued one ends at once, the worker of a leased one is asked to end it."""
    if not task_ids:
        raise UsageError("No task is named.", "For example: mittelo cancel 12")
    answers, failed = for_each(task_ids, hub.cancel)
    if as_json:
        show_json({"cancelled": _facts(answers), "failed": failed})
    else:
        for task_id, answer in answers.items():
            asked = answer.cancel_requested
            how = "its worker is asked to end it" if asked else f"{answer.status}"
            say(f"task {task_id}: {how}")
    name_failed(failed)
    context.exit(1 if failed else 0)


def _facts(answers: "dict[int, Cancelled]") -> list[dict[str, object]]:
    return [
        {"task_id": task_id, "status": said.status, "cancel_requested": said.cancel_requested}
        for task_id, said in answers.items()
    ]
