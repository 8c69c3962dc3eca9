"""The form of `rally config`: all settings on one screen, to be changed in one file."""

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Footer, Input, OptionList, Static

from mittelo.config.drafts import Draft, amend, drop, open_draft, put, save
from mittelo.config.findings import Finding, Key, dotted
from mittelo.config.layers import parse_key
from mittelo.config.paths import WorkspacePaths
from mittelo.errors import MitteloError
from mittelo.tui.dialogs import LeaveDialog, TextDialog, ValueDialog
from mittelo.tui.rowlist import RowList, findings_shown
from mittelo.tui.rows import all_rows, detail, in_order
from mittelo.tui.words import ADDING, KEYS, hint, shortened, title


def edit_settings(paths: WorkspacePaths, file: Path) -> None:
    """Let a person change the settings of a file in a form."""
    form = SettingsForm(open_draft(paths, file))
    form.run()
    if form.return_code:
        # Textual shows a fault of ours and returns as if nothing had been.
        raise RuntimeError("the form broke off")


class SettingsForm(App[None]):
    """Lists the settings, collects changes in a draft, and saves or discards them."""

    ENABLE_COMMAND_PALETTE = False
    CSS_PATH = "settings.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", show=False),
        Binding("down", "list", "To the list", show=False),
        Binding("escape", "go_back", "Back", show=False),
        Binding("ctrl+q,ctrl+c", "leave", "Leave", show=False),
    ]

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft
        self._findings: list[Finding] = []
        self._list = RowList(id="rows", compact=True)

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield Static(id="title", markup=False)
        yield Input(placeholder="show only settings with …", id="filter", compact=True)
        yield self._list
        yield Static(id="detail", markup=False)
        with VerticalScroll(id="findings"):
            yield Static(id="found", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Show everything."""
        self._field.display = False
        self._show()
        self.screen.set_focus(self._list)

    @on(Input.Changed, "#filter")
    def _show(self) -> None:
        """Show the draft: its settings in sections, and what was found in it."""
        configuration = self.draft.configuration()
        self._findings = configuration.findings
        rows = all_rows(self.draft, configuration)
        self._list.show([row for row in rows if row.matches(self._field.value)])
        self.query_one("#title", Static).update(title(self.draft))
        self._show_detail()

    @on(OptionList.OptionHighlighted)
    def _show_detail(self) -> None:
        """Show the whole of the highlighted setting, and findings, those about it first."""
        if not self._list.is_attached:  # somebody has just left
            return
        row = self._list.row
        self.query_one("#detail", Static).update(detail(row, self.draft) if row else "")
        found = in_order(self._findings, row.findings if row else [])
        lines = [(one.gravity, shortened(str(one), self.draft)) for one in found]
        self.query_one("#found", Static).update(findings_shown(lines))
        self.query_one("#findings").display = bool(found)

    @on(OptionList.OptionSelected)
    def action_edit(self) -> None:
        """Flip a switch; ask for any other value."""
        if not (row := self._list.row):
            return
        if row.flipped is not None:
            self._flip(row.key, row.flipped)
            return

        def accept(_: str, words: str) -> None:
            if words != row.editable:
                self._become(amend(self.draft, row.key, words))

        self.push_screen(ValueDialog(accept, hint(row.key), dotted(row.key), row.editable))

    def _flip(self, key: Key, words: str) -> None:
        try:
            self._become(put(self.draft, key, words))
        except MitteloError as error:
            self._complain(error)

    def action_add(self) -> None:
        """Ask for a key and its value."""

        def accept(words: str, value: str) -> None:
            key = parse_key(words)
            after = put(self.draft, key, value)
            self._end_filter()
            self._become(after)
            self._list.go_to(key)

        self.push_screen(ValueDialog(accept, ADDING))

    def action_unset(self) -> None:
        """Remove the highlighted setting from the file."""
        if not (row := self._list.row):
            return
        if (after := drop(self.draft, row.key)) is self.draft:
            self.notify("This file does not set it.")
        self._become(after)

    def action_filter(self) -> None:
        """Show the field for what to look for."""
        self._field.display = True
        self.screen.set_focus(self._field)

    @on(Input.Submitted, "#filter")
    def action_list(self) -> None:
        """Go to the list of settings."""
        self.screen.set_focus(self._list)

    def action_next_wrong(self) -> None:
        """Go to the next setting that something was found about."""
        if not self._list.go_to_next_wrong():
            self.notify("Nothing is wrong with any of these settings.")

    def action_help(self) -> None:
        """Show the keys and marks."""
        self.push_screen(TextDialog("Keys and marks", KEYS))

    def action_save(self) -> bool:
        """Write the changes; tell whether that went well."""
        if not self.draft.is_changed:
            self.notify("There is nothing to save.")
            return True
        try:
            self._become(save(self.draft))
        except (MitteloError, OSError) as error:
            self._complain(error)
            return False
        self.notify(f"Saved in {shortened(str(self.draft.file), self.draft)}", markup=False)
        return True

    def action_go_back(self) -> None:
        """Show all settings again, or leave when they are shown."""
        if not self._field.display:
            self.action_leave()
            return
        self._end_filter()
        self._show()
        self.screen.set_focus(self._list)

    def action_leave(self) -> None:
        """Leave, after a question when there are changes."""
        if self.draft.is_changed:
            self.push_screen(LeaveDialog(), self._leave)
        else:
            self.exit()

    def _leave(self, saves: bool | None) -> None:
        if saves is False or (saves and self.action_save()):
            self.exit()

    def _end_filter(self) -> None:
        self._field.clear()
        self._field.display = False

    def _become(self, draft: Draft) -> None:
        self.draft = draft
        self._show()

    def _complain(self, error: Exception) -> None:
        self.notify(str(error), severity="error", markup=False, timeout=10)

    @property
    def _field(self) -> Input:
        return self.query_one("#filter", Input)
