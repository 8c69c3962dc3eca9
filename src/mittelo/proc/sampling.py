"""Sample an agent's processes in a thread of its own, and keep what was seen in a file."""

import json
import math
import queue
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import psutil
from msgspec.structs import asdict

from mittelo.core.pulses import Sample
from mittelo.core.stalls import Patience
from mittelo.core.tries import Event, Sampled
from mittelo.proc.vitals import Vitals

LONGEST_SECONDS = 5.0
SHORTEST_SECONDS = 0.25
SAMPLES_IN_SILENCE = 60
SHARE = 0.02
"""Of a core, that sampling may cost."""
ALL_LINES = 20_000
EVERY = 10
JOIN_SECONDS = 5.0


def interval(patience: Patience) -> float:
    """Return the seconds from one sample to the next."""
    return min(LONGEST_SECONDS, max(SHORTEST_SECONDS, patience.silence / SAMPLES_IN_SILENCE))


class NetstatLog:
    """Writes a line for each sample; after very many, for every tenth."""

    def __init__(self, path: str, outputs: Iterable[str]) -> None:
        self._path = Path(path) if path else None
        self._outputs = [Path(output) for output in outputs if output]
        self._file: IO[str] | None = None
        self._lines = 0

    def add(self, sample: Sample) -> None:
        """Add a line. A file that cannot be written is done without."""
        self._lines += 1
        if not self._path or (self._lines > ALL_LINES and self._lines % EVERY):
            return
        line = {"ts": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        told = {name: value or 0 for name, value in asdict(sample).items()}
        told["cpu_s"] = round(told["cpu_s"], 2)
        try:
            self._file = self._file or self._path.open("w")
            self._file.write(json.dumps(line | {"log_silent_s": self._silent()} | told) + "\n")
            self._file.flush()
        except OSError:
            self._path = None

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()

    def _silent(self) -> float:
        """Return for how long nothing was written by the agent."""
        written = max((_written(path) for path in self._outputs), default=-math.inf)
        return round(max(0.0, time.time() - written), 1) if written > 0 else 0.0


class Sampler:
    """Puts samples of a tree of processes into an inbox until it is closed."""

    def __init__(
        self,
        root: int,
        mark: str,
        patience: Patience,
        log: NetstatLog,
        inbox: "queue.SimpleQueue[Event]",
    ) -> None:
        self._root, self._mark = root, mark
        self._interval = interval(patience)
        self._log = log
        self._inbox = inbox
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Sample no more."""
        self._over.set()
        self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        try:
            vitals = Vitals(self._root, self._mark)
            while True:
                began = time.thread_time()
                sample = vitals.sample()
                self._inbox.put(Sampled(sample))
                self._log.add(sample)
                spent = time.thread_time() - began
                if self._over.wait(max(self._interval, spent / SHARE)):
                    return
        except psutil.NoSuchProcess:
            return
        finally:
            self._log.close()


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return -math.inf
