"""The form of settings, driven by keys."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from screens import settle
from support import Place
from textual.events import Paste
from textual.screen import ModalScreen
from textual.widgets import Static

from mittelo.config.drafts import open_draft
from mittelo.config.edit import set_value
from mittelo.config.findings import Key
from mittelo.config.paths import WorkspacePaths, user_config
from mittelo.errors import UsageError
from mittelo.tui.rowlist import RowList
from mittelo.tui.rows import Row
from mittelo.tui.settings import SettingsForm, edit_settings


class Form:
    """The form on a file, after keys were pressed; what is typed comes in one piece."""

    def __init__(self, place: Place, file: Path | None = None) -> None:
        paths = WorkspacePaths(place.root)
        self.file = file or paths.config
        self.app = SettingsForm(open_draft(paths, self.file))
        self.app.animation_level = "none"
        self.seen = ""

    def press(self, *steps: str) -> "Form":
        asyncio.run(self._press(steps))
        return self

    async def _press(self, steps: Sequence[str]) -> None:
        async with self.app.run_test(size=(80, 24)) as pilot:
            for step in steps:
                if step.startswith("go "):
                    self._go(step.removeprefix("go "))
                elif step.startswith("type "):
                    self.app.post_message(Paste(step.removeprefix("type ")))
                elif step.startswith("write "):
                    self.file.write_text(step.removeprefix("write "))
                else:
                    await pilot.press(step)
                await settle(pilot, self._list)
                self._look()

    def _go(self, key: str) -> None:
        assert self._list.go_to(tuple(key.split("/")))

    @property
    def _list(self) -> RowList:
        return self.app.screen_stack[0].query_one(RowList)

    def _look(self) -> None:
        options = self._list.options
        self.rows: dict[Key, Row] = {o.row.key: o.row for o in options if hasattr(o, "row")}
        self.here = self._list.row
        self.title = _text(self.app, "#title")
        self.detail = _text(self.app, "#detail")
        self.found = _text(self.app, "#found")
        self.left = self.app._exit
        self.asks = isinstance(self.app.screen, ModalScreen)
        self.seen += "".join(str(shown.content) for shown in self.app.screen.query(Static))

    @property
    def text(self) -> str:
        return self.file.read_text()


def _text(app: SettingsForm, query: str) -> str:
    return str(app.screen_stack[0].query_one(query, Static).content)


ITERATIONS = "go defaults/iterations"
CLEAR = ("end", "ctrl+u")


def test_a_number_is_edited_and_saved(place: Place) -> None:
    form = Form(place).press(ITERATIONS, "enter", *CLEAR, "type 12", "enter", "s")
    assert "iterations = 12" in form.text
    assert form.rows["defaults", "iterations"].origin == "repository"


def test_a_wrong_number_is_refused_and_can_be_mended(place: Place) -> None:
    form = Form(place).press(
        ITERATIONS, "enter", *CLEAR, "type 1x", "enter", "backspace", "type 5", "enter", "ctrl+s"
    )
    assert "a whole number is wanted" in form.seen
    assert "iterations = 15" in form.text


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("nobody", "unknown agent alias 'nobody'"),
        ("cc:3-1", "3-1"),
        ("cc:nomodel", "unknown model 'nomodel'"),
    ],
)
def test_a_wrong_route_is_refused(place: Place, words: str, complaint: str) -> None:
    form = Form(place).press("go routes/senior", "enter", f"type {words}", "enter", "ctrl+s")
    assert complaint in form.seen
    assert form.text == ""


def test_an_emptied_number_stays_as_it_was(place: Place) -> None:
    place.configure("[defaults]\niterations = 4\n")
    form = Form(place).press(ITERATIONS, "enter", *CLEAR, "enter")
    assert not form.asks
    assert form.rows["defaults", "iterations"].own == 4


def test_an_emptied_route_is_removed(place: Place) -> None:
    place.configure('[routes]\nsenior = ["cc"]\nqa = ["cx"]\n')
    form = Form(place).press("go routes/qa", "enter", *CLEAR, "enter", "s")
    assert ("routes", "qa") not in form.rows
    assert form.text == '[routes]\nsenior = ["cc"]\n'


def test_looking_at_a_value_does_not_make_it_ones_own(place: Place) -> None:
    form = Form(place).press(ITERATIONS, "enter", "enter", "s")
    assert form.text == ""


def test_a_switch_is_flipped(place: Place) -> None:
    form = Form(place).press("go run_hooks_on_autocommit", "enter", "s")
    assert "run_hooks_on_autocommit = true" in form.text
    form = Form(place).press("go run_hooks_on_autocommit", "enter", "s")
    assert "run_hooks_on_autocommit = false" in form.text


def test_a_setting_is_unset(place: Place) -> None:
    place.configure("[defaults]\niterations = 4\n")
    form = Form(place).press(ITERATIONS, "u")
    assert form.rows["defaults", "iterations"].origin == "built-in"
    assert "NOT SAVED" in form.title
    assert form.text == "[defaults]\niterations = 4\n"
    assert Form(place).press(ITERATIONS, "delete", "s").text == ""


def test_a_setting_under_an_older_name_is_unset_and_renamed(place: Place) -> None:
    place.configure('claude_model = "opus"\n')
    form = Form(place).press("go defaults/claude_model", "u", "s")
    assert form.text == ""
    place.configure('claude_model = "opus"\n')
    form = Form(place).press("go defaults/claude_model", "enter", "type x", "enter", "s")
    assert 'claude_model = "opusx"' in form.text
    assert form.found == ""


def test_a_route_is_added(place: Place) -> None:
    form = Form(place).press("a", "type routes.docs", "enter", "type cc, cx:2", "enter")
    assert form.here == form.rows["routes", "docs"]
    assert form.rows["routes", "docs"].value == ["cc", "cx:2"]
    assert form.text == ""


def test_adding_what_is_no_setting_is_refused(place: Place) -> None:
    form = Form(place).press("a", "type defaults.iteratons", "enter", "type 3", "enter")
    assert "Did you mean defaults.iterations?" in form.seen


def test_a_harness_is_added_with_a_model(place: Place) -> None:
    command = ("a", "type harness.mine.command", "enter", "type mine, run", "enter")
    model = ("a", "type harness.mine.models.big", "enter", "type giant-1", "enter")
    form = Form(place).press(*command, *model, "s")
    assert form.rows["harness", "mine", "models", "big"].value == "giant-1"
    assert form.rows["harness", "mine", "model_flag"].origin == "not set"
    assert 'command = ["mine", "run"]' in form.text


def test_settings_stand_in_sections_and_roles_in_their_order(place: Place) -> None:
    place.configure(
        '[routes]\nzeta = ["cc"]\nalpha = ["cc"]\nSenior = ["cc"]\n[harness.cc.models]\no = "p"\n'
    )
    form = Form(place).press("end")
    roles = [key[1] for key in form.rows if key[0] == "routes"]
    assert roles == [
        *("default", "junior", "Senior", "ui", "verify", "recovery"),
        *("alpha", "zeta"),
    ]
    assert [*dict.fromkeys(row.section for row in form.rows.values())] == [
        *("Defaults", "Models", "Paths and toggles", "Free run", "Laps"),
        *("Routes", "Reliability", "Budget", "Notifications", "Policy and sandbox"),
        "Harnesses and their models",
    ]
    assert form.here == form.rows["harness", "cc", "models", "o"]


def test_a_filter_shows_what_was_typed(place: Place) -> None:
    form = Form(place).press("/", "type timeout try", "enter")
    assert [*form.rows] == [("reliability", "try_timeout_secs")]
    assert form.here == form.rows["reliability", "try_timeout_secs"]
    assert ("data_dir",) in Form(place).press("/", "type timeout", "escape").rows


def test_discarding_writes_nothing(place: Place) -> None:
    form = Form(place).press(ITERATIONS, "enter", *CLEAR, "type 5", "enter", "q", "d")
    assert "discard them and leave" in form.seen
    assert form.left
    assert form.text == ""


def test_leaving_can_save_or_stay(place: Place) -> None:
    place.configure("[defaults]\niterations = 4\n")
    form = Form(place).press(ITERATIONS, "u", "q", "escape", "enter", "escape", "escape", "s")
    assert form.left
    assert form.text == ""


def test_leaving_without_changes_asks_nothing(place: Place) -> None:
    assert Form(place).press("q").left


def test_a_setting_that_is_highlighted_as_the_form_closes_is_no_fault(place: Place) -> None:
    Form(place).press().app._show_detail()


def test_comments_and_unknown_keys_survive(place: Place) -> None:
    place.configure("# ours\nshade = 3\n\n[defaults]  # a word\niterations = 4 # few\n")
    form = Form(place).press(ITERATIONS, "enter", *CLEAR, "type 8", "enter", "s")
    assert form.text == (
        "# ours\nshade = 3\nschema_version = 2\n\n[defaults]  # a word\niterations = 8 # few\n"
    )
    assert form.rows["shade",].origin == "ignored"


def test_what_others_wrote_in_between_survives(place: Place) -> None:
    form = Form(place).press(
        ITERATIONS,
        "enter",
        *CLEAR,
        "type 8",
        "enter",
        'write [routes]\nqa = ["cc"] # theirs\n',
        "s",
    )
    assert 'qa = ["cc"] # theirs' in form.text
    assert "iterations = 8" in form.text
    assert "NOT SAVED" not in form.title
    assert ("routes", "qa") in form.rows


def test_changes_are_kept_while_the_file_cannot_be_written(place: Place) -> None:
    form = Form(place).press(ITERATIONS, "enter", *CLEAR, "type 8", "enter", "write [", "s")
    assert form.text == "["
    assert "NOT SAVED" in form.title
    assert not form.left


def test_a_broken_configuration_is_mended(place: Place) -> None:
    place.configure('[reliability]\nretry_budget = "many"\n[routes]\nsenior = ["zz"]\n')
    form = Form(place).press(
        "n", "enter", *CLEAR, "type cx", "enter", "n", "enter", *CLEAR, "type 3", "enter", "s"
    )
    assert ".rally/config.toml:2: reliability.retry_budget" in form.seen
    assert ".rally/config.toml:4: route 'senior'" in form.seen
    assert form.found == ""
    assert form.text == (
        'schema_version = 2\n\n[reliability]\nretry_budget = 3\n[routes]\nsenior = ["cx"]\n'
    )


def test_a_fault_of_another_file_does_not_stand_in_the_way(place: Place) -> None:
    place.configure('[routes]\nsenior = ["zz"]\n')
    user = user_config()
    user.parent.mkdir(parents=True)
    user.write_text("")
    form = Form(place, user).press("go routes/senior", "enter", *CLEAR, "type cx", "enter", "s")
    assert form.text == 'schema_version = 2\n\n[routes]\nsenior = ["cx"]\n'
    assert "unknown agent alias 'zz'" in form.found


def test_the_users_file_is_told_from_the_repositorys(place: Place) -> None:
    place.configure("[defaults]\niterations = 4\n")
    user = user_config()
    set_value(WorkspacePaths(place.root), user, ("defaults", "iterations"), "9")
    form = Form(place, user).press(ITERATIONS)
    row = form.rows["defaults", "iterations"]
    assert (row.value, row.own, row.origin, row.wins) == (4, 9, "repository", False)
    assert "your settings" in form.title
    assert "this file says: 9" in form.detail
    form = Form(place).press(ITERATIONS)
    assert form.rows["defaults", "iterations"].wins
    assert "the repository's settings" in form.title


def test_a_list_with_a_comma_inside_comes_back_whole(place: Place) -> None:
    place.configure('[harness.mine]\ncommand = ["sh", "-c", "a, b"]\n')
    row = Form(place).press("end").rows["harness", "mine", "command"]
    assert row.editable == '["sh", "-c", "a, b"]'


def test_a_file_that_is_not_toml_is_not_opened(place: Place) -> None:
    place.configure("[routes\n")
    paths = WorkspacePaths(place.root)
    with pytest.raises(UsageError, match="rally config edit"):
        edit_settings(paths, paths.config)
