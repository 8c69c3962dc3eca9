"""Follow tasks to their end by the events of the hub, however often that is restarted meanwhile."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from mittelo.cli.working import tell
from mittelo.core.requests import MAX_EVENTS, Code, Event
from mittelo.hub.client import HubAwayError, HubClient, HubError

POLL_SECONDS = 60.0
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Between looks for a hub that is away; the last one again and again."""

GONE = "gone"
"""Stands for the status of a task that the hub does not know any more."""


class Awaited:
    """Tasks that somebody waits for: which are open, and how the others ended."""

    def __init__(self, ids: Iterable[int]) -> None:
        self.open = set(ids)
        self.ended: dict[int, str] = {}

    @property
    def failed(self) -> int:
        """Return how many ended otherwise than well."""
        return sum(status != "done" for status in self.ended.values())

    def end(self, task_id: int, status: str) -> None:
        """Note how a task ended."""
        self.open.discard(task_id)
        self.ended[task_id] = status

    def note(self, event: Event) -> None:
        """Take what happened to a task; one that ended may be retried by somebody."""
        if event.task_id not in self.open and event.task_id not in self.ended:
            return
        if event.status.ended:
            self.end(event.task_id, event.status)
        elif event.kind == "retried":
            self.ended.pop(event.task_id, None)
            self.open.add(event.task_id)


Draw = Callable[[Awaited], None]


def follow(hub: HubClient, awaited: Awaited, after: int, draw: Draw) -> None:
    """Wait until all tasks have ended; `after` is the number of an event before them."""
    away = 0
    while awaited.open:
        try:
            found = hub.events(after, limit=MAX_EVENTS, wait_seconds=POLL_SECONDS)
            if found.missed:
                look(hub, awaited)
        except (HubAwayError, HubError) as error:
            if isinstance(error, HubError) and error.code != Code.UNAVAILABLE:
                raise
            if not away:
                tell("The hub is away; the tasks are waited for until it is back.")
            time.sleep(PAUSES[min(away, len(PAUSES) - 1)])
            away += 1
            continue
        away = 0
        after = found.next
        for event in found.events:
            awaited.note(event)
        draw(awaited)


def look(hub: HubClient, awaited: Awaited) -> None:
    """Look at every open task itself."""
    for task_id in [*awaited.open]:
        try:
            task = hub.get(task_id)
        except HubError as error:
            if error.code != Code.NOT_FOUND:
                raise
            awaited.end(task_id, GONE)
        else:
            if task.status.ended:
                awaited.end(task_id, task.status)


@contextmanager
def progress(total: int) -> Iterator[Draw]:
    """Draw a bar on stderr while tasks are waited for, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _awaited: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    bar = Progress(*columns, TimeElapsedColumn(), console=Console(file=sys.stderr), transient=True)
    with bar:
        drawn = bar.add_task("", total=total)

        def draw(awaited: Awaited) -> None:
            failed = f"{awaited.failed} not done" if awaited.failed else ""
            bar.update(drawn, completed=len(awaited.ended), description=failed)

        yield draw
