"""What is seen of a running agent: what its output amounts to, and what its processes do."""

import re
from enum import IntEnum
from typing import assert_never

from msgspec import Struct

from mittelo.core.signs import (
    Ended,
    Erred,
    Model,
    Reading,
    Said,
    Session,
    Sign,
    Spent,
    Thought,
    Touched,
    Used,
)

CPU_RATE = 0.03
"""Cores; waiting for a model opencode 1.18 uses 0.017, codex 0.169 without a network 0.02."""
BYTE_RATE = (1 << 20) / 60
"""Bytes a second that are read, written or go to disk; idle CLIs stay below 1 MB a minute."""
FLOW_RATE = 10_240 / 60
"""Bytes a second from the network; a handshake for each retry, or pings, stay below this."""


_CHANGING = re.compile(rb"[0-9a-fA-F-]{8,}|\d+")
_LINE_START = 300


class Tone(IntEnum):
    """What output amounts to, the strongest last.

    NOISE: the CLI repeats itself, as with its own retries. BYTES: something new that tells
    nothing. PROGRESS: the agent said, thought or did something.
    """

    NOISE = 0
    BYTES = 1
    PROGRESS = 2


class Sample(Struct, frozen=True):
    """What the processes of an agent did so far, all together; None where it cannot be seen.

    `connections` to others: TCP that is established, UDP that has a peer. `received` counts
    bytes from them, but for those that are `uncounted`; `io_bytes` go to and from disks,
    `syscall_bytes` are read and written.
    """

    connections: int | None = None
    uncounted: int = 0
    received: int | None = None
    cpu_s: float | None = None
    io_bytes: int | None = None
    syscall_bytes: int | None = None


def tone_of(sign: Sign, reading: Reading) -> Tone:
    """Return what a sign amounts to after what was read before it.

    Neither errors nor tokens are progress: they come again with every request of a CLI that
    retries for ever.
    """
    match sign:
        case Said(text) | Thought(text):
            told = bool(text.strip())
        case Used() | Touched():
            told = True
        case Session(id):
            told = id != reading.session
        case Model(name):
            told = name != reading.model
        case Ended():
            told = reading.ended is None
        case Spent() | Erred():
            told = False
        case _:
            assert_never(sign)
    return Tone.PROGRESS if told else Tone.NOISE


def shape(line: bytes) -> bytes:
    """Return what lines have in common that differ in numbers, times and ids only."""
    return _CHANGING.sub(b"#", line[:_LINE_START])


def works(then: Sample, now: Sample, seconds: float) -> set[str]:
    """Return by what it shows that the processes worked in the time between two samples."""
    limits = {
        "cpu_s": CPU_RATE,
        "io_bytes": BYTE_RATE,
        "syscall_bytes": BYTE_RATE,
        "received": FLOW_RATE,
    }
    return {name for name, rate in limits.items() if _gain(then, now, name) >= rate * seconds}


def receives(then: Sample, now: Sample) -> bool:
    """Tell whether anything at all came from the network between two samples."""
    return _gain(then, now, "received") > 0


def _gain(then: Sample, now: Sample, name: str) -> float:
    before, after = getattr(then, name), getattr(now, name)
    return 0.0 if before is None or after is None else after - before
