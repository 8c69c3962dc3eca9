"""Dialogs of the board: what a lap says, and whether something is really meant."""

from collections.abc import Awaitable, Callable
from typing import ClassVar

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalGroup
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Static, TextArea

from mittelo.errors import MitteloError
from mittelo.tui.dialogs import TextDialog
from mittelo.tui.laprows import plain_lines


class Words(Struct, frozen=True):
    """What a person types for a lap."""

    title: str = ""
    assignee: str = ""
    description: str = ""


Accept = Callable[[Words], Awaitable[None]]
"""Takes the words; raises what is wrong with them."""


class LapDialog(ModalScreen[None]):
    """Asks what a lap should say; stays until that is accepted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "accept", "Save", priority=True),
        Binding("escape", "dismiss", "Cancel"),
    ]

    def __init__(self, title: str, words: Words, accept: Accept) -> None:
        super().__init__()
        self._title, self._words, self._accept = title, words, accept

    def compose(self) -> ComposeResult:
        """Lay the dialog out."""
        with VerticalGroup(classes="dialog") as box:
            box.border_title = self._title
            yield Static("Title", classes="quiet")
            yield Input(self._words.title, id="lap-title", compact=True, select_on_focus=False)
            yield Static("Assignee (a role; may be empty)", classes="quiet")
            yield Input(self._words.assignee, id="assignee", compact=True, select_on_focus=False)
            yield Static("Description", classes="quiet")
            yield TextArea(
                self._words.description, id="description", tab_behavior="focus", compact=True
            )
            yield Static(id="wrong", markup=False)
        yield Footer()

    @on(Input.Submitted)
    def go_on(self) -> None:
        """Go to the next field."""
        self.focus_next()

    async def action_accept(self) -> None:
        """Be done, or say what is wrong."""
        words = Words(
            self.query_one("#lap-title", Input).value,
            self.query_one("#assignee", Input).value,
            self.query_one("#description", TextArea).text,
        )
        try:
            await self._accept(words)
        except (MitteloError, OSError) as error:
            wrong = self.query_one("#wrong", Static)
            wrong.update(plain_lines(str(error)))
            wrong.display = True
        else:
            self.dismiss()


class HelpDialog(TextDialog):
    """Shows a text that may be longer than the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "roll(1)", "Down", show=False),
        Binding("up,k", "roll(-1)", "Up", show=False),
    ]

    def action_roll(self, lines: int) -> None:
        """Scroll the text."""
        self.query_one(".dialog").scroll_relative(y=lines, animate=False)


class ConfirmDialog(ModalScreen[bool]):
    """Asks whether something is really meant; any key but `y` is a no."""

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        """Lay the dialog out."""
        with VerticalGroup(classes="dialog") as box:
            box.border_title = self._title
            yield Static(f"{self._text}\n\ny  yes\nany other key  no", markup=False)

    def on_key(self, event: Key) -> None:
        """Take the answer."""
        event.stop()
        self.dismiss(event.key == "y")
