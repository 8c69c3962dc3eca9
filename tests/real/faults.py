"""The ways in which a model on the network can fail its client."""

import re
from collections.abc import Mapping

from msgspec import Struct, field


class Status(Struct, frozen=True):
    """An answer of this status, body and headers."""

    code: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class Silence(Struct, frozen=True):
    """The request is read and never answered."""


class Stuck(Struct, frozen=True):
    """An event stream that begins with this text and then says nothing more."""

    beginning: str


class Garbage(Struct, frozen=True):
    """An event stream of this text."""

    text: str


class Cut(Struct, frozen=True):
    """The true answer, but only its first bytes."""

    size: int


class Dropped(Struct, frozen=True):
    """The connection is closed without an answer."""


class Late(Struct, frozen=True):
    """The true answer after so many seconds."""

    seconds: float


Fault = Status | Silence | Stuck | Garbage | Cut | Dropped | Late


class Rule:
    """Lets requests to `path` meet a fault: not the first `after`, then `times` or all."""

    def __init__(self, fault: Fault, *, path: str, after: int, times: int | None) -> None:
        self.fault = fault
        self._path = re.compile(path)
        self._after = after
        self._left = times

    def applies(self, path: str) -> bool:
        """Tell whether this request meets the fault, and count it if so."""
        if self._left == 0 or not self._path.search(path):
            return False
        if self._after > 0:
            self._after -= 1
            return False
        if self._left is not None:
            self._left -= 1
        return True
