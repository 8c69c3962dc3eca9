"""Several workers started together: one that crashes is started again, none outlives the swarm.

Each worker is a process whose stdin is a pipe from us. When we die, however, the pipe closes, and
the worker ends as if it were told to.
"""

import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from msgspec import Struct

from mittelo.errors import Interrupted, MitteloError

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
STEADY_SECONDS = 60.0
"""Whoever lived so long is started again at once."""

MARGIN_SECONDS = 25.0
"""So long beyond its grace a worker may take to end the runs that it kills."""

REFUSED = (1, 2)
"""A worker that ends so said what its user must mend; starting it again would say it again."""


class Team(Struct, frozen=True):
    """So many workers of a backend."""

    backend: str
    count: int


class Member:
    """One place in the swarm, and the process that fills it."""

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self.name = name
        self.process: subprocess.Popen[bytes] | None = None
        self.due = 0.0
        self._argv, self._env = argv, env
        self._began = 0.0
        self._pause = FIRST_PAUSE

    def start(self, ended: "Callable[[Member, int], None]") -> None:
        """Start its process; `ended` is told when that is gone."""
        process = subprocess.Popen(
            self._argv, env=self._env, stdin=subprocess.PIPE, start_new_session=True
        )
        self.process, self._began = process, time.monotonic()
        threading.Thread(target=lambda: ended(self, process.wait()), daemon=True).start()

    def rest(self) -> float:
        """Return the seconds until it may be started again."""
        lived = time.monotonic() - self._began
        pause = FIRST_PAUSE if lived >= STEADY_SECONDS else self._pause
        self._pause = min(pause * 2, LONGEST_PAUSE)
        self.due = time.monotonic() + pause
        return pause

    def clear(self) -> None:
        """Forget a process that is gone."""
        if self.process and self.process.stdin:
            self.process.stdin.close()
        self.process = None

    def signal(self, number: int) -> None:
        """Send a signal to its process."""
        if self.process:
            self.process.send_signal(number)


class _Signal(Struct, frozen=True):
    number: int


class _Gone(Struct, frozen=True):
    member: Member
    code: int


class Swarm:
    """Keeps workers running until it is told to stop."""

    def __init__(self, members: Sequence[Member], grace: float, say: Callable[[str], None]) -> None:
        self._members = members
        self._grace = grace
        self._say = say
        self._inbox: queue.SimpleQueue[_Signal | _Gone] = queue.SimpleQueue()
        self._killing = float("inf")
        self._interrupted = False

    def run(self) -> None:
        """Start everybody, and see everybody out in the end."""
        earlier = {n: signal.signal(n, self._hear) for n in (signal.SIGTERM, signal.SIGINT)}
        try:
            for member in self._members:
                member.start(self._tell)
            self._attend()
        finally:
            for member in self._members:
                member.signal(signal.SIGKILL)
            for number, handler in earlier.items():
                signal.signal(number, handler)
        if self._interrupted:
            raise Interrupted
        if not self._is_stopping:
            raise MitteloError("No worker of the swarm can go on.", "Mend what they say above.")

    @property
    def _is_stopping(self) -> bool:
        return self._killing != float("inf")

    def _attend(self) -> None:
        while self._is_anybody_left():
            try:
                heard = self._inbox.get(timeout=self._patience())
            except queue.Empty:
                self._on_time()
                continue
            match heard:
                case _Signal(number):
                    self._stop(number)
                case _Gone(member, code):
                    member.clear()
                    self._after(member, code)

    def _is_anybody_left(self) -> bool:
        waits = not self._is_stopping
        return any(member.process or (waits and member.due) for member in self._members)

    def _patience(self) -> float | None:
        times = [self._killing] if self._is_stopping else [m.due for m in self._members if m.due]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _on_time(self) -> None:
        """Start again who is due; in the end, kill who does not go."""
        now = time.monotonic()
        for member in self._members:
            if self._is_stopping and now >= self._killing:
                member.signal(signal.SIGKILL)
            elif not self._is_stopping and member.due and now >= member.due:
                member.due = 0.0
                member.start(self._tell)
        if self._is_stopping:
            self._killing = now + 1.0

    def _after(self, member: Member, code: int) -> None:
        if self._is_stopping:
            return
        if code == 0 or code in REFUSED:
            if code:
                self._say(f"{member.name} gives up (exit {code})")
            return
        how = f"exit {code}" if code > 0 else f"ended by signal {-code}"
        self._say(f"{member.name} crashed ({how}); started again in {member.rest():.0f} s")

    def _stop(self, number: int) -> None:
        """Tell everybody to end; the second time, at once."""
        again = self._is_stopping
        self._interrupted = self._interrupted or (again and number == signal.SIGINT)
        self._killing = time.monotonic() + self._grace + MARGIN_SECONDS
        for member in self._members:
            member.signal(signal.SIGTERM)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        self._inbox.put(_Signal(number))

    def _tell(self, member: Member, code: int) -> None:
        self._inbox.put(_Gone(member, code))


def members_of(
    teams: Sequence[Team], options: Sequence[str], env: Mapping[str, str]
) -> list[Member]:
    """Return the places of a swarm; `options` go to every worker."""
    start = [sys.executable, "-P", "-m", "mittelo", "agent", "--leashed", *options]
    return [
        Member(f"{team.backend}#{number}", [*start, "--backend", team.backend], env)
        for team in teams
        for number in range(1, team.count + 1)
    ]
