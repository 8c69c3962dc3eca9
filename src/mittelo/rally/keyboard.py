"""The keyboard of a running relay: read key by key, and given back as it was found.

While it is read, no key sends a signal: Ctrl+C is a byte like any other, and so is Ctrl+Z, as an
agent would go on by itself while the relay that watches it is suspended. A relay in the background
leaves the keyboard alone, and takes it when it is brought to the foreground.
"""

import atexit
import os
import select
import signal
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from mittelo.core.keys import Armed, legend, press, shown
from mittelo.rally.orders import Orders

LOOK_SECONDS = 0.5
JOIN_SECONDS = 2.0
_TAKEN = termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN
_FLOW = termios.IXON
_IFLAG, _LFLAG, _CC = 0, 3, 6


class Keyboard:
    """Turns keys into orders, while `reading` lasts. It writes nothing: others ask what to show.

    `active`: keys are read. `away`: the terminal is another's, as we are in the background.
    """

    def __init__(self, orders: Orders, stdin: IO[str] | None) -> None:
        self._orders = orders
        self._file = _descriptor(stdin)
        self._armed = Armed()
        self._found: list[Any] = []
        self._ending = threading.Event()
        self.active = False
        self.away = False

    @property
    def words(self) -> str:
        """Return what there is to show of keys and orders just now."""
        return shown(self._armed, time.monotonic(), self._orders.doing)

    def legend(self, width: int) -> str:
        """Return which keys there are; without a keyboard, Ctrl+C is a signal that acts at once."""
        return legend(width, self._orders.doing) if self.active else "[Ctrl+C stop]"

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read keys for the length of the body; then the terminal is as it was."""
        if self._file is None:
            yield
            return
        woken, wake = os.pipe()
        self.away = not _is_ours(self._file)
        thread = threading.Thread(target=self._read, args=(self._file, woken), daemon=True)
        before = signal.signal(signal.SIGCONT, lambda *_: _poke(wake))
        atexit.register(self._give_back)
        thread.start()
        try:
            yield
        finally:
            self._ending.set()
            _poke(wake)
            thread.join(JOIN_SECONDS)
            self._give_back()
            atexit.unregister(self._give_back)
            signal.signal(signal.SIGCONT, before)
            os.close(wake)
            os.close(woken)

    def _read(self, file: int, woken: int) -> None:
        """Read until told to end, or until the terminal is gone."""
        # a read from the background then fails, and does not stop the whole relay
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTIN, signal.SIGTTOU})
        try:
            while not self._ending.is_set():
                self._take(file)
                watched = [woken, file] if self.active else [woken]
                ready, _, _ = select.select(watched, [], [], LOOK_SECONDS)
                if woken in ready:
                    os.read(woken, 64)
                elif file in ready:
                    self._hear(_read_some(file))
        except termios.error:
            return
        finally:
            self._give_back()

    def _hear(self, heard: bytes) -> None:
        if not heard:
            self._ending.wait(LOOK_SECONDS)
            return
        for byte in heard:
            now = time.monotonic()
            self._armed, order = press(self._armed, byte, now, self._orders.doing)
            if order:
                self._orders.obey(order)
        self._orders.wake()

    def _take(self, file: int) -> None:
        """Read key by key from now on, where the terminal is ours and not so already."""
        self.away = not _is_ours(file)
        self.active = not self.away
        if self.away:
            return
        now = termios.tcgetattr(file)
        if not (now[_LFLAG] & _TAKEN or now[_IFLAG] & _FLOW):
            return
        self._found = now
        taken = [*now]
        taken[_LFLAG] &= ~_TAKEN
        taken[_IFLAG] &= ~_FLOW
        taken[_CC] = [*now[_CC]]
        taken[_CC][termios.VMIN] = taken[_CC][termios.VTIME] = 0
        termios.tcsetattr(file, termios.TCSANOW, taken)

    def _give_back(self) -> None:
        """Put the terminal back as it was found, unless it is another's by now."""
        self.active = False
        if self._file is None or not self._found:
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        with suppress(OSError, termios.error):
            if _is_ours(self._file):
                termios.tcsetattr(self._file, termios.TCSANOW, self._found)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _descriptor(stdin: IO[str] | None) -> int | None:
    """Return the descriptor of a terminal, None for anything else."""
    try:
        return stdin.fileno() if stdin and stdin.isatty() else None
    except (OSError, ValueError):
        return None


def _read_some(file: int) -> bytes:
    """Return what was typed; nothing when the terminal was taken from us, or is gone."""
    try:
        return os.read(file, 256)
    except OSError:
        return b""


def _is_ours(file: int) -> bool:
    """Tell whether we are in the foreground; where nobody can be, we are."""
    try:
        return os.tcgetpgrp(file) == os.getpgrp()
    except OSError:
        return True


def _poke(pipe: int) -> None:
    with suppress(OSError):
        os.write(pipe, b"!")
