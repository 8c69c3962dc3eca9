"""Keep the leases of a worker alive, four times as often as needed, and hear of their loss."""

import math
import threading
from collections.abc import Callable

from mittelo.answering.run import Run
from mittelo.core.requests import Code, Task
from mittelo.errors import MitteloError
from mittelo.hub.client import HubAwayError, HubError, LeaseLostError
from mittelo.worker.contact import LONGEST_PAUSE, Address, Contact, Line, Pause, is_passing
from mittelo.worker.due import LONGEST_WAIT, Due

TIMES = 4
SHORTEST = 0.02
FALLBACK_SECONDS = 60.0
RETRIES = 8
"""While the hub is away, it is looked for at least so often in the time of a lease."""


class Held:
    """A leased task, and the run that works on it, if it has begun.

    `lost`: it is somebody else's. `cancelled`: nobody wants it any more.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.lost = False
        self.cancelled = False
        self.seconds = _lease_seconds(task)
        self.due = Due(self.seconds / TIMES)
        self.pause = _pause(self.seconds)
        self._run: Run | None = None
        self._lock = threading.Lock()

    @property
    def is_over(self) -> bool:
        """Tell whether its run is to end."""
        return self.lost or self.cancelled

    def begin(self, run: Run) -> bool:
        """Note the run that works on it; tell whether it is still wanted."""
        with self._lock:
            self._run = run
            return not self.is_over

    @property
    def runs(self) -> bool:
        """Tell whether its run is under way."""
        return self._run is not None

    def finish(self) -> None:
        """Note that its run is over."""
        with self._lock:
            self._run = None

    def end(self, *, lost: bool = False, cancelled: bool = False) -> None:
        """End its run for a reason; without one, because the worker ends."""
        with self._lock:
            self.lost = self.lost or lost
            self.cancelled = self.cancelled or cancelled
            if self._run:
                self._run.stop()


class Renewer:
    """Renews from a thread of its own; `fail` hears of what cannot be mended."""

    def __init__(
        self,
        address: Address,
        contact: Contact,
        lease_seconds: float | None,
        fail: Callable[[MitteloError], None],
    ) -> None:
        self._line: Line = address.line()
        self._contact = contact
        self._lease_seconds = lease_seconds
        self._fail = fail
        self._held: dict[int, Held] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._wakes = math.inf
        self._thread = threading.Thread(target=self._work, name="renewer", daemon=True)
        self._thread.start()

    def hold(self, task: Task) -> Held:
        """Renew a task from now on."""
        held = Held(task)
        with self._changed:
            self._held[id(held)] = held
            if held.due.steady < self._wakes:
                self._changed.notify()
        return held

    def release(self, held: Held) -> None:
        """Renew a task no more."""
        with self._changed:
            self._held.pop(id(held), None)

    def everything(self) -> list[Held]:
        """Return all that is held."""
        with self._changed:
            return [*self._held.values()]

    def close(self) -> None:
        """Renew nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._line.hang_up()

    def _work(self) -> None:
        while held := self._next():
            try:
                self._renew(held)
            except MitteloError as error:
                self._fail(error)
                return

    def _next(self) -> Held | None:
        """Return what is due, once something is; None in the end."""
        with self._changed:
            while not self._closed:
                first = min(self._held.values(), key=lambda held: held.due.left, default=None)
                if first and not first.due.left:
                    return first
                self._wakes = first.due.steady if first else math.inf
                self._changed.wait(min(first.due.left, LONGEST_WAIT) if first else None)
        return None

    def _renew(self, held: Held) -> None:
        try:
            told = self._line.renew(held.task, self._lease_seconds)
        except LeaseLostError:
            self._forget(held)
        except HubError as error:
            if error.code in {Code.NOT_FOUND, Code.CONFLICT}:
                return self._forget(held)
            if not is_passing(error):
                raise
            held.due = Due(held.pause.take())
        except HubAwayError:
            self._contact.note(away=True)
            held.due = Due(held.pause.take())
        else:
            self._contact.note(away=False)
            held.pause = _pause(held.seconds)
            held.due = Due(held.seconds / TIMES)
            if told.cancel_requested:
                held.end(cancelled=True)
        return None

    def _forget(self, held: Held) -> None:
        self.release(held)
        held.end(lost=True)


def _pause(seconds: float) -> Pause:
    return Pause(min(seconds / RETRIES, LONGEST_PAUSE))


def _lease_seconds(task: Task) -> float:
    """Return how long a lease lasts, by the hub's clock alone."""
    until = task.leased_until
    seconds = until - task.updated_at if until else FALLBACK_SECONDS
    return max(SHORTEST, seconds)
