"""A terminal of a test's own, with a command in it as a shell starts one."""

import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
import threading
from typing import Any

from support import RALLY, Place, wait_until

ATTACH = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A pseudo-terminal with a process that leads its session; what it shows is collected."""

    def __init__(self, place: Place, *words: str, rows: int = 24, columns: int = 80) -> None:
        self._leader, self._follower = os.openpty()
        self.resize(rows, columns)
        self.found = self.attributes
        self._shown = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", ATTACH, *words],
            cwd=place.root,
            env=place.environment() | {"TERM": "xterm-256color"},
            stdin=self._follower,
            stdout=self._follower,
            stderr=self._follower,
        )
        threading.Thread(target=self._collect, daemon=True).start()

    @property
    def attributes(self) -> list[Any]:
        """Return the modes of the terminal."""
        return termios.tcgetattr(self._follower)

    @property
    def is_raw(self) -> bool:
        return not self.attributes[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    @property
    def shown(self) -> str:
        """Return all that was ever written to the terminal."""
        return self._shown.decode(errors="replace")

    def type(self, keys: bytes) -> None:
        os.write(self._leader, keys)

    def sees(self, words: str, times: int = 1) -> None:
        """Wait until something was shown."""
        try:
            wait_until(lambda: self.shown.count(words) >= times, words)
        except AssertionError as error:
            error.add_note(self.shown[-2000:])
            raise

    def resize(self, rows: int, columns: int) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._follower, termios.TIOCSWINSZ, size)

    def set_attributes(self, attributes: list[Any]) -> None:
        termios.tcsetattr(self._follower, termios.TCSANOW, attributes)

    def hang_up(self) -> None:
        """Take the terminal away."""
        os.close(self._follower)
        os.close(self._leader)

    def close(self) -> None:
        """Take the terminal away, and end what is still in its foreground."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)
        self.hang_up()

    def _collect(self) -> None:
        with contextlib.suppress(OSError):
            while read := os.read(self._leader, 65536):
                self._shown += read


def relay_in(place: Place, *words: str, rows: int = 24, columns: int = 80) -> Terminal:
    """Start a relay in a terminal."""
    return Terminal(place, RALLY, "start", *words, rows=rows, columns=columns)
