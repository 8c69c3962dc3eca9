from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from mittelo.repo import journal
from mittelo.repo.journal import Journal


class Line(Struct):
    text: str
    v: int = 1


@pytest.fixture
def lines(tmp_path: Path) -> Journal[Line]:
    return Journal(tmp_path / "lines.jsonl", Line)


def test_a_missing_file_holds_no_records(lines: Journal[Line]) -> None:
    assert lines.read() == []
    assert lines.read_last(lambda _: True) == []


def test_what_is_appended_is_read(lines: Journal[Line]) -> None:
    lines.append(Line("a\nb"))
    lines.append(Line("ü"))
    assert [line.text for line in lines.read()] == ["a\nb", "ü"]


def test_a_torn_line_does_not_spoil_the_next(lines: Journal[Line]) -> None:
    lines.append(Line("a"))
    with lines.path.open("ab") as file:
        file.write(b'{"text":"to')
    lines.append(Line("b"))
    assert [line.text for line in lines.read()] == ["a", "b"]
    assert [line.text for line in lines.read_last(lambda _: True)] == ["a", "b"]


def test_mending_moves_damaged_lines_aside_byte_for_byte(lines: Journal[Line]) -> None:
    lines.path.write_bytes(b'\xff\xfe\n{"text":"a"}\n{"text":1}\n[]\n\n{"text":"b","more":{}}\n')
    lines.mend()
    assert lines.path.read_bytes() == b'{"text":"a"}\n{"text":"b","more":{}}\n'
    aside = lines.path.with_name("lines.jsonl.damaged")
    assert aside.read_bytes() == b'\xff\xfe\n{"text":1}\n[]\n'
    lines.mend()
    assert aside.read_bytes() == b'\xff\xfe\n{"text":1}\n[]\n'


def test_lines_of_a_newer_version_are_read_with_a_word(
    lines: Journal[Line], capsys: pytest.CaptureFixture[str]
) -> None:
    lines.path.write_bytes(b'{"text":"a","v":9,"new":true}\n')
    assert lines.read()[0].text == "a"
    assert "newer mittelo (version 9" in capsys.readouterr().err


@given(st.lists(st.text(max_size=20)), st.integers(1, 40), st.integers(0, 20))
def test_the_last_records_are_those_a_full_read_ends_with(
    texts: list[str], block: int, count: int
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        held = Journal(Path(folder) / "l", Line)
        held.rewrite([Line(text, v=1) for text in texts])
        left = [count]

        def wanted(_: Line) -> bool:
            left[0] -= 1
            return left[0] >= 0

        before, journal.BLOCK = journal.BLOCK, block
        try:
            found = held.read_last(wanted)
        finally:
            journal.BLOCK = before
    assert [line.text for line in found] == (texts[-count:] if count else [])
