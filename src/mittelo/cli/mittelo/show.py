"""`mittelo show`: all of one task."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from mittelo.cli.connecting import as_json, asks_hub
from mittelo.cli.output import pour, say, show_json
from mittelo.core.clipping import one_line, printable
from mittelo.errors import MitteloError, UsageError

if TYPE_CHECKING:
    from mittelo.core.requests import Task
    from mittelo.core.tasks import Attempt
    from mittelo.hub.client import HubClient

LONGEST = 1000


@click.command("show")
@click.argument("task_id", metavar="ID", type=click.IntRange(1, 2**53))
@click.option("--result", "only_result", is_flag=True, help="Only the result, as it is.")
@as_json
@asks_hub
def command(hub: "HubClient", task_id: int, only_result: bool, as_json: bool) -> None:
    """Show a task: its prompt, its result or error, and each attempt at it.

    With --result the bytes of the result and nothing else; a terminal is spared control characters.
    """
    if only_result and as_json:
        raise UsageError("--result and --json cannot be given together.", "Give one of them.")
    task = hub.get(task_id)
    if as_json:
        return show_json(task)
    if only_result:
        return _show_result(task)
    for name, value in _facts(task):
        say(f"{name:<10}{one_line(value, LONGEST)}")
    for attempt in task.attempts:
        say(_told(attempt))
    for name, text in (("prompt", task.prompt), ("result", task.result), ("error", task.error)):
        if text is not None:
            _show_text(name, text)
    return None


def _show_result(task: "Task") -> None:
    if task.result is None:
        raise MitteloError(
            f"Task {task.task_id} is {task.status} and has no result.",
            f"Look at it with: mittelo show {task.task_id}",
        )
    pour(task.result)


def _facts(task: "Task") -> Iterator[tuple[str, str]]:
    """Yield what there is to tell of a task in one line each."""
    from mittelo.cli.table import age, clock

    asked = " (its worker is asked to end it)" if task.cancel_requested else ""
    yield f"task {task.task_id}", f"{task.status}{asked}"
    yield "created", f"{clock(task.created_at)} ({age(task.created_at)} ago)"
    yield "changed", f"{clock(task.updated_at)} ({age(task.updated_at)} ago)"
    later = clock(task.not_before) if task.not_before else None
    until = clock(task.leased_until) if task.leased_until else None
    usage = task.usage
    optional = {
        "worker": task.worker_id,
        "leased": until and f"until {until}",
        "attempt": task.max_attempts and f"{task.attempt} of {task.max_attempts}",
        "backend": task.backend,
        "priority": task.priority,
        "tags": ", ".join(task.tags),
        "after": ", ".join(map(str, task.after)),
        "waits for": task.waits_for and f"{task.waits_for} of these",
        "not before": later,
        "timeout": task.timeout_seconds and f"{task.timeout_seconds:g} s",
        "key": task.dedupe_key,
        "owner": task.owner,
        "category": task.category,
        "used": usage and f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out",
        "cost": usage and usage.cost_usd and f"${usage.cost_usd:.4f}",
    }
    yield from ((name, str(value)) for name, value in optional.items() if value)


def _told(attempt: "Attempt") -> str:
    from mittelo.cli.table import clock

    took = f"{attempt.ended - attempt.began:.1f} s"
    who = one_line(attempt.worker_id, LONGEST)
    why = f": {one_line(attempt.error, LONGEST)}" if attempt.error else ""
    began = clock(attempt.began)
    return f"lease {attempt.number}   {attempt.how} by {who}, {began}, took {took}{why}"


def _show_text(name: str, text: str) -> None:
    say(f"\n{name}")
    for line in printable(text).splitlines():
        say(f"  {line}".rstrip())
