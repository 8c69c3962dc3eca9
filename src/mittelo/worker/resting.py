"""Whether a worker rests, because its backend cannot serve for now; all its slots share it."""

import math
import threading
import time

from mittelo.answering.run import Answer
from mittelo.core.rests import Rest, rest_after


class Resting:
    """Knows until when the worker rests, by its own monotonic clock."""

    def __init__(self) -> None:
        self._until = -math.inf
        self._streak = 0
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """Return how long it rests from now on; 0 where it does not."""
        return max(0.0, self._until - time.monotonic())

    def learn(self, answer: Answer) -> Rest:
        """Return what follows from an answer. Failures side by side count as one."""
        with self._lock:
            if answer.ok:
                self._streak = 0
                return Rest()
            now = time.monotonic()
            rest = rest_after(answer.category, answer.retry_after, self._streak + 1)
            if rest != Rest() and now >= self._until:
                self._streak += 1
            self._until = max(self._until, now + rest.pause)
            return rest
