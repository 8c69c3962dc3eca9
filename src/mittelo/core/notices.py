"""What others are told of a relay: which events there are, and what is said of each."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct, field

from mittelo.core.records import VERSION

SHORTEST_WAIT = 60.0
"""Nobody is told of a wait that is over sooner."""
SHORTEST_SECRET = 8
_SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "AUTH")


class Happening(StrEnum):
    """What a relay may come to that somebody wants to know of."""

    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    WAITING = "waiting"
    NEEDS_USER = "needs_user"
    BUDGET = "budget"


class Spend(Struct, frozen=True):
    """What a relay used so far, as far as the CLIs reported it."""

    tokens: int = 0
    cost_usd: float = 0.0


class Notice(Struct, frozen=True, kw_only=True):
    """What a notify command reads on its stdin; `until` is "" unless the relay waits."""

    v: int = field(default_factory=lambda: VERSION)
    event: Happening
    why: str
    workspace: str
    relay_id: int
    runs_done: int
    runs_target: int
    runner: str
    until: str
    spend: Spend
    time: str


def is_wanted(event: Happening, events: Iterable[str]) -> bool:
    """Tell whether the user wants to be told; who names no events wants all."""
    return not [*events] or event in {*events}


def secrets_in(words: Iterable[str], variables: Iterable[tuple[str, str]]) -> list[str]:
    """Return what must not be written down: long words of arguments, values of such names."""
    told = [part for word in words for part in word.split()]
    told += [v for name, v in variables if any(s in name.upper() for s in _SECRET_NAMES)]
    return sorted({part for part in told if len(part) >= SHORTEST_SECRET}, key=len, reverse=True)


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return text with every secret made unreadable."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
