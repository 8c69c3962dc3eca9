"""Do several things side by side, and end them all when we are told to."""

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import FrameType
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from mittelo.errors import Interrupted

LOOK_SECONDS = 0.2
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Job(Protocol[T_co]):
    """Something that takes a while; `stop` may come from another thread, and at any time."""

    @property
    def name(self) -> str:
        """Return what it is called on screen."""
        ...

    def go(self) -> T_co:
        """Do it."""
        ...

    def stop(self) -> None:
        """End it soon."""
        ...


class Pace(Struct, frozen=True):
    """How far several jobs are."""

    done: int
    total: int
    running: list[str]


class _Running(Generic[T]):
    def __init__(self, job: Job[T]) -> None:
        self.job = job
        self.began = False

    def go(self) -> T:
        self.began = True
        return self.job.go()


class Heed:
    """Raises `Interrupted` at the first signal that tells us to end, but not while it is held."""

    def __init__(self) -> None:
        self._heard = False
        self._raised = False
        self._holds = 0

    def hear(self, _number: int, _frame: FrameType | None) -> None:
        """Take notice of a signal."""
        self._heard = True
        self._speak()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let what must not be broken off come to its end."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
        self._speak()

    def _speak(self) -> None:
        if self._heard and not self._raised and not self._holds:
            self._raised = True
            raise Interrupted


@contextmanager
def heeding_signals() -> Iterator[Heed]:
    """Let the first signal that tells us to end raise `Interrupted`; later ones do nothing."""
    heed = Heed()
    earlier = {number: signal.signal(number, heed.hear) for number in SIGNALS}
    try:
        yield heed
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def do_together(
    jobs: Sequence[Job[T]],
    at_once: int,
    watch: Callable[[Pace], None],
    ended: Callable[[int, T], None],
) -> None:
    """Do jobs side by side; `ended` is told the place of each job and what came of it.

    When that is interrupted, all that run are stopped and waited for.
    """
    running = [_Running(job) for job in jobs]
    with ThreadPoolExecutor(max(1, at_once)) as pool:
        places: dict[Future[T], int] = {pool.submit(r.go): n for n, r in enumerate(running)}
        left = set(places)
        try:
            while left:
                over, left = wait(left, LOOK_SECONDS, FIRST_COMPLETED)
                for future in over:
                    ended(places[future], future.result())
                names = [running[places[f]].job.name for f in left if running[places[f]].began]
                watch(Pace(len(jobs) - len(left), len(jobs), sorted(names)))
        except BaseException:
            for future in left:
                future.cancel()
            for one in running:
                one.job.stop()
            raise
