from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mittelo.proc import transcript
from mittelo.proc.transcript import Follower, tail


def test_a_file_that_is_not_there_yet_has_no_lines(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "later")
    assert follower.read() == ([], False)
    (tmp_path / "later").write_bytes(b"a\nb")
    assert follower.read() == ([b"a"], False)
    assert follower.finish() == [b"b"]


def test_a_line_is_given_once_it_has_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"on")
    follower = Follower(path)
    assert follower.read()[0] == []
    with path.open("ab") as file:
        file.write(b"e\ntwo\n")
    assert follower.read()[0] == [b"one", b"two"]


def test_an_overlong_line_is_passed_over_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a\n" + b"x" * (transcript.MAX_LINE + 1) + b"\nb\n")
    follower = Follower(path)
    lines, more = [], True
    while more:
        some, more = follower.read()
        lines += some
    assert (lines, follower.dropped) == ([b"a", b"b"], 1)


@given(st.lists(st.binary(max_size=30)), st.integers(1, 7))
def test_lines_come_whole_whatever_the_chunks(parts: list[bytes], chunk: int) -> None:
    import tempfile

    clean = [part.replace(b"\n", b"") for part in parts]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(b"".join(part + b"\n" for part in clean))
        before, transcript.CHUNK = transcript.CHUNK, chunk
        try:
            follower, lines, more = Follower(path), [], True
            while more:
                some, more = follower.read()
                lines += some
        finally:
            transcript.CHUNK = before
    assert lines == clean


def test_the_tail_starts_with_a_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"first line\nsecond\nthird\n")
    assert tail(path, 14) == b"second\nthird\n"
    assert tail(path) == path.read_bytes()
    assert tail(tmp_path / "none") == b""
