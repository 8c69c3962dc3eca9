"""Run a hook in a shell: a time limit for all of it, and a bounded part of what it says."""

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from mittelo.laps.hooks import AFTER, BEFORE, Facts, Hook, script, words_of
from mittelo.laps.refusals import HookError

KEPT = 64 * 1024
CHUNK = 1 << 16
LOOK_SECONDS = 0.05
END_SECONDS = 2.0


class Ran(Struct, frozen=True):
    """How a hook ended: its exit code, None when its time was over; what it said."""

    code: int | None
    said: str

    @property
    def trouble(self) -> str:
        """Return what went wrong, "" for nothing."""
        if self.code is None:
            return "took too long and was ended"
        return f"failed with exit code {self.code}" if self.code else ""


class HookRunner:
    """The hooks of one command, run in their order in the top folder of the repository."""

    def __init__(
        self,
        hooks: list[Hook],
        root: Path,
        pass_back: Callable[[str], None],
        complain: Callable[[str], None],
    ) -> None:
        self._hooks = hooks
        self._root = root
        self._pass_back = pass_back
        self._complain = complain

    def before(self, facts: Facts) -> None:
        """Run what comes before the command; one that fails stops it."""
        for hook in self._of(BEFORE):
            ran = run_hook(hook, facts, self._root)
            if ran.trouble:
                if ran.said:
                    self._complain(ran.said)
                raise HookError(f"The hook {hook.title!r} before {facts.command} {ran.trouble}.")
            self._keep(hook, ran)

    def after(self, facts: Facts) -> None:
        """Run what comes after the command; one that fails keeps further ones from running."""
        for hook in self._of(AFTER):
            ran = run_hook(hook, facts, self._root)
            self._keep(hook, ran)
            if ran.trouble:
                told = f"the hook {hook.title!r} after {facts.command} {ran.trouble}"
                return self._complain(f"laps: {told}\n")
        return None

    def _of(self, when: str) -> list[Hook]:
        return [hook for hook in self._hooks if hook.when == when]

    def _keep(self, hook: Hook, ran: Ran) -> None:
        if hook.passback and ran.said:
            self._pass_back(ran.said)


def run_hook(hook: Hook, facts: Facts, root: Path) -> Ran:
    """Run one hook to its end, or to that of its time."""
    with tempfile.NamedTemporaryFile(prefix="laps-hook-", suffix=".sh") as file:
        file.write(script(hook, facts).encode(errors="surrogateescape"))
        file.flush()
        process = subprocess.Popen(
            ["/bin/sh", file.name, *words_of(facts)],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        with process:
            try:
                said = _follow(process, time.monotonic() + hook.timeout_secs)
                late = process.poll() is None
            finally:
                if process.poll() is None:
                    _end(process)
    return Ran(None if late else process.returncode, said)


def _follow(process: "subprocess.Popen[bytes]", deadline: float) -> str:
    """Read until the hook is gone or late; who holds its output longer is not waited for."""
    assert process.stdout  # noqa: S101 - it was asked for
    pipe = process.stdout.fileno()
    os.set_blocking(pipe, False)
    kept, size, is_open = b"", 0, True
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            gone = process.poll() is not None
            if not is_open:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(left)
                break
            if selector.select(0 if gone else min(left, LOOK_SECONDS)):
                chunk = os.read(pipe, CHUNK)
                kept += chunk[: KEPT - len(kept)]
                size += len(chunk)
                is_open = bool(chunk)
            elif gone:
                break
    cut = f"\n... [{size - KEPT} more bytes are left out] ...\n" if size > KEPT else ""
    return kept.decode(errors="replace") + cut


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a hook and all that it started, gently first."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
