"""Listen to an agent: follow the files it writes, and sum up what the lines tell."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from mittelo.core.pulses import Tone, shape, tone_of
from mittelo.core.signs import Reading, Sign
from mittelo.harness.base import Harness, Stream
from mittelo.proc.transcript import Follower

KEPT_SIGNS = 1000
KEPT_SHAPES = 200


class Listener:
    """Reads the streams of one try through its harness.

    `tone` is the strongest of what was read last, `noise` how many events of that were noise.
    """

    def __init__(self, harness: Harness, paths: Mapping[Stream, str]) -> None:
        self.reading = Reading()
        self.tone = Tone.NOISE
        self.noise = 0
        self._shapes: dict[bytes, None] = {}
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
        self.tone, self.noise = Tone.NOISE, 0
        for stream, follower in self._followers.items():
            size = follower.size
            lines, again = follower.read()
            more = more or again
            if follower.size > size and not lines:
                self._weigh(Tone.BYTES, stream)
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
        heard: list[Sign] = []
        for line in lines:
            tones: list[Tone] = []
            for sign in self._harness.read(line, stream):
                tones.append(tone_of(sign, self.reading))
                self.reading.hear(sign)
                heard.append(sign)
            self._weigh(max(tones) if tones else self._novelty(line), stream)
            self.noise += bool(tones) and max(tones) is Tone.NOISE
        return heard

    def _weigh(self, tone: Tone, stream: Stream) -> None:
        """Take a tone into the strongest; where a CLI writes plain text, all of it is progress."""
        if tone is Tone.BYTES and not self._harness.needs_end and stream is not Stream.LOG:
            tone = Tone.PROGRESS
        self.tone = max(self.tone, tone)

    def _novelty(self, line: bytes) -> Tone:
        """Return what a line without signs amounts to: seen before, it is noise."""
        if not self._harness.needs_end:
            return Tone.BYTES
        seen = shape(line)
        if seen in self._shapes:
            return Tone.NOISE
        self._shapes[seen] = None
        if len(self._shapes) > KEPT_SHAPES:
            del self._shapes[next(iter(self._shapes))]
        return Tone.BYTES
