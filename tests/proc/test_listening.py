"""What the output of an agent amounts to: the recorded CLIs that go round in circles, and words."""

from pathlib import Path

import pytest
from tests.harness.recorded import KNOWN, TRANSCRIPTS

from mittelo.core.pulses import Tone
from mittelo.harness.base import Harness, Stream
from mittelo.harness.declared import Declaration, Declared
from mittelo.proc.listening import Listener

PLAIN = Declared("mine", Declaration(["mine"]))


class Desk:
    """A file that grows, and who listens to it."""

    def __init__(self, path: Path, harness: Harness, stream: Stream = Stream.OUT) -> None:
        self._path = path
        self.listener = Listener(harness, {stream: str(path)})

    def hear(self, text: bytes) -> tuple[Tone, int]:
        """Write this and return what it amounts to."""
        with self._path.open("ab") as file:
            file.write(text)
        self.listener.read()
        return self.listener.tone, self.listener.noise


@pytest.mark.parametrize(
    ("case", "noise"), [("opencode/truncate.stdout", 307), ("codex/refused.stdout", 10)]
)
def test_a_recorded_loop_is_noise_after_its_start(case: str, noise: int, tmp_path: Path) -> None:
    lines = (TRANSCRIPTS / case).read_bytes().splitlines(keepends=True)
    desk = Desk(tmp_path / "out", KNOWN[case.partition("/")[0]])
    assert desk.hear(b"".join(lines[:2]))[0] is Tone.PROGRESS
    rest = [desk.hear(line) for line in lines[2:]]
    assert max(tone for tone, _ in rest) is Tone.NOISE
    assert sum(count for _, count in rest) >= noise - 1


@pytest.mark.parametrize("case", ["claude/write-edit", "codex/two-tools", "opencode/two-tools"])
def test_a_recorded_piece_of_work_is_progress(case: str, tmp_path: Path) -> None:
    desk = Desk(tmp_path / "out", KNOWN[case.partition("/")[0]])
    lines = (TRANSCRIPTS / f"{case}.stdout").read_bytes().splitlines(keepends=True)
    tones = [desk.hear(line)[0] for line in lines]
    assert tones.count(Tone.PROGRESS) >= 4


def test_a_line_that_tells_nothing_and_a_beginning_of_one_are_bytes(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "out", KNOWN["claude"])
    assert desk.hear(b'{"type":"something new"}\n') == (Tone.BYTES, 0)
    assert desk.hear(b'{"type":"some') == (Tone.BYTES, 0)
    assert desk.hear(b"") == (Tone.NOISE, 0)


def test_a_line_that_tells_nothing_is_noise_when_it_comes_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "err", KNOWN["gemini"], Stream.ERR)
    assert desk.hear(b"Attempt 1 failed. Retrying after 4981 ms\n") == (Tone.BYTES, 0)
    assert desk.hear(b"Attempt 2 failed. Retrying after 10022 ms\n") == (Tone.NOISE, 0)
    assert desk.hear(b"Something else\n") == (Tone.BYTES, 0)


def test_whatever_a_cli_without_events_writes_is_progress_but_for_its_log(tmp_path: Path) -> None:
    assert Desk(tmp_path / "out", PLAIN).hear(b"50 %")[0] is Tone.PROGRESS
    assert Desk(tmp_path / "err", PLAIN, Stream.ERR).hear(b"\n")[0] is Tone.PROGRESS
    agy = KNOWN["antigravity"]
    assert Desk(tmp_path / "log", agy, Stream.LOG).hear(b"I0101 beat\n")[0] is Tone.BYTES
