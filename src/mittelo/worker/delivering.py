"""Hand results in, as often as it takes, and bring what earlier workers left undelivered."""

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

from msgspec import UNSET
from msgspec.structs import replace

from mittelo.answering.texts import shortened
from mittelo.core.requests import Ack, Acked, Code, Lease, Task
from mittelo.errors import MitteloError
from mittelo.hub.client import HubError
from mittelo.worker.contact import Contact, Line, Pause, is_passing
from mittelo.worker.outbox import Outbox

_FOR_GOOD = {Code.LEASE_LOST, Code.CONFLICT, Code.NOT_FOUND, Code.BAD_REQUEST}
SMALL_BYTES = 32 * 1024
"""What is left of a result that a hub finds too large; every hub takes that."""


class Courier:
    """Delivers results, for all threads of a worker.

    While the hub is away, those of others wait until `stopping` is set, our own until `hurry` is.
    """

    def __init__(
        self,
        outbox: Outbox,
        contact: Contact,
        stopping: threading.Event,
        hurry: threading.Event,
        say: Callable[[str], None],
    ) -> None:
        self._outbox = outbox
        self._contact = contact
        self._stopping = stopping
        self._hurry = hurry
        self._say = say

    def hand_in(self, line: Line, ack: Ack, following: Lease | None) -> list[Task]:
        """Put a result on disk and deliver it; return the next tasks that came for it."""
        path = None
        try:
            path = self._outbox.add(ack)
        except OSError as error:
            self._say(f"task {ack.task_id}: its result is not on disk ({error.strerror})")
        return self._deliver(line, ack, path, following, self._hurry)

    def bring_abandoned(self, line: Line) -> None:
        """Deliver what workers left that are gone."""
        for path, ack in self._outbox.abandoned():
            if self._stopping.is_set():
                return
            self._deliver(line, ack, path, None, self._stopping)
            if not path.exists():
                self._say(f"task {ack.task_id}: the result of an earlier worker is handed in")

    def give_back(self, line: Line, task: Task) -> None:
        """Give back a task that was not finished; if the hub is away, its lease will expire."""
        ack = Ack(task_id=task.task_id, lease_id=task.lease_id, status="released")
        with contextlib.suppress(HubError):
            try:
                line.call(ack, Acked)
            except MitteloError as error:
                if not is_passing(error):
                    raise

    def _deliver(
        self,
        line: Line,
        ack: Ack,
        path: Path | None,
        following: Lease | None,
        enough: threading.Event,
    ) -> list[Task]:
        pause = Pause()
        while True:
            try:
                acked = line.call(replace(ack, lease=following), Acked)
            except MitteloError as error:
                following = None  # the tasks of a reply that was lost are not asked for twice
                code = error.code if isinstance(error, HubError) else ""
                if code == Code.TOO_LARGE and ack.result and len(ack.result) > SMALL_BYTES:
                    ack = replace(ack, result=shortened(ack.result, SMALL_BYTES))
                elif code in {*_FOR_GOOD, Code.TOO_LARGE}:
                    return self._refused(ack, path, error)
                elif not is_passing(error):
                    raise
                elif not self._try_again(ack, pause, enough):
                    return []
            else:
                self._contact.note(away=False)
                if path:
                    path.unlink(missing_ok=True)
                return [] if acked.tasks is UNSET else acked.tasks

    def _try_again(self, ack: Ack, pause: Pause, enough: threading.Event) -> bool:
        self._contact.note(away=True)
        if enough.wait(pause.take()):
            self._say(f"task {ack.task_id}: its result waits on disk for the next worker")
            return False
        return True

    def _refused(self, ack: Ack, path: Path | None, error: MitteloError) -> list[Task]:
        kept = self._outbox.set_aside(ack, error.what)
        if path:
            path.unlink(missing_ok=True)
        self._say(f"task {ack.task_id}: the hub refuses its result ({error.what}) It is in {kept}")
        return []
