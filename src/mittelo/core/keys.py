"""The keys of a running relay: a key acts when it is pressed twice, and what is shown meanwhile."""

import math
from enum import StrEnum

from msgspec import Struct

CONFIRM_SECONDS = 4.0
LEGENDS = (
    "[Ctrl+S skip] [Ctrl+P pause] [Ctrl+X graceful stop] [Ctrl+C quit now]",
    "[^S skip] [^P pause] [^X stop] [^C quit]",
    "^S skip · ^P pause · ^X stop · ^C quit",
    "^S·^P·^X·^C",
)
HELD_LEGENDS = ("[Ctrl+X graceful stop] [Ctrl+C quit now]", "[^X stop] [^C quit]", "^X·^C")


class Order(StrEnum):
    """What a relay can be told while it runs, by a key or from another terminal."""

    SKIP = "skip"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    QUIT = "quit"


class Key(Struct, frozen=True):
    """A key, the order that it gives, and the words for it before and after."""

    name: str
    order: Order
    purpose: str
    acting: str


KEYS = {
    0x13: Key("Ctrl+S", Order.SKIP, "skip", "skipping…"),
    0x10: Key("Ctrl+P", Order.PAUSE, "pause", "pausing…"),
    0x18: Key("Ctrl+X", Order.STOP, "graceful-stop", "stopping…"),
    0x03: Key("Ctrl+C", Order.QUIT, "quit now", "quitting…"),
}
_ENTER = {0x0A, 0x0D}
_HARDER = {
    Order.SKIP: {Order.STOP, Order.QUIT},
    Order.PAUSE: {Order.STOP, Order.QUIT},
    Order.STOP: {Order.QUIT},
    Order.QUIT: {Order.QUIT},
}


class Doing(Struct, frozen=True):
    """What the relay is told already; `held`: it has paused, and waits for Enter."""

    order: Order | None = None
    held: bool = False


class Armed(Struct, frozen=True):
    """The key that was pressed once, and when."""

    key: Key | None = None
    at: float = -math.inf

    def holds(self, now: float) -> bool:
        """Tell whether a second press still confirms the first."""
        return now - self.at < CONFIRM_SECONDS


def press(at: Armed, byte: int, now: float, doing: Doing) -> tuple[Armed, Order | None]:
    """Return what is armed after a byte, and the order that it confirms."""
    if doing.held and byte in _ENTER:
        return Armed(), Order.RESUME
    key = KEYS.get(byte)
    if not key or (doing.order and key.order not in _HARDER.get(doing.order, set())):
        return at, None
    if key == at.key and at.holds(now):
        return Armed(), key.order
    return Armed(key, now), None


def shown(at: Armed, now: float, doing: Doing) -> str:
    """Return the words for what is armed, else for what is being done, "" for neither."""
    if at.key and at.holds(now):
        at_once = at.key.order is doing.order
        return f"⌨ press {at.key.name} again to {'quit at once' if at_once else at.key.purpose}"
    acting = [key.acting for key in KEYS.values() if key.order is doing.order]
    return f"■ {acting[0]}" if acting and not doing.held else ""


def legend(width: int, doing: Doing) -> str:
    """Return the fullest legend that fits."""
    tiers = HELD_LEGENDS if doing.held else LEGENDS
    return next((text for text in tiers if len(text) <= width), tiers[-1])
