"""The list of laps on the screen: however many there are, only those that are seen are drawn."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from typing_extensions import override

from mittelo.tui.laprows import Row, line

Key = tuple[str, str]


class LapList(ScrollView, can_focus=True):
    """Lines with a cursor, which stays on its lap when others come and go."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"lap-list--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "app.edit", "Edit"),
        Binding("d", "app.finish", "Done"),
        Binding("a", "app.add", "Add"),
        Binding("x", "app.delete", "Delete"),
        Binding("question_mark", "app.help", "Keys"),
        Binding("q", "app.leave", "Quit"),
        Binding("c", "app.show_done", "Show done"),
        Binding("slash", "app.filter", "Filter"),
        Binding("h", "app.hold", "Hold"),
        Binding("u", "app.reopen", "Undo"),
        Binding("A", "app.add_at_head", "Add at head", show=False),
        Binding("J", "app.shift(1)", "Move down", show=False),
        Binding("K", "app.shift(-1)", "Move up", show=False),
        Binding("t", "app.move('head')", "To the head", show=False),
        Binding("b", "app.move('tail')", "To the tail", show=False),
        Binding("r", "app.reload", "Reload", show=False),
        Binding("enter,space", "app.open", "Open", show=False),
        Binding("left", "app.turn(False)", "Close", show=False),
        Binding("right", "app.turn(True)", "Open", show=False),
        Binding("down,j", "go(1)", "Down", show=False),
        Binding("up,k", "go(-1)", "Up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("home", "go(-1000000)", "First", show=False),
        Binding("end", "go(1000000)", "Last", show=False),
    ]

    class Moved(Message):
        """The cursor is on another lap, or on one that has changed."""

    def __init__(self, now: Callable[[], datetime], *, id: str) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._now = now
        self._rows: Sequence[Row] = ()
        self._at = 0

    @property
    def row(self) -> Row | None:
        """Return the line under the cursor."""
        return self._rows[self._at] if self._rows else None

    @property
    def rows(self) -> Sequence[Row]:
        """Return all lines."""
        return self._rows

    def show(self, rows: Sequence[Row]) -> None:
        """Show these lines; the cursor stays on its lap, or near where that was."""
        key = self.row.key if self.row else None
        self._rows = rows
        self.virtual_size = Size(0, len(rows))
        if key is None or not self.go_to(key):
            self._go(self._at)
        self.refresh()

    def go_to(self, key: Key) -> bool:
        """Put the cursor on a lap; tell whether it is there."""
        at = next((at for at, row in enumerate(self._rows) if row.key == key), None)
        if at is None:
            return False
        self._go(at)
        return True

    def action_go(self, step: int) -> None:
        """Move the cursor."""
        self._go(self._at + step)

    def action_page(self, pages: int) -> None:
        """Move the cursor by what is seen at once."""
        self._go(self._at + pages * max(1, self.scrollable_content_region.height - 1))

    def on_click(self, event: Click) -> None:
        """Put the cursor where the mouse is."""
        at = event.y + self.scroll_offset.y
        if at < len(self._rows):
            self._go(at)

    @override
    def render_line(self, y: int) -> Strip:
        at = y + self.scroll_offset.y
        width = self.scrollable_content_region.width
        style = self.rich_style
        if at >= len(self._rows):
            return Strip.blank(width, style)
        if at == self._at:
            style += self.get_component_rich_style("lap-list--cursor", partial=True)
        text = line(self._rows[at], width, self._now())
        segments = Segment.apply_style(text.render(self.app.console), style)
        return Strip(segments, width)

    def _go(self, at: int) -> None:
        self._at = max(0, min(at, len(self._rows) - 1))
        self.scroll_to_region(Region(0, self._at, 1, 1), animate=False, force=True)
        self.refresh()
        self.post_message(self.Moved())
