"""`mittelo retry`: queue tasks again that failed."""

from typing import TYPE_CHECKING

import click

from mittelo.cli.connecting import as_json, asks_hub
from mittelo.cli.each import for_each, name_failed, task_ids
from mittelo.cli.output import say, show_json

if TYPE_CHECKING:
    from mittelo.hub.client import HubClient


@click.command("retry")
@task_ids
@as_json
@asks_hub
@click.pass_context
def command(
    context: click.Context, hub: "HubClient", task_ids: tuple[int, ...], as_json: bool
) -> None:
    """Queue tasks again that failed or were cancelled; without ids, all that failed."""
    if not task_ids:
        count = hub.retry_failed()
        show_json({"retried": count}) if as_json else _say(count)
        return
    retried, failed = for_each(task_ids, hub.retry)
    if as_json:
        facts = {"retried": len(retried), "task_ids": [*retried], "failed": failed}
        show_json(facts)
    else:
        _say(len(retried))
    name_failed(failed)
    context.exit(1 if failed else 0)


def _say(count: int) -> None:
    say(f"Retried {count} tasks.")
