"""The board of `laps board`: the queue on one screen, to be looked at and put in order."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar, TypeVar

from msgspec.structs import replace
from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Footer, Input, Static

from mittelo.core.lapfiles import ROOT_FILE, stint_file
from mittelo.core.queues import HEAD, TAIL
from mittelo.errors import MitteloError
from mittelo.laps.boarding import Board, Picture, Target
from mittelo.laps.editing import Draft, Edit
from mittelo.laps.place import Place
from mittelo.tui.boardwords import KEYS, detail, message, status
from mittelo.tui.lapdialogs import ConfirmDialog, HelpDialog, LapDialog, Words
from mittelo.tui.laplist import Key, LapList
from mittelo.tui.laprows import Row, View, claim_words, plain, plain_lines, rows

LOOK_SECONDS = 1.0
CLAIM_LOOKS = 15
"""So often are claims read again though no file has changed: they end by themselves."""

T = TypeVar("T")


def show_board(place: Place) -> None:
    """Let a person look at the queue and put it in order."""
    board = LapsBoard(Board(place))
    board.run()
    if board.return_code:
        # Textual shows a fault of ours and returns as if nothing had been.
        raise RuntimeError("the board broke off")


class LapsBoard(App[None]):
    """Shows how the queues stand, and asks for changes."""

    ENABLE_COMMAND_PALETTE = False
    CSS_PATH = "board.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "all", "Show all", show=False),
        Binding("ctrl+q,ctrl+c", "leave", "Quit", show=False),
    ]

    def __init__(self, board: Board) -> None:
        super().__init__()
        self._board = board
        self._picture = Picture({}, {})
        self._view = View()
        self._trace: object = None
        self._looks = 0
        self._list = LapList(_now, id="laps")
        self._field = Input(placeholder="show only laps with …", id="filter", compact=True)
        self._told = Static(id="told", markup=False)

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield Static(id="status", markup=False)
        yield self._field
        yield Static(id="message", markup=False)
        yield self._list
        with VerticalScroll(id="detail", can_focus=False):
            yield self._told
        yield Footer()

    async def on_mount(self) -> None:
        """Show everything, and look again every second."""
        self._field.display = False
        await self._reload()
        if self._picture.head:
            self._list.go_to(self._picture.head)
        self.screen.set_focus(self._list)
        self.set_interval(LOOK_SECONDS, self._look)

    def action_help(self) -> None:
        """Show the keys and marks."""
        self.push_screen(HelpDialog("Keys and marks", KEYS))

    async def action_reload(self) -> None:
        """Read all files again."""
        await self._reload()

    def action_show_done(self) -> None:
        """Show what is done, or hide it."""
        self._see(replace(self._view, shows_done=not self._view.shows_done))

    def action_filter(self) -> None:
        """Show the field for what to look for."""
        self._field.display = True
        self.screen.set_focus(self._field)

    @on(Input.Changed, "#filter")
    def show_matching(self) -> None:
        """Show what was looked for."""
        self._see(replace(self._view, words=self._field.value))

    @on(Input.Submitted, "#filter")
    def go_back_to_list(self) -> None:
        """Go to the laps that were found."""
        self.screen.set_focus(self._list)

    def action_all(self) -> None:
        """Show all laps again."""
        self._field.clear()
        self._field.display = False
        self._see(replace(self._view, words=""))
        self.screen.set_focus(self._list)

    def action_open(self) -> None:
        """Open or close a group; edit a lap."""
        if (row := self._list.row) and row.stint:
            self._turn(row.stint)
        else:
            self.action_edit()

    def action_turn(self, opens: bool) -> None:
        """Open or close the group under the cursor; from a lap in it, close its group."""
        row = self._list.row
        if row and row.stint and row.is_open != opens:
            self._turn(row.stint)
        elif row and row.inside and not opens:
            above = [one for one in self._list.rows if one.stint == row.inside]
            if above and self._list.go_to(above[0].key) and not row.stint:
                self._turn(row.inside)

    def action_edit(self) -> None:
        """Ask what a lap should say."""
        if not (row := self._list.row) or not (seen := row.target):
            return
        if seen.lap.is_ref:
            self.notify("It stands for a stint: Enter opens it.")
            return
        lap = seen.lap
        was = Words(plain(lap.title), plain(lap.assignee), plain_lines(lap.description))

        async def accept(words: Words) -> None:
            changed = {
                name: getattr(words, name)
                for name in ("title", "description", "assignee")
                if getattr(words, name) != getattr(was, name)
            }
            if changed:
                await asyncio.to_thread(self._board.edit, seen, Edit(**changed))
                await self._reload()

        self.push_screen(LapDialog(f"Edit {plain(lap.id)}", was, accept))

    def action_add(self) -> None:
        """Ask for a lap to be added right below the cursor."""
        row = self._list.row
        if row and row.stint and (row.is_open or not row.lap):
            self._add(stint_file(row.stint))
        elif row and row.lap:
            self._add(row.file, row.lap.id)
        else:
            self._add(ROOT_FILE)

    def action_add_at_head(self) -> None:
        """Ask for a lap to be added at the head of the queue that the cursor is in."""
        row = self._list.row
        self._add(stint_file(row.stint) if row and row.stint else row.file if row else ROOT_FILE)

    def _add(self, file: str, after: str = "") -> None:
        if file not in self._picture.queues:
            self.notify(f"There is no queue in {file}.", severity="error", markup=False)
            return

        async def accept(words: Words) -> None:
            draft = Draft(words.title, words.description, words.assignee)
            lap_id = await asyncio.to_thread(self._board.add, draft, file, after)
            await self._reload(go_to=(file, lap_id))

        self.push_screen(LapDialog("Add a lap", Words(), accept))

    async def action_shift(self, step: int) -> None:
        """Move a lap by one place."""
        if seen := self._open_target():
            await self._carry_out(partial(self._board.shift, seen, step))

    async def action_move(self, position: str) -> None:
        """Move a lap to the head or to the tail of its queue."""
        if seen := self._open_target():
            where = HEAD if position == "head" else TAIL
            await self._carry_out(partial(self._board.move, seen, where))

    async def action_finish(self) -> None:
        """Mark a lap as done."""
        if seen := self._target():
            for note in await self._carry_out(partial(self._board.finish, seen)) or ():
                self.notify(plain(note), markup=False)

    async def action_reopen(self) -> None:
        """Open the lap under the cursor if it is done, else the one that was finished last."""
        row = self._list.row
        if row and row.lap and row.lap.is_done:
            seen = Target(row.file, row.lap)
            if file := await self._carry_out(partial(self._board.reopen, seen)):
                self._list.go_to((file, seen.lap.id))
        elif title := await self._carry_out(self._board.undo):
            self.notify(f"Open again: {plain(title)}", markup=False)

    def action_delete(self) -> None:
        """Ask whether a lap should go, and take it out."""
        if not (row := self._list.row) or not (seen := self._target()):
            return
        what = plain(seen.lap.title)
        if seen.lap.is_ref:
            what = f"The reference to stint {plain(seen.lap.ref)}; its laps stay in their file."
        if row.claim:
            what += f"\n\nIt is claimed: {claim_words(row.claim, _now())}"

        async def answer(meant: bool | None) -> None:
            if meant:
                claimed = row.claim is not None
                await self._carry_out(partial(self._board.delete, seen, claimed=claimed))

        self.push_screen(ConfirmDialog(f"Delete {plain(seen.lap.id)}?", what), answer)

    async def action_hold(self) -> None:
        """Hold the stint that the cursor is on or in, or release it."""
        row = self._list.row
        name = (row.stint or row.inside) if row else ""
        queue = self._picture.queues.get(stint_file(name)) if name else None
        if not queue:
            self.notify("Only an active stint can be held.")
            return
        await self._carry_out(partial(self._board.hold, name, held=not queue.held))

    def action_leave(self) -> None:
        """Leave."""
        self.exit()

    @on(LapList.Moved)
    def show_detail(self) -> None:
        """Show the whole of the lap under the cursor."""
        self._told.update(detail(self._list.row, self._picture, _now()))

    async def _look(self) -> None:
        """Read the files again if one has changed."""
        self._looks += 1
        if self._board.trace() != self._trace or self._looks % CLAIM_LOOKS == 0:
            await self._reload()
        else:
            self._list.refresh()

    async def _carry_out(self, action: Callable[[], T]) -> T | None:
        """Do something under the lock, apart from the screen; show what became of it."""
        try:
            found = await asyncio.to_thread(action)
        except (MitteloError, OSError) as error:
            self.notify(plain_lines(str(error)), severity="error", markup=False, timeout=10)
            found = None
        await self._reload()
        return found

    async def _reload(self, go_to: Key | None = None) -> None:
        try:
            self._trace = self._board.trace()
            self._picture = await asyncio.to_thread(self._board.look)
        except (MitteloError, OSError) as error:
            self._picture = Picture({}, {}, trouble=str(error))
        self._see(self._view)
        if go_to:
            self._list.go_to(go_to)

    def _see(self, view: View) -> None:
        self._view = view
        if not self._list.is_attached:  # somebody has just left
            return
        listed = rows(self._picture, view)
        self._list.show(listed)
        words = message(self._picture, view, listed)
        shown = self.query_one("#message", Static)
        shown.update(words)
        shown.display = bool(words)
        self.query_one("#status", Static).update(status(self._picture, view))
        self.show_detail()

    def _turn(self, stint: str) -> None:
        self._see(replace(self._view, turned=self._view.turned ^ {stint}))

    def _target(self) -> Target | None:
        row: Row | None = self._list.row
        return row.target if row else None

    def _open_target(self) -> Target | None:
        seen = self._target()
        if seen and seen.lap.is_done:
            self.notify("It is done: its place is fixed.")
            return None
        return seen


def _now() -> datetime:
    return datetime.now(UTC)
