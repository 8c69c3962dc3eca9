"""Dialogs that ask for one thing, or tell one, over a screen."""

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalGroup
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Static

from mittelo.errors import MitteloError

Accept = Callable[[str, str], None]
"""Takes a key and the words for its value; raises what is wrong with them."""


class Field(Input):
    """A field that tells how it is submitted."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "submit", "OK")]


class ValueDialog(ModalScreen[None]):
    """Asks for a value, and for its key where none is given; stays until it is right."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel"),
    ]

    def __init__(self, accept: Accept, hint: str, key: str = "", words: str = "") -> None:
        super().__init__()
        self._accept, self._hint = accept, hint
        self._key, self._words = key, words

    def compose(self) -> ComposeResult:
        """Lay the dialog out."""
        with VerticalGroup(classes="dialog") as box:
            box.border_title = self._key or "New setting"
            yield Static(self._hint, classes="quiet", markup=False)
            if not self._key:
                yield Field(placeholder="key", id="key")
            yield Field(self._words, placeholder="value", id="words", select_on_focus=False)
            yield Static(id="wrong", markup=False)
        yield Footer()

    @on(Input.Submitted, "#key")
    def go_on(self) -> None:
        """Ask for the value next."""
        self.set_focus(self.query_one("#words"))

    @on(Input.Submitted, "#words")
    def accept(self) -> None:
        """Be done, or say what is wrong."""
        key = self._key or self.query_one("#key", Input).value.strip()
        wrong = self.query_one("#wrong", Static)
        try:
            self._accept(key, self.query_one("#words", Input).value)
        except MitteloError as error:
            wrong.update(str(error))
            wrong.display = True
        else:
            self.dismiss()


class LeaveDialog(ModalScreen[bool | None]):
    """Asks what to do with changes: True saves, False discards, None stays."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "dismiss(True)", "Save"),
        Binding("d", "dismiss(False)", "Discard"),
        Binding("escape", "dismiss(None)", "Stay"),
    ]

    def compose(self) -> ComposeResult:
        """Lay the dialog out."""
        with VerticalGroup(classes="dialog") as box:
            box.border_title = "The changes are not saved"
            yield Static("s  save them and leave\nd  discard them and leave\nEsc  stay")
        yield Footer()


class TextDialog(ModalScreen[None]):
    """Shows a text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,question_mark", "dismiss", "Close"),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        """Lay the dialog out."""
        with VerticalGroup(classes="dialog") as box:
            box.border_title = self._title
            yield Static(self._text, markup=False)
        yield Footer()
