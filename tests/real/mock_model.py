"""A model on loopback that answers from fixtures, with faults on request."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self, TypeVar

from fault_front import FaultFront, Request
from faults import Fault, Rule

FIXTURES = Path(__file__).with_name("fixtures.json")
USAGE = (1200, 34)
"""Tokens in and out that the fixtures claim for a request; that of RECALL-PROBE claims fewer."""

Found = TypeVar("Found")


class MockModel:
    """Speaks the APIs of all providers; `seen` and `requests` tell what it was asked."""

    def __init__(self, bin_dir: Path, fixtures: Path = FIXTURES) -> None:
        self._bin_dir = bin_dir
        self._fixtures = fixtures
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            upstream = opening.enter_context(_running_llmock(self._bin_dir, self._fixtures))
            self._front = opening.enter_context(FaultFront(upstream))
            self._open = opening.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    @property
    def url(self) -> str:
        """Where it listens; the APIs lie below this address."""
        return self._front.url

    @property
    def seen(self) -> int:
        """How many requests have come so far."""
        return self._front.seen

    def requests(self, since: int = 0) -> list[Request]:
        """Return the requests that came after the first `since` ones."""
        return self._front.requests(since)

    def fault(
        self, fault: Fault, *, path: str = "", after: int = 0, times: int | None = None
    ) -> None:
        """Let requests to `path`, past the first `after`, meet a fault; `times` or for ever."""
        self._front.add(Rule(fault, path=path, after=after, times=times))

    def reset(self) -> None:
        """Forget all faults."""
        self._front.reset()


@contextmanager
def _running_llmock(bin_dir: Path, fixtures: Path) -> Iterator[str]:
    with TemporaryDirectory(prefix="mock-model-") as place, ExitStack() as stack:
        log = Path(place, "log")
        process = subprocess.Popen(
            [bin_dir / "llmock", "--port", "0", "--fixtures", fixtures, "--validate-on-load"],
            stdin=subprocess.DEVNULL,
            stdout=stack.enter_context(log.open("wb")),
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "HOME": place},
            start_new_session=True,
        )
        stack.callback(_end, process)

        def address() -> str | None:
            found = re.search(r"listening on (http://\S+)", log.read_text())
            if not found and process.poll() is not None:
                raise RuntimeError(f"llmock ended: {log.read_text()}")
            return found[1] if found else None

        yield wait_until(address)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until(look: Callable[[], Found | None], seconds: float = 30) -> Found:
    """Return the first true thing that `look` sees."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing came of {look.__qualname__} within {seconds} s")
        time.sleep(0.02)
    return found
