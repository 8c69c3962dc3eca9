"""`rally init roles`, and the texts of roles."""

import json
from pathlib import Path

import pytest
from lanes import agents, install, served, shown, started
from support import Place

SENIOR = ".rally/agents/builtin/senior.md"
MANAGED = [
    f".rally/agents/builtin/{role}.md" for role in ("junior", "recovery", "senior", "ui", "verify")
]


def lanes_of(place: Place) -> dict[str, list[str]]:
    found = json.loads(shown(place, "routes", "check", "--json"))
    assert found["errors"] == []
    return {lane["name"]: [e["entry"] for e in lane["entries"]] for lane in found["lanes"]}


def test_roles_are_set_up_with_two_of_the_installed_agents(place: Place) -> None:
    install(place, "claude", "codex", "gemini")
    out = shown(place, "init", "roles")
    assert lanes_of(place) == {
        "default": ["cc", "cx"],
        "junior": ["cc", "cx"],
        "recovery": ["cc", "cx"],
        "senior": ["cc", "cx"],
        "ui": ["ge", "cc"],
        "verify": ["cx", "cc"],
    }
    assert "ui: ge, then cc" in out
    assert str(place.root / ".rally/config.toml") in out
    assert sorted(place.committed()) == sorted([*MANAGED, ".rally/config.toml"])
    assert (place.root / ".rally/agents/user").is_dir()
    assert place.git("status", "--porcelain") == ""
    found = json.loads(shown(place, "routes", "check", "--json"))
    assert (found["warnings"], found["advisories"]) == ([], [])
    assert {role["source"] for role in found["roles"]} == {"managed"}


def test_setting_roles_up_again_changes_nothing(place: Place) -> None:
    install(place, "claude", "codex")
    shown(place, "init", "roles")
    head, config = place.git("rev-parse", "HEAD"), (place.root / ".rally/config.toml").read_text()
    install(place, "opencode")
    assert "no lane was missing" in shown(place, "init", "roles")
    assert place.git("rev-parse", "HEAD") == head
    assert (place.root / ".rally/config.toml").read_text() == config


def test_only_missing_lanes_are_added(place: Place) -> None:
    install(place, "claude", "codex")
    mine = '# mine\n[routes]\nSENIOR = ["ge"] # my choice\nother = ["op"]\n'
    place.configure(mine)
    out = shown(place, "init", "roles")
    assert "senior:" not in out.casefold()
    lanes = lanes_of(place)
    assert (lanes["SENIOR"], lanes["other"], "senior" in lanes) == (["ge"], ["op"], False)
    assert set(lanes) == {"SENIOR", "other", "default", "junior", "recovery", "ui", "verify"}
    text = (place.root / ".rally/config.toml").read_text()
    assert text.startswith("# mine\n")
    assert mine.partition("\n")[2] in text


@pytest.mark.parametrize(("programs", "lane"), [((), ["op", "cc"]), (("codex",), ["cx"])])
def test_a_machine_with_fewer_agents_is_warned(
    place: Place, programs: tuple[str, ...], lane: list[str]
) -> None:
    install(place, *programs)
    done = place.rally("init", "roles")
    assert done.code == 0, done.err
    assert "installed" in done.err
    assert done.err.count("installed") == 1
    assert lanes_of(place)["default"] == lane


def test_what_the_user_is_editing_is_not_committed(place: Place) -> None:
    install(place, "claude", "codex")
    place.configure("# half an edit\n")
    (place.root / "staged.txt").write_text("mine")
    (place.root / "dirty.txt").write_text("mine")
    place.git("add", "staged.txt")
    shown(place, "init", "roles")
    assert sorted(place.committed()) == MANAGED
    assert place.git("status", "--porcelain").splitlines() == [
        " M .rally/config.toml",
        "A  staged.txt",
        "?? dirty.txt",
    ]
    text = (place.root / ".rally/config.toml").read_text()
    assert text.startswith("# half an edit\n")
    assert "[routes]" in text


def test_lanes_can_be_written_into_the_users_own_configuration(place: Place) -> None:
    install(place, "claude", "codex")
    user = place.home / "config/rally/config.toml"
    assert str(user) in shown(place, "init", "roles", "--user")
    assert "[routes]" in user.read_text()
    assert (place.root / ".rally/config.toml").read_text() == ""
    assert lanes_of(place)["default"] == ["cc", "cx"]
    assert place.committed() == MANAGED


def test_lanes_of_the_user_are_not_added_to_the_repository(place: Place) -> None:
    install(place, "claude", "codex")
    user = place.home / "config/rally/config.toml"
    user.parent.mkdir(parents=True)
    user.write_text('[routes]\nui = ["op"]\n')
    shown(place, "init", "roles")
    assert "ui =" not in (place.root / ".rally/config.toml").read_text()
    assert lanes_of(place)["ui"] == ["op"]


@pytest.mark.parametrize("words", [("init", "all"), ("init-roles",)])
def test_all_is_set_up_at_once(plain: Place, words: tuple[str, ...]) -> None:
    install(plain, "claude", "codex")
    out = shown(plain, *words)
    assert "init roles" not in out
    assert set(lanes_of(plain)) == {"default", "junior", "recovery", "senior", "ui", "verify"}
    assert plain.git("status", "--porcelain") == ""
    head = plain.git("rev-parse", "HEAD")
    shown(plain, *words)
    assert plain.git("rev-parse", "HEAD") == head
    assert "init-roles" not in plain.rally("--help").out


def test_init_tells_of_roles_while_there_are_none(plain: Place) -> None:
    install(plain, "claude", "codex")
    assert "rally init roles" in shown(plain, "init")
    shown(plain, "init", "roles")
    assert "rally init roles" not in shown(plain, "init")


def test_roles_need_a_workspace_that_is_set_up(plain: Place) -> None:
    done = plain.rally("init", "roles")
    assert done.code == 2
    assert "rally init" in done.err
    assert not (plain.root / ".rally").exists()


def test_roles_are_set_up_in_a_repository_that_ignores_rally(plain: Place) -> None:
    install(plain, "claude", "codex")
    (plain.root / ".gitignore").write_text(".rally\n")
    shown(plain, "init", "all")
    assert plain.git("status", "--porcelain") == "?? .gitignore"
    assert lanes_of(plain)["default"] == ["cc", "cx"]


def test_a_relay_runs_with_the_lanes_that_were_set_up(plain: Place) -> None:
    install(plain, "claude", "codex")
    shown(plain, "init", "all")
    done = started(plain, "-i", "2", "--role", "verify")
    assert done.code == 0, done.err
    assert [made.agent_type for made in plain.tries()] == ["codex", "codex"]
    assert plain.git("status", "--porcelain") == ""


def test_an_old_configuration_is_taken_over(plain: Place) -> None:
    agents(plain_with_rally(plain), "a")
    text = (plain.root / ".rally/config.toml").read_text()
    (plain.root / ".rally/config.toml").unlink()
    (plain.root / "rally.toml").write_text(text)
    assert "rally.toml" in shown(plain, "init")
    assert (plain.root / ".rally/config.toml").read_text() == text
    assert (plain.root / "rally.toml").read_text() == text
    assert ".rally/config.toml" in plain.committed()
    (plain.root / "rally.toml").write_text("schema_version = 77\n")
    assert "rally.toml" not in shown(plain, "init")
    assert started(plain, "-i", "1", "-a", "a").code == 0


def plain_with_rally(plain: Place) -> Place:
    (plain.root / ".rally").mkdir()
    return plain


def task(place: Place) -> str:
    return (place.root / ".rally/state/current_task.md").read_text()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_users_own_text_of_a_role_wins_and_is_left_alone(place: Place) -> None:
    agents(place, "a")
    write(place.root / ".rally/agents/user/Senior.md", "MY-SENIOR")
    for _ in range(2):
        assert started(place, "--new", "-i", "1", "-a", "a", "--role", "senior").code == 0
        assert "MY-SENIOR" in task(place)
        assert "# Senior" not in task(place)
    assert (place.root / ".rally/agents/user/Senior.md").read_text() == "MY-SENIOR"
    assert (place.root / SENIOR).exists()


def test_a_blank_text_of_a_role_is_passed_over(place: Place) -> None:
    agents(place, "a")
    write(place.root / ".rally/agents/user/senior.md", " \n")
    assert started(place, "-i", "1", "-a", "a", "--role", "senior").code == 0
    assert "# Senior" in task(place)


def test_a_role_without_a_text_is_refused(place: Place) -> None:
    agents(place, "a")
    done = started(place, "-i", "1", "-a", "a", "--role", "nobody")
    assert done.code == 2
    assert served(place) == ""
    assert "There is no text for the role 'nobody'" in done.err


def test_managed_texts_are_renewed_when_a_relay_starts(place: Place) -> None:
    install(place, "claude", "codex")
    shown(place, "init", "roles")
    ours = (place.root / SENIOR).read_text()
    (place.root / SENIOR).write_text("an edit in the wrong place")
    (place.root / SENIOR.replace("senior", "ui")).unlink()
    place.git("commit", "-qam", "Edit")
    done = started(place, "-i", "1", "-a", "cc", "--role", "senior")
    assert done.code == 0, done.err
    assert (place.root / SENIOR).read_text() == ours
    assert "builtin/senior.md" in done.err
    assert "wrong place" not in task(place)
    assert place.git("status", "--porcelain") == ""
    renewed = place.git("log", "-1", "--format=%H", "--grep=rally: update role files")
    assert place.committed(renewed) == [SENIOR, SENIOR.replace("senior", "ui")]
    assert "builtin" not in started(place, "--new", "-i", "1", "-a", "cc").err


def test_no_role_files_are_made_where_there_are_none(place: Place) -> None:
    agents(place, "a")
    assert started(place, "-i", "1", "-a", "a", "--role", "senior").code == 0
    assert not (place.root / ".rally/agents").exists()


@pytest.mark.parametrize("tracked", [True, False])
def test_files_of_the_flat_layout_move_to_the_users_folder(place: Place, tracked: bool) -> None:
    agents(place, "a")
    install(place, "claude", "codex")
    shown(place, "init", "roles")
    flat, user = place.root / ".rally/agents", place.root / ".rally/agents/user"
    write(flat / "qa.md", "MY-QA")
    write(flat / "senior.md", f"\n{(place.root / SENIOR).read_text()}\n\n")
    write(flat / "ui.md", "ui, flat")
    write(user / "ui.md", "ui, mine")
    write(flat / "ops.txt", "MY-OPS")
    if tracked:
        place.git("add", ".")
        place.git("commit", "-qm", "Roles")
    done = started(place, "-i", "1", "-a", "cc", "--role", "qa")
    assert done.code == 0, done.err
    assert "MY-QA" in task(place)
    assert sorted(path.name for path in flat.iterdir() if path.is_file()) == ["ops.txt", "ui.md"]
    assert {path.name: path.read_text() for path in user.iterdir()} == {
        "qa.md": "MY-QA",
        "ui.md": "ui, mine",
    }
    assert "qa.md" in done.err
    assert started(place, "--new", "-i", "1", "-a", "cc", "--role", "ops").code == 0
    assert "MY-OPS" in task(place)
    if tracked:
        assert place.git("status", "--porcelain") == ""


@pytest.mark.parametrize("words", [("start", "-i", "1", "-a", "cc", "x"), ("init", "roles")])
def test_a_role_text_that_the_user_is_editing_is_not_committed(
    place: Place, words: tuple[str, ...]
) -> None:
    install(place, "claude", "codex")
    flat = place.root / ".rally/agents/qa.md"
    write(flat, "MY-QA\n")
    place.git("add", ".")
    place.git("commit", "-qm", "Roles")
    flat.write_text("MY-QA\nhalf an edit\n")
    assert place.rally(*words).code == 0
    assert "half an edit" not in place.git("log", "-p", "--all")
    kept = [path for path in (flat, flat.parent / "user/qa.md") if path.exists()]
    assert [path.read_text() for path in kept] == ["MY-QA\nhalf an edit\n"]


def test_a_flat_text_moves_with_its_history(place: Place) -> None:
    install(place, "claude", "codex")
    flat = place.root / ".rally/agents/qa.md"
    write(flat, "MY-QA\n")
    place.git("add", ".")
    place.git("commit", "-qm", "Roles")
    shown(place, "init", "roles")
    assert place.git("status", "--porcelain") == ""
    assert place.git("show", "HEAD:.rally/agents/user/qa.md") == "MY-QA"


def test_a_file_where_a_folder_of_role_texts_should_be_is_a_sentence(place: Place) -> None:
    agents(place, "a")
    write(place.root / ".rally/agents/user", "not a folder")
    for words in (("start", "-i", "1", "-a", "a", "x"), ("init", "roles")):
        done = place.rally(*words)
        assert done.code in {1, 2}, done.err
        assert str(place.root / ".rally/agents/user") in done.err
