"""Ask a program something short, such as its version: what it says, within a time."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import IO

from msgspec import Struct

KEPT = 1 << 18


class Said(Struct, frozen=True):
    """What a program said, and its exit code; without one, `trouble` says why there is none."""

    code: int | None
    out: str = ""
    err: str = ""
    trouble: str = ""
    is_late: bool = False
    seconds: float = 0.0

    @property
    def why(self) -> str:
        """Return in a few words how it failed: the last thing that it said."""
        lines = [line.strip() for line in (self.err or self.out).splitlines() if line.strip()]
        ended = f"exit {self.code}" if self.code is not None else self.trouble
        return f"{ended}: {lines[-1][:200]}" if lines else ended


def ask(
    argv: Sequence[str],
    env: Mapping[str, str],
    seconds: float,
    *,
    given: str = "",
    cwd: str | None = None,
) -> Said:
    """Run a program, this on its stdin; it and its group are ended when its time is over.

    Its output goes to files: who holds them open longer is not waited for.
    """
    with (
        tempfile.TemporaryFile() as stdin,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        stdin.write(given.encode())
        stdin.seek(0)
        began = time.monotonic()
        try:
            process = subprocess.Popen(
                argv,
                cwd=cwd,
                env=env,
                stdin=stdin,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "its words hold a null byte"
            return Said(None, trouble=f"it does not start: {why}")
        code = _await(process, seconds)
        late = code is None
        trouble = f"no end within {seconds:.1f} s" if late else ""
        took = time.monotonic() - began
        return Said(code, _text(out), _text(err), trouble, late, took)


def _await(process: "subprocess.Popen[bytes]", seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(KEPT).decode(errors="replace")
