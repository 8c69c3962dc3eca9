"""The list of settings on the screen, and how its lines are drawn."""

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import OptionList
from textual.widgets.option_list import Option
from typing_extensions import override

from mittelo.config.findings import Gravity, Key
from mittelo.tui.rows import Row

_MARKS = {
    Gravity.ERROR: Text("✗", style="bold red"),
    Gravity.LANE: Text("✗", style="bold red"),
    Gravity.NOTE: Text("!", style="bold yellow"),
}
_KEY_WIDTH = 26
_ORIGIN_WIDTH = 11


class RowOption(Option):
    """A line with a setting."""

    def __init__(self, row: Row) -> None:
        super().__init__(_line(row))
        self.row = row


class RowList(OptionList):
    """Settings under the headings of their sections, with the keys that change them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "app.edit", "Edit"),
        Binding("u,delete", "app.unset", "Unset"),
        Binding("a", "app.add", "Add"),
        Binding("slash", "app.filter", "Filter"),
        Binding("n", "app.next_wrong", "Next wrong"),
        Binding("s", "app.save", "Save"),
        Binding("q", "app.leave", "Leave"),
        Binding("question_mark", "app.help", "Keys"),
    ]

    @override
    def scroll_to_highlight(self, top: bool = False) -> None:
        """Scroll to the highlighted line; with the first setting, its heading is seen too."""
        super().scroll_to_highlight(top)
        if self.highlighted == 1:
            self.scroll_home(animate=False)

    @property
    def row(self) -> Row | None:
        """Return the highlighted setting."""
        option = self.highlighted_option
        return option.row if isinstance(option, RowOption) else None

    def show(self, rows: list[Row]) -> None:
        """Show these settings; the same one stays highlighted, or its neighbour."""
        row, index = self.row, self.highlighted or 0
        self.set_options(_in_sections(rows))
        if not row or not self.go_to(row.key):
            self._go_near(index)

    def go_to(self, key: Key) -> bool:
        """Highlight a setting; tell whether it is there."""
        return self._go(index for index, row in self._rows() if row.key == key)

    def go_to_next_wrong(self) -> bool:
        """Highlight the next setting that something was found about, from the top after the end."""
        at = self.highlighted or 0
        wrong = [index for index, row in self._rows() if row.gravity]
        return self._go(iter(sorted(wrong, key=lambda index: (index <= at, index))))

    def _go_near(self, index: int) -> None:
        places = [place for place, _ in self._rows()]
        self._go(iter(sorted(places, key=lambda place: abs(place - index))))

    def _go(self, places: Iterator[int]) -> bool:
        place = next(places, None)
        if place is not None:
            self.highlighted = place
        return place is not None

    def _rows(self) -> Iterator[tuple[int, Row]]:
        for index, option in enumerate(self.options):
            if isinstance(option, RowOption):
                yield index, option.row


def findings_shown(lines: list[tuple[Gravity, str]]) -> Text:
    """Return findings as they are drawn."""
    return Text("\n").join(Text.assemble(_MARKS[gravity], " ", line) for gravity, line in lines)


def _in_sections(rows: list[Row]) -> Iterator[Option]:
    for section, members in groupby(rows, attrgetter("section")):
        yield Option(Text(section, style="bold"), disabled=True)
        yield from map(RowOption, members)


def _line(row: Row) -> Table:
    line = Table.grid(padding=(0, 1), expand=True)
    line.add_column(width=2, no_wrap=True)
    line.add_column(ratio=4, min_width=_KEY_WIDTH, no_wrap=True, overflow="ellipsis")
    line.add_column(ratio=5, no_wrap=True, overflow="ellipsis")
    line.add_column(width=_ORIGIN_WIDTH, no_wrap=True)
    wrong = _MARKS[row.gravity] if row.gravity else Text(" ")
    own = " " if row.own is None else "●" if row.wins else "○"
    line.add_row(wrong + Text(own), Text(row.name), Text(row.shown), Text(row.origin, style="dim"))
    return line
