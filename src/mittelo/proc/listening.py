"""Listen to an agent: follow the files it writes, and sum up what the lines tell."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from mittelo.core.signs import Reading, Sign
from mittelo.harness.base import Harness, Stream
from mittelo.proc.transcript import Follower

KEPT_SIGNS = 1000


class Listener:
    """Reads the streams of one try through its harness."""

    def __init__(self, harness: Harness, paths: Mapping[Stream, str]) -> None:
        self.reading = Reading()
        self._harness = harness
        self._followers = {s: Follower(Path(p)) for s, p in paths.items() if p}

    @property
    def heard(self) -> int:
        """Return how many bytes were read so far."""
        return sum(follower.size for follower in self._followers.values())

    @property
    def dropped(self) -> int:
        """Return how many lines were too long to be read."""
        return sum(follower.dropped for follower in self._followers.values())

    def read(self) -> tuple[list[Sign], bool]:
        """Return the signs of the next lines, and whether more may be there at once."""
        signs: list[Sign] = []
        more = False
        for stream, follower in self._followers.items():
            lines, again = follower.read()
            more = more or again
            signs += self._hear(lines, stream)
        return signs, more

    def read_rest(self) -> list[Sign]:
        """Read to the present end, and a last line without one; return the last signs."""
        signs: list[Sign] = []
        end = sum(follower.file_size() for follower in self._followers.values())
        more = True
        while more and self.heard <= end:
            some, more = self.read()
            signs = [*signs, *some][-KEPT_SIGNS:]
        for stream, follower in self._followers.items():
            signs += self._hear(follower.finish(), stream)
        return signs

    def _hear(self, lines: Iterable[bytes], stream: Stream) -> list[Sign]:
        signs = [sign for line in lines for sign in self._harness.read(line, stream)]
        for sign in signs:
            self.reading.hear(sign)
        return signs
