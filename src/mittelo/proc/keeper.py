"""The keeper: a small process between us and one agent, so that nothing it starts survives.

It adopts what the agent's tools leave behind (Linux: sub-reaper), so that a process that left
the agent's group or session is found and ended too. When we die, even by SIGKILL, its stdin
closes, and it stops the agent. It is told what to start in one line of JSON on stdin, then
`interrupt` or `kill`; it answers in lines of JSON on stdout.
"""

import contextlib
import ctypes
import errno
import json
import os
import queue
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psutil

MARKER = "MITTELO_TRY"
KEEPER_MARKER = "MITTELO_KEEPER"
"""The same for the keeper itself, in its own environment: its agent does not get it."""

DRAIN_SECONDS = 5.0
SETTLE_SECONDS = 0.05
GRACE_SECONDS = 1.5
SLAY_SECONDS = 8.0
POLL_SECONDS = 0.05
PR_SET_CHILD_SUBREAPER = 36
LISTED = 20

Inbox = queue.SimpleQueue[tuple[str, int]]


class Keeper:
    """Carries out orders on one agent and tells what becomes of it."""

    def __init__(self, agent: int, marker: str, inbox: Inbox) -> None:
        self._agent = agent
        self._marker = marker
        self._inbox = inbox
        self._deadline = float("inf")
        self._slaying = 0.0
        self._gone = False
        self._exited = False
        self._left: dict[int, str] = {}

    def run(self) -> None:
        """Serve until nothing of the agent is left."""
        while True:
            try:
                word, value = self._inbox.get(timeout=self._patience())
            except queue.Empty:
                word, value = "late", 0
            match word:
                case "interrupt":
                    self._interrupt()
                case "kill":
                    self._slay()
                case "gone" if not self._gone:
                    self._gone = True
                    self._interrupt()
                    self._deadline = time.monotonic() + DRAIN_SECONDS
                case "exited":
                    self._exited = True
                    report(exited=value)
                    self._deadline = time.monotonic() + SETTLE_SECONDS
                case "childless" if self._nothing_is_left():
                    return report(clean=list(self._left.values()))
                case "hopeless":
                    return report(clean=[*self._left.values(), "(something could not be ended)"])
                case "late" | "childless":
                    self._on_deadline()

    def _patience(self) -> float | None:
        if self._deadline == float("inf"):
            return None
        return max(0.0, self._deadline - time.monotonic())

    def _interrupt(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._agent, signal.SIGINT)

    def _on_deadline(self) -> None:
        """Go one step down: ask what is left to end, later end it."""
        if self._slaying or not self._exited or self._left:
            self._slay()
        else:
            self._signal_survivors(signal.SIGTERM)
            self._deadline = time.monotonic() + (GRACE_SECONDS if self._left else POLL_SECONDS)

    def _slay(self) -> None:
        """End what is left, again and again; give up where the system does not let us."""
        self._slaying = self._slaying or time.monotonic()
        self._signal_survivors(signal.SIGKILL)
        self._deadline = time.monotonic() + POLL_SECONDS
        if self._exited and not self._survivors():
            self._inbox.put(("childless", 0))
        elif time.monotonic() > self._slaying + SLAY_SECONDS:
            self._inbox.put(("hopeless", 0))

    def _signal_survivors(self, number: signal.Signals) -> None:
        import psutil  # noqa: PLC0415 - only when there is something to end

        for process in self._survivors():
            with contextlib.suppress(psutil.Error):
                if self._exited and len(self._left) < LISTED and process.pid not in self._left:
                    self._left[process.pid] = process.name()
                process.send_signal(number)

    def _nothing_is_left(self) -> bool:
        """Believe the sub-reaper, to whom every descendant would fall; elsewhere, look."""
        return sys.platform == "linux" or not self._survivors()

    def _survivors(self) -> "list[psutil.Process]":
        """Return what is left of the agent and all it started."""
        import psutil  # noqa: PLC0415

        ours = psutil.Process().children(recursive=True)
        if sys.platform != "linux":
            ours += [p for p in psutil.process_iter() if self._is_marked(p)]
        return [p for p in ours if _is_alive(p)]

    def _is_marked(self, process: "psutil.Process") -> bool:
        import psutil  # noqa: PLC0415

        try:
            return process.environ().get(MARKER) == self._marker and process.pid != os.getpid()
        except psutil.Error:
            return False


def _is_alive(process: "psutil.Process") -> bool:
    import psutil  # noqa: PLC0415

    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def is_alone() -> bool:
    """Tell whether who gave the order is gone: nobody would hear what becomes of the agent."""
    looking = select.poll()
    looking.register(sys.stdin, 0)
    return bool(looking.poll(0))


def report(**fact: object) -> None:
    """Tell one fact; nobody may be there to hear it any more."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(fact) + "\n")
        sys.stdout.flush()


def adopt_orphans() -> None:
    """Become the parent of what our descendants leave behind, where the system can do that."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start(order: dict[str, Any]) -> int:
    """Start the agent in a session of its own, its output in files, and return its pid."""
    with (
        open_input(order["stdin"]) as given,
        open_output(order["stdout"]) as out,
        open_output(order["stderr"]) as err,
    ):
        agent = subprocess.Popen(
            order["argv"],
            cwd=order["cwd"],
            env=order["env"],
            stdin=given,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    agent.returncode = 0  # reaped below, by pid: its own waiting must not get in the way
    return agent.pid


def reason(error: OSError, program: str, env: dict[str, str]) -> str:
    """Say why a program cannot be started."""
    found = shutil.which(program, path=env.get("PATH"))
    if error.errno == errno.ENOENT and found:
        return f"{found}: the interpreter that it names is missing"
    return f"{error.filename or found or program}: {error.strerror}"


def open_input(path: str) -> IO[bytes]:
    """Open what the agent reads; without a path it reads nothing at all."""
    return open(path or os.devnull, "rb")  # noqa: PTH123 - pathlib's import costs more than this


def open_output(path: str) -> IO[bytes]:
    """Open a file for the agent's output, readable by its owner only."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def listen(orders: IO[bytes], inbox: Inbox) -> None:
    """Pass on orders; the end of the stream means that nobody is there any more."""
    for line in orders:
        inbox.put((line.decode().strip(), 0))
    inbox.put(("gone", 0))


def reap(agent: int, inbox: Inbox) -> None:
    """Reap every child, adopted ones too, until none is left."""
    while True:
        try:
            pid, status = os.waitpid(-1, 0)
        except ChildProcessError:
            return inbox.put(("childless", 0))
        if pid == agent:
            inbox.put(("exited", os.waitstatus_to_exitcode(status)))


def main() -> None:
    """Start the agent that stdin names and keep it."""
    inbox: Inbox = queue.SimpleQueue()
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: inbox.put(("gone", 0)))
    order = json.loads(sys.stdin.buffer.readline())
    if is_alone():
        return
    adopt_orphans()
    try:
        agent = start(order)
    except OSError as error:
        report(not_started=reason(error, order["argv"][0], order["env"]))
        return
    report(started=agent)
    for job, stream in ((listen, sys.stdin.buffer), (reap, agent)):
        threading.Thread(target=job, args=(stream, inbox), daemon=True).start()
    Keeper(agent, order["env"].get(MARKER, ""), inbox).run()
    with contextlib.suppress(OSError):
        os.utime(order["stdout"])  # when the agent was gone, for whoever finds us dead too
    os._exit(0)  # an orderly exit would wait a second for the thread that reads stdin


if __name__ == "__main__":
    main()
