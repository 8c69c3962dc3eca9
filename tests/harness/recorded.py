"""The recorded output of the real CLIs, and what a person found in it."""

import json
import tomllib
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from mittelo.core.signs import Reading
from mittelo.harness.base import Harness, Stream
from mittelo.harness.registry import all_harnesses

HERE = Path(__file__).parent
TRANSCRIPTS = HERE / "transcripts"
KNOWN = all_harnesses({})


class Exit(Struct, frozen=True):
    """How a recorded CLI ended: its code, and the signal that it was sent, if any."""

    code: int
    signal: str
    ended_by_us: bool


class Expected(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a reader finds in a recording; see the head of expected.toml."""

    session: str = ""
    model: str = ""
    final: str = ""
    final_length: int | None = None
    calls: int = 0
    files: list[str] = []
    changed: bool = False
    tokens: tuple[int, int] = (0, 0)
    cost: float | None = None
    ended: Literal["ok", "failed", ""] = ""
    error: str = ""
    outcome: str
    reason: str = ""
    category: str = ""
    resets: int | None = None


class Recording(Struct, frozen=True):
    """One run of a real CLI."""

    cli: str
    case: str
    exit: Exit

    @property
    def name(self) -> str:
        return f"{self.cli}/{self.case}"

    @property
    def harness(self) -> Harness:
        return KNOWN[self.cli]

    def raw(self, stream: Stream) -> bytes:
        suffix = {Stream.OUT: "stdout", Stream.ERR: "stderr"}[stream]
        return (TRANSCRIPTS / self.cli / f"{self.case}.{suffix}").read_bytes()

    def lines(self, stream: Stream) -> list[bytes]:
        return [line for line in self.raw(stream).split(b"\n") if line]

    def read(self) -> Reading:
        """Return the sum of what the harness makes of both streams."""
        reading = Reading()
        for stream in (Stream.OUT, Stream.ERR):
            for line in self.lines(stream):
                for sign in self.harness.read(line, stream):
                    reading.hear(sign)
        return reading


def recordings() -> list[Recording]:
    """Return every recording that is there."""
    return [
        Recording(path.parent.name, case, msgspec.convert(made, Exit))
        for path in sorted(TRANSCRIPTS.glob("*/exits.json"))
        for case, made in json.loads(path.read_text()).items()
    ]


def expectations() -> dict[str, Expected]:
    """Return what is expected of each recording, by its name."""
    found = tomllib.loads((HERE / "expected.toml").read_text())
    return {
        f"{cli}/{case}": msgspec.convert(told, Expected)
        for cli, cases in found.items()
        for case, told in cases.items()
    }
