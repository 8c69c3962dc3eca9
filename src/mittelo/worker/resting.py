"""Whether a worker rests, because its backend cannot serve for now; all its slots share it."""

import threading

from mittelo.answering.run import Answer
from mittelo.core.rests import Rest, rest_after
from mittelo.worker.due import Due


class Resting:
    """Knows until when the worker rests."""

    def __init__(self) -> None:
        self._end = Due(0.0)
        self._streak = 0
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """Return how long it rests from now on; 0 where it does not."""
        return self._end.left

    def learn(self, answer: Answer) -> Rest:
        """Return what follows from an answer. Failures side by side count as one."""
        with self._lock:
            if answer.ok:
                self._streak = 0
                return Rest()
            rest = rest_after(answer.category, answer.retry_after, self._streak + 1)
            if rest != Rest() and not self.seconds:
                self._streak += 1
            if rest.pause > self.seconds:
                self._end = Due(rest.pause)
            return rest
