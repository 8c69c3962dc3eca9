"""Orders to a running relay, by signals, keys and other commands: what is asked for just now."""

import queue
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from mittelo.core.keys import Doing, Order
from mittelo.core.tries import Event, Stop, StopAsked

_SIGNALS = {
    signal.SIGINT: Stop.QUIT_NOW,
    signal.SIGTERM: Stop.TERMINATED,
    signal.SIGHUP: Stop.TERMINATED,
}
_AT_ONCE = {Stop.QUIT_NOW, Stop.TERMINATED}
SHOW_SECONDS = 1.0


class Orders:
    """Collects orders, and passes them on to the try that is running.

    `stop`: the relay is to end. `paused`: no try is to begin until it is resumed.
    """

    def __init__(self) -> None:
        self.stop: Stop | None = None
        self.paused = False
        self._skip = False
        self._held = False
        self._to: queue.SimpleQueue[Event] | None = None
        self._told: Stop | None = None
        self._woken: queue.SimpleQueue[None] = queue.SimpleQueue()

    def is_stopped(self) -> bool:
        """Tell whether a stop was asked for."""
        return self.stop is not None

    @property
    def doing(self) -> Doing:
        """Return what is asked for and not yet done."""
        if self.stop:
            return Doing(Order.STOP if self.stop is Stop.GRACEFUL_STOP else Order.QUIT)
        if self.paused or self._told is Stop.PAUSE:
            return Doing(Order.PAUSE, held=self._held)
        return Doing(Order.SKIP) if self._skip or self._told is Stop.SKIP else Doing()

    def obey(self, order: Order) -> None:
        """Take an order; one to stop is not taken back by a weaker one."""
        match order:
            case Order.QUIT:
                self._stop(Stop.QUIT_NOW)
            case Order.STOP if not self.stop:
                self._stop(Stop.GRACEFUL_STOP)
            case Order.PAUSE if not self.stop:
                self.paused = True
                self._tell(Stop.PAUSE)
            case Order.RESUME:
                self.resume()
            case Order.SKIP if not (self.stop or self.paused):
                self._skip = not self._to
                self._tell(Stop.SKIP)
            case _:
                return

    def take_skip(self) -> bool:
        """Tell, once, whether what goes on beside a try, such as a wait, is to be skipped."""
        asked, self._skip = self._skip, False
        return asked

    def resume(self) -> None:
        """Go on after a pause."""
        self.paused = False
        self.wake()

    def wake(self) -> None:
        """End a wait, as there is something new to show or to do."""
        self._woken.put(None)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals for the length of the body.

        A hang-up that `nohup` ignores stays ignored. An interrupt is always heard: shells ignore
        it for what they start in the background, but whoever sends it to us means us.
        """
        nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        heard = [number for number in _SIGNALS if not (nohup and number == signal.SIGHUP)]
        before = {number: signal.signal(number, self._hear) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def passed_to(self, inbox: queue.SimpleQueue[Event]) -> Iterator[None]:
        """Pass orders on to a try, those too that came just before."""
        self._to, self._told = inbox, None
        if before := self.stop or (Stop.PAUSE if self.paused else None):
            self._tell(before)
        elif self.take_skip():
            self._tell(Stop.SKIP)
        try:
            yield
        finally:
            self._to = self._told = None

    def wait(self, seconds: float) -> None:
        """Wait, unless or until there is a new order or something new to show."""
        if self.stop:
            return
        try:
            self._woken.get(timeout=seconds)
            while True:
                self._woken.get_nowait()
        except queue.Empty:
            return

    def hold(self, show: Callable[[], None]) -> None:
        """Block while the relay is paused and not stopped, showing so every now and then."""
        self._held = True
        try:
            while self.paused and not self.stop:
                show()
                self.wait(SHOW_SECONDS)
        finally:
            self._held = False

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        self._stop(_SIGNALS[signal.Signals(number)])

    def _stop(self, why: Stop) -> None:
        self.stop = why
        self._tell(why)

    def _tell(self, why: Stop) -> None:
        """Let the running try end. Told again, it ends at once: only those who want that may."""
        self.wake()
        if self._to and (why in _AT_ONCE or not self._told):
            self._told = why
            self._to.put(StopAsked(why))
