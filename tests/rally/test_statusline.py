import io
import os

import pytest

from mittelo.rally.statusline import StatusLines


@pytest.fixture
def width(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    held = [40]
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((held[0], 24)))
    return held


class Terminal(io.StringIO):
    def fileno(self) -> int:
        return 1


def test_lines_are_cut_to_the_width_in_cells(width: list[int]) -> None:
    width[0] = 10
    terminal = Terminal()
    StatusLines(terminal).paint("📁📁📁📁📁📁📁")
    assert terminal.getvalue() == "\r\x1b[J📁📁📁📁…"


@pytest.mark.usefixtures("width")
def test_painting_goes_back_over_as_many_lines_as_were_painted() -> None:
    terminal = Terminal()
    lines = StatusLines(terminal)
    lines.paint("a", "b", "c")
    terminal.truncate(0)
    lines.paint("d")
    assert terminal.getvalue().lstrip("\0").startswith("\r\x1b[2A\x1b[J")


def test_a_narrower_terminal_has_wrapped_what_was_painted(width: list[int]) -> None:
    terminal = Terminal()
    lines = StatusLines(terminal)
    lines.paint("x" * 39, "y")
    width[0] = 13
    terminal.truncate(0)
    lines.clear()
    assert terminal.getvalue().lstrip("\0") == "\r\x1b[3A\x1b[J"


@pytest.mark.usefixtures("width")
def test_a_terminal_that_is_gone_is_not_missed() -> None:
    terminal = Terminal()
    lines = StatusLines(terminal)
    terminal.close()
    lines.paint("a")
    lines.clear()
