"""Run a short program to its end, within a time, and keep a little of what it writes."""

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import IO

from msgspec import Struct

LOOK_SECONDS = 0.05
CHUNK = 1 << 16
KEPT = 4000


class Came(Struct, frozen=True):
    """What it came to: its exit code, or `trouble`; the beginning of its output."""

    code: int | None
    output: str = ""
    trouble: str = ""

    @property
    def is_cut(self) -> bool:
        """Tell whether it wrote more than is kept."""
        return len(self.output.encode()) >= KEPT


def run_briefly(
    argv: Sequence[str], given: bytes, cwd: str, env: Mapping[str, str], seconds: float
) -> Came:
    """Run a program with this on its stdin; all of its group is ended when its time is over."""
    with tempfile.TemporaryFile() as stdin:
        stdin.write(given)
        stdin.seek(0)
        try:
            process = subprocess.Popen(
                argv,
                cwd=cwd,
                env=env,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else ""
            return Came(None, trouble=f"could not start: {why or 'its words hold a null byte'}")
    with process:
        assert process.stdout  # noqa: S101 - it was asked for
        output = _follow(process, process.stdout, time.monotonic() + seconds)
        late = process.poll() is None
        if late:
            _end_group(process)
        code = process.wait()
    text = output.decode(errors="replace")
    return Came(None, text, f"ended after {seconds:g} s") if late else Came(code, text)


def _follow(process: "subprocess.Popen[bytes]", pipe: IO[bytes], deadline: float) -> bytes:
    """Read until the program is gone or late: who holds its output longer is not waited for."""
    kept = b""
    os.set_blocking(pipe.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        open_ = True
        while time.monotonic() < deadline:
            gone = process.poll() is not None
            if not open_:
                if gone:
                    break
                time.sleep(LOOK_SECONDS)
                continue
            if selector.select(0 if gone else LOOK_SECONDS):
                chunk = os.read(pipe.fileno(), CHUNK)
                kept += chunk[: KEPT - len(kept)]
                open_ = bool(chunk)
            elif gone:
                break
    return kept


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
