"""The board of laps, driven by keys."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from screens import settle
from textual.events import Paste
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Static

from mittelo.core.lapfiles import archive_file, stint_file
from mittelo.core.queues import TAIL, Lap, Queue, encode, finish, insert, parse
from mittelo.laps.boarding import Board
from mittelo.laps.place import Place
from mittelo.tui.board import LapsBoard
from mittelo.tui.laplist import LapList

MADE = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
AT = "2026-03-01T08:00:00Z"
ROOT = "laps.json"


class Desk:
    """A board on queues of a test's own; what is typed comes in one piece."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / ".laps"
        self.folder.mkdir(parents=True)
        self.size = (80, 24)
        self.seen = ""

    def write(self, file: str, queue: Queue) -> None:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(queue))

    def queue(self, file: str = ROOT) -> Queue:
        return parse((self.folder / file).read_bytes(), file)

    def titles(self, file: str = ROOT) -> list[str]:
        return [lap.title for lap in self.queue(file).todo]

    def press(self, *steps: str | Callable[[], object]) -> "Desk":
        """Press keys; `type …` types, `go …` puts the cursor on a lap, a function is called."""
        asyncio.run(self._press(steps))
        return self

    async def _press(self, steps: Sequence[str | Callable[[], object]]) -> None:
        place = Place(self.folder, self.folder.parent, self.folder.parent)
        self.app = LapsBoard(Board(place))
        self.app.animation_level = "none"
        async with self.app.run_test(size=self.size) as pilot:
            await pilot.pause()
            self._look()
            for step in steps:
                await self._take(pilot, step)
                await settle(pilot, self.list)
                self._look()

    async def _take(self, pilot: Pilot[None], step: str | Callable[[], object]) -> None:
        if callable(step):
            step()
        elif step.startswith("type "):
            self.app.post_message(Paste(step.removeprefix("type ")))
        elif step.startswith("go "):
            found = [row for row in self.list.rows if row.lap and row.lap.title == step[3:]]
            assert self.list.go_to(found[0].key)
        else:
            await pilot.press(step)

    @property
    def list(self) -> LapList:
        return self.app.screen_stack[0].query_one(LapList)

    def _look(self) -> None:
        width = self.list.scrollable_content_region.width
        height = self.list.scrollable_content_region.height
        self.lines = [self.list.render_line(y).text for y in range(height)]
        assert all(cell_len(line) == width for line in self.lines)
        self.shown = [line.rstrip() for line in self.lines if line.strip()]
        self.status = _text(self.app, "#status")
        self.message = _text(self.app, "#message")
        self.told = _text(self.app, "#told")
        self.here = self.list.row
        self.asks = isinstance(self.app.screen, ModalScreen)
        self.left = self.app._exit
        said = [note.message for note in self.app._notifications]
        said += [str(shown.content) for shown in self.app.screen.query(Static)]
        self.seen += "\n".join((*said, ""))


def _text(app: LapsBoard, query: str) -> str:
    return str(app.screen_stack[0].query_one(query, Static).content)


def lap(title: str, **words: Any) -> Lap:
    return Lap(id=f"repo-{title}", title=title, created_at=AT, updated_at=AT, **words)


def ref(name: str) -> Lap:
    return Lap(kind="stint", id=f"repo-{name}", ref=name, title=name)


def queue(*laps: str | Lap, prefix: str = "", held: bool = False) -> Queue:
    made = [lap(one) if isinstance(one, str) else one for one in laps]
    return insert(Queue(prefix=prefix, held=held), made, TAIL)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Three laps in root, and a stint of two before them."""
    for name in ("LAPS_SESSION", "LAPS_DIR"):
        monkeypatch.delenv(name, raising=False)
    made = Desk(tmp_path / "repo")
    made.write(ROOT, queue(ref("auth"), "a", "b", "c"))
    made.write(stint_file("auth"), queue("login", "logout", prefix="auth"))
    return made


def test_the_queue_is_shown_with_its_stints_and_the_head(desk: Desk) -> None:
    desk.press()
    assert [line.split("repo-")[0].rstrip() for line in desk.shown] == [
        *("▾ auth/ 0/2", "  ▶ login", "  · logout", "· a", "· b", "· c")
    ]
    assert desk.status == "ready · 5 to do · 0 done"
    assert desk.here
    assert desk.here.lap == desk.queue(stint_file("auth")).todo[0]
    assert "login\nrepo-login · auth" in desk.told


def test_the_cursor_moves_within_the_list(desk: Desk) -> None:
    def here(*keys: str) -> str:
        row = desk.press(*keys).here
        assert row
        assert row.lap
        return row.lap.title

    assert here("j", "down", "k", "j") == "a"
    assert here("k", "k", "up") == "auth"
    assert here("end", "j", "pagedown") == "c"
    assert here("pageup") == "auth"


def test_a_lap_is_done_and_undone(desk: Desk) -> None:
    desk.press("go b", "d")
    assert desk.titles() == ["auth", "a", "c"]
    assert "· b" not in "".join(desk.shown)
    desk.press("c", "go b", "u")
    assert desk.titles() == ["auth", "a", "b", "c"]


def test_undo_on_an_open_lap_is_about_the_last_one_done(desk: Desk) -> None:
    desk.press("go b", "d", "go a", "u")
    assert desk.titles() == ["auth", "a", "b", "c"]
    assert "Open again: b" in desk.seen


def test_what_is_done_is_hidden_until_asked_for(desk: Desk) -> None:
    desk.write(ROOT, finish(desk.queue(), "repo-b", MADE))
    assert "b" not in "".join(desk.press().shown[1:]).replace("repo-", "").split()
    assert any(line.startswith("✓ b") for line in desk.press("c").shown)
    assert not any(line.startswith("✓ b") for line in desk.press("c", "c").shown)


def test_the_last_lap_of_a_stint_archives_it_and_undo_brings_it_back(desk: Desk) -> None:
    desk.press("go login", "d", "go logout", "d")
    assert (desk.folder / archive_file("auth")).exists()
    assert "stint auth is through" in desk.seen
    desk.press("c", "go auth", "right", "go login", "u")
    assert desk.titles(stint_file("auth")) == ["login"]
    assert desk.titles() == ["auth", "a", "b", "c"]


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ("J", "a c b"),
        ("K", "b a c"),
        ("t", "b a c"),
        ("b", "a c b"),
        ("K K", "b a c"),
        ("J J J", "a c b"),
    ],
)
def test_laps_are_moved(desk: Desk, keys: str, wanted: str) -> None:
    desk.write(ROOT, queue("a", "b", "c"))
    (desk.folder / stint_file("auth")).unlink()
    desk.press("go b", *keys.split())
    assert desk.titles() == wanted.split()
    assert desk.here
    assert desk.here.lap
    assert desk.here.lap.title == "b"


def test_a_lap_moves_within_its_stint(desk: Desk) -> None:
    desk.press("go login", "J")
    assert desk.titles(stint_file("auth")) == ["logout", "login"]
    desk.press("go auth", "b")
    assert desk.titles() == ["a", "b", "c", "auth"]


def test_a_lap_is_edited_in_a_dialog(desk: Desk) -> None:
    desk.press(
        *("go a", "e", "end", "type  new", "enter", "type senior", "enter", "type first"),
        *("enter", "type second", "ctrl+s"),
    )
    assert not desk.asks
    found = desk.queue().find("repo-a")
    assert found
    assert (found.title, found.assignee, found.description) == ("a new", "senior", "first\nsecond")
    assert b'"edited"' in (desk.folder / "log.jsonl").read_bytes()


def test_looking_at_a_lap_changes_nothing(desk: Desk) -> None:
    nasty = "a\x1b[31m\u202eb\n\x07c"
    desk.write(ROOT, queue(lap("a"), Lap(id="repo-z", title=nasty, description=f"1\t{nasty}")))
    before = (desk.folder / ROOT).read_bytes()
    desk.press("end", "e", "ctrl+s", "e", "escape")
    assert not desk.asks
    assert (desk.folder / ROOT).read_bytes() == before


def test_an_empty_title_is_refused_and_can_be_mended(desk: Desk) -> None:
    desk.press("go a", "a", "ctrl+s", "type new", "ctrl+s")
    assert "has no title" in desk.seen
    assert desk.titles() == ["auth", "a", "new", "b", "c"]


def test_laps_are_added_below_and_at_the_head(desk: Desk) -> None:
    desk.press("go a", "a", "type x", "ctrl+s")
    assert desk.here
    assert desk.here.lap
    assert desk.here.lap.title == "x"
    desk.press("go b", "A", "type y", "ctrl+s")
    assert desk.titles() == ["y", "auth", "a", "x", "b", "c"]
    desk.press("go auth", "a", "type in", "ctrl+s", "go login", "A", "type first", "ctrl+s")
    assert desk.titles(stint_file("auth")) == ["first", "in", "login", "logout"]
    desk.press("go auth", "enter", "a", "type behind", "ctrl+s")
    assert desk.titles()[:3] == ["y", "auth", "behind"]


def test_deleting_asks_first(desk: Desk) -> None:
    desk.press("go b", "x", "n")
    assert desk.titles() == ["auth", "a", "b", "c"]
    desk.press("go b", "x", "y")
    assert desk.titles() == ["auth", "a", "c"]


def test_a_claimed_lap_is_deleted_only_if_the_claim_was_seen(desk: Desk) -> None:
    desk.press("go b", "x", lambda: claim(desk, "repo-b", "ann"), "y")
    assert desk.titles() == ["auth", "a", "b", "c"]
    assert "repo-b is claimed by session ann" in desk.seen
    desk.press("go b", "x", "y")
    assert desk.titles() == ["auth", "a", "c"]
    assert "It is claimed: ann 5m" in desk.seen
    assert not (desk.folder / "claim").exists()


def claim(desk: Desk, lap_id: str, session: str) -> None:
    now = datetime.now(UTC)
    since, until = (now + timedelta(minutes=m) for m in (-5.5, 59.5))
    (desk.folder / "claim").write_text(
        f'{{"lap":"{lap_id}","file":"laps.json","scope":"root","claimedAt":"{since.isoformat()}",'
        f'"session":"{session}","expiresAt":"{until.isoformat()}"}}\n'
    )


def test_claims_are_shown_with_session_and_age(desk: Desk) -> None:
    claim(desk, "repo-b", "bob")
    desk.press("go b")
    assert any(line.startswith("● b") and "bob 5m" in line for line in desk.shown)
    assert "claimed by bob 5m, for 59m more" in desk.told
    assert "1 claimed" in desk.status


def test_a_stint_is_held_and_released(desk: Desk) -> None:
    desk.press("go login", "h")
    assert desk.queue(stint_file("auth")).held
    assert desk.status.startswith("held")
    assert "stint auth is held" in desk.message
    assert "held" in desk.shown[0]
    desk.press("go auth", "h")
    assert not desk.queue(stint_file("auth")).held
    assert "Only an active stint" in desk.press("go a", "h").seen


def test_groups_open_and_close(desk: Desk) -> None:
    assert len(desk.press("go auth", "enter").shown) == 4
    assert len(desk.press("go auth", "left").shown) == 4
    assert len(desk.press("go auth", "left", "right").shown) == 6
    desk.press("go logout", "left")
    assert desk.here
    assert desk.here.stint == "auth"
    assert len(desk.shown) == 4


def test_nested_and_unqueued_stints_are_shown_once(desk: Desk) -> None:
    desk.write(stint_file("auth"), queue(ref("search"), "login", prefix="auth"))
    desk.write(stint_file("search"), queue("index", ref("auth"), prefix="sear"))
    desk.write(stint_file("spare"), queue("idea", prefix="spar"))
    shown = "\n".join(desk.press().shown)
    assert shown.count("· index") + shown.count("▶ index") == 1
    assert "▾ spare/ 0/1 not queued" in shown
    assert "auth/ 0/2 see above" in shown
    closed = "\n".join(desk.press("go auth", "left").shown)
    assert "search/" not in closed


def test_a_filter_shows_what_was_typed(desk: Desk) -> None:
    desk.press("/", "type log", "enter", "j")
    assert [line.split()[1] for line in desk.shown] == ["auth/", "login", "logout"]
    assert "/log" in desk.status
    assert len(desk.press("/", "type log", "enter", "escape").shown) == 6
    assert "No lap has these words" in desk.press("/", "type zebra").message


def test_what_others_do_shows_by_itself(desk: Desk) -> None:
    async def look() -> None:
        place = Place(desk.folder, desk.folder.parent, desk.folder.parent)
        app = LapsBoard(Board(place))
        async with app.run_test() as pilot:
            desk.write(ROOT, queue("new"))
            deadline = asyncio.get_running_loop().time() + 30
            while [row.lap.title for row in app.query_one(LapList).rows if row.lap] != ["new"]:
                assert asyncio.get_running_loop().time() < deadline
                await pilot.pause(0.05)

    (desk.folder / stint_file("auth")).unlink()
    asyncio.run(look())


def test_reading_again_can_be_asked_for(desk: Desk) -> None:
    desk.press(lambda: desk.write(ROOT, queue("new", "newer")), "r")
    assert "· newer" in "\n".join(desk.shown)


CHANGES: dict[str, Callable[[Desk], None]] = {
    "gone meanwhile": lambda desk: desk.write(ROOT, queue("a", "c")),
    "has changed meanwhile: title": lambda desk: desk.write(
        ROOT, queue("a", Lap(id="repo-b", title="B"), "c")
    ),
    "has changed meanwhile: done": lambda desk: desk.write(
        ROOT, finish(desk.queue(), "repo-b", MADE)
    ),
}


@pytest.mark.parametrize("told", CHANGES)
@pytest.mark.parametrize("keys", ["d", "J", "t", "x y"])
def test_acting_on_what_has_changed_meanwhile_says_so(
    desk: Desk, keys: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mittelo.tui.board.LOOK_SECONDS", 3600.0)  # it does not see it by itself

    def change() -> None:
        CHANGES[told](desk)
        desk.expected = (desk.folder / ROOT).read_bytes()  # type: ignore[attr-defined]

    desk.press("go b", change, *keys.split())
    assert told in desk.seen
    assert (desk.folder / ROOT).read_bytes() == desk.expected  # type: ignore[attr-defined]


def test_an_edit_keeps_what_others_changed(desk: Desk) -> None:
    def describe() -> None:
        changed = lap("b", description="theirs")
        desk.write(ROOT, queue("a", changed))

    desk.press("go b", "e", describe, "end", "type !", "ctrl+s")
    found = desk.queue().find("repo-b")
    assert found
    assert (found.title, found.description) == ("b!", "theirs")


def test_an_edit_of_what_others_changed_is_refused_and_not_lost(desk: Desk) -> None:
    def rename() -> None:
        desk.write(ROOT, queue("a", Lap(id="repo-b", title="theirs")))

    desk.press("go b", "e", rename, "end", "type !", "ctrl+s")
    assert desk.asks
    assert "has changed meanwhile: title" in desk.seen
    assert desk.titles() == ["a", "theirs"]


def test_many_at_once_lose_nothing(desk: Desk) -> None:
    """Somebody else adds laps while the board moves one about."""
    from mittelo.laps.editing import Draft, add
    from mittelo.laps.events import Who
    from mittelo.laps.selection import AT_ROOT
    from mittelo.laps.store import Store

    store = Store(Place(desk.folder, desk.folder.parent, desk.folder.parent))
    who = Who("other", MADE)

    def other() -> None:
        from mittelo.core.queues import HEAD

        add(store, who, [Draft("more")], HEAD, AT_ROOT)

    desk.press("go b", *[step for _ in range(5) for step in (other, "J", "K")])
    assert len(desk.titles()) == 9
    assert desk.titles().count("more") == 5


def test_an_empty_queue_says_so(desk: Desk) -> None:
    desk.write(ROOT, Queue())
    (desk.folder / stint_file("auth")).unlink()
    assert desk.press().message.startswith("The queue is empty")
    desk.press("a", "type first", "ctrl+s")
    assert desk.titles() == ["first"]
    desk.press("go first", "d")
    assert desk.message.startswith("Everything is done")
    assert desk.status.startswith("complete")


def test_a_folder_that_is_not_there_is_an_empty_queue(desk: Desk) -> None:
    for path in (desk.folder / ROOT, desk.folder / stint_file("auth")):
        path.unlink()
    (desk.folder / "stints").rmdir()
    desk.folder.rmdir()
    desk.press("r")
    assert desk.status.startswith("empty")
    assert not desk.folder.exists()


def test_a_broken_queue_says_what_to_do(desk: Desk) -> None:
    (desk.folder / ROOT).write_text('{"version":3,"tasks":[')
    desk.press("j", "d", "r")
    assert desk.status.startswith("broken")
    assert "laps.json is not a valid laps task file" in desk.message
    assert "laps doctor" in desk.message
    assert any("auth/" in line for line in desk.shown)


def test_a_broken_stint_is_marked(desk: Desk) -> None:
    (desk.folder / stint_file("auth")).write_text("{")
    desk.press()
    assert "auth/ 0/0 cannot be read" in desk.shown[0]
    assert "stints/auth.laps.json" in desk.message


def test_control_characters_are_never_shown(desk: Desk) -> None:
    nasty = "one\x1b]0;title\x07\x1b[31m two\u202e\x9b2J\u200b three\tx"
    made = Lap(id="repo-n", title=nasty, description=nasty, assignee=nasty)
    desk.write(ROOT, queue(made))
    (desk.folder / stint_file("auth")).unlink()
    desk.press("end", "x", "n", "d", "u")
    for text in ("".join(desk.lines), desk.told, desk.status, desk.seen):
        assert all(char.isprintable() or char == "\n" for char in text)
    assert "one two three x" in desk.told


@pytest.mark.parametrize("width", [20, 40, 80])
def test_long_titles_are_cut_to_the_width(desk: Desk, width: int) -> None:
    desk.size = (width, 16)
    long = lap("a very long title of a lap " * 9, assignee="somebody-with-a-name")
    wide = Lap(id="repo-w", title="漢字" * 60)
    desk.write(ROOT, queue(long, wide, "b"))
    claim(desk, "repo-w", "a-session-with-a-long-name")
    desk.press("end")
    assert any("…" in line for line in desk.lines)
    assert any(line.strip().startswith("· b") for line in desk.lines)


def test_thousands_of_laps_are_scrolled(desk: Desk) -> None:
    desk.write(ROOT, queue(*(f"{number:04}" for number in range(5000))))
    (desk.folder / stint_file("auth")).unlink()
    desk.press("end", "k", "pageup", "end")
    assert desk.shown[-1].startswith("· 4999")
    desk.press(*["pagedown"] * 5, *["j"] * 5, "home")
    assert desk.shown[0].startswith("▶ 0000")


def test_help_and_leaving(desk: Desk) -> None:
    assert "show only some laps" in desk.press("?").seen
    assert desk.press("?", "escape", "q").left
    assert not desk.press("j").left


def test_the_command_needs_a_terminal(desk: Desk) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [str(Path(sys.executable).with_name("laps")), "board"],
        cwd=desk.folder.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 1
    assert "needs a terminal" in done.stderr
