"""Orders from outside: the signals that stop a relay."""

import queue
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mittelo.core.tries import Event, Stop, StopAsked

_MEANING = {
    signal.SIGINT: Stop.QUIT_NOW,
    signal.SIGTERM: Stop.TERMINATED,
    signal.SIGHUP: Stop.TERMINATED,
}


class Orders:
    """Collects stop signals, and passes them on to the try that is running."""

    def __init__(self) -> None:
        self.stop: Stop | None = None
        self._to: queue.SimpleQueue[Event] | None = None
        self._woken: queue.SimpleQueue[None] = queue.SimpleQueue()

    def is_stopped(self) -> bool:
        """Tell whether a stop was asked for."""
        return self.stop is not None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals for the length of the body.

        A hang-up that `nohup` ignores stays ignored. An interrupt is always heard: shells ignore
        it for what they start in the background, but whoever sends it to us means us.
        """
        nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        heard = [number for number in _MEANING if not (nohup and number == signal.SIGHUP)]
        before = {number: signal.signal(number, self._hear) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def passed_to(self, inbox: queue.SimpleQueue[Event]) -> Iterator[None]:
        """Pass stop signals on to a try, those too that came just before."""
        self._to = inbox
        if self.stop:
            inbox.put(StopAsked(self.stop))
        try:
            yield
        finally:
            self._to = None

    def wait(self, seconds: float) -> None:
        """Wait, unless or until a stop is asked for."""
        deadline = time.monotonic() + seconds
        while not self.stop and (left := deadline - time.monotonic()) > 0:
            try:
                self._woken.get(timeout=left)
            except queue.Empty:
                return

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        self.stop = _MEANING[signal.Signals(number)]
        self._woken.put(None)
        if self._to:
            self._to.put(StopAsked(self.stop))
