"""What commands do to each of several tasks: all are tried, and those that failed are named."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import click
from msgspec import Struct

from mittelo.cli.working import tell
from mittelo.core.clipping import one_line
from mittelo.hub.client import HubError

T = TypeVar("T")
task_ids = click.argument("task_ids", nargs=-1, metavar="ID...", type=click.IntRange(1, 2**53))


class Failed(Struct, frozen=True):
    """A task that could not be served, and why."""

    task_id: int
    code: str
    message: str


def for_each(ids: Sequence[int], act: Callable[[int], T]) -> tuple[dict[int, T], list[Failed]]:
    """Do something to each task; return the answers, and what failed."""
    answers: dict[int, T] = {}
    failed = []
    for task_id in dict.fromkeys(ids):
        try:
            answers[task_id] = act(task_id)
        except HubError as error:
            failed.append(Failed(task_id, error.code, error.what))
    return answers, failed


def name_failed(failed: Sequence[Failed]) -> None:
    """Say which tasks failed, and why."""
    for one in failed:
        tell(f"task {one.task_id}: {one_line(one.message, 500)}")
