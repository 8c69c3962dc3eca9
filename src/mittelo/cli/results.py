"""What came of tasks that have ended, fetched one by one: results may be long."""

from collections.abc import Sequence

from mittelo.cli.output import pour, say, show_json
from mittelo.cli.working import tell
from mittelo.core.clipping import one_line
from mittelo.core.requests import Code, Task
from mittelo.core.tasks import Status
from mittelo.hub.client import HubClient, HubError

LONGEST_ERROR = 1000


def show_results(hub: HubClient, ids: Sequence[int]) -> bool:
    """Print the result of each task in this order, errors on stderr; tell whether all are done."""
    good = True
    for task_id in ids:
        task = _fetch(hub, task_id)
        good &= task is not None and task.status is Status.DONE
        if task:
            _show(task, several=len(ids) > 1)
    return good


def show_facts(hub: HubClient, ids: Sequence[int]) -> bool:
    """Print the tasks as data in this order; tell whether all are done."""
    tasks = [_fetch(hub, task_id) for task_id in ids]
    show_json({"tasks": [task for task in tasks if task]})
    return all(task and task.status is Status.DONE for task in tasks)


def _fetch(hub: HubClient, task_id: int) -> Task | None:
    try:
        return hub.get(task_id)
    except HubError as error:
        if error.code != Code.NOT_FOUND:
            raise
        tell(f"task {task_id}: the hub does not know it any more")
        return None


def _show(task: Task, *, several: bool) -> None:
    if several:
        say(f"== task {task.task_id}: {task.status}")
    if task.result:
        pour(task.result if task.result.endswith("\n") else f"{task.result}\n")
    if task.status is not Status.DONE:
        why = f": {one_line(task.error, LONGEST_ERROR)}" if task.error else ""
        tell(f"task {task.task_id} is {task.status}{why}")
