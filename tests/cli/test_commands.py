"""The commands beside `start`: init, tail, instructions, inbox, progress."""

import json

from support import Place

from mittelo.core.records import SummaryRecord


def test_init_prepares_and_commits_only_its_own_files(plain: Place) -> None:
    (plain.root / "dirty.txt").write_text("mine")
    (plain.root / "staged.txt").write_text("mine too")
    plain.git("add", "staged.txt")
    done = plain.rally("init")
    assert done.code == 0, done.err
    assert plain.git("show", "--name-only", "--format=%s").split("\n\n") == [
        "rally: initialize workspace",
        ".rally/.gitignore\n.rally/README.md\n.rally/config.toml",
    ]
    assert plain.git("status", "--porcelain") == "A  staged.txt\n?? dirty.txt"


def test_init_again_changes_nothing(plain: Place) -> None:
    plain.rally("init")
    (plain.root / ".rally/config.toml").write_text("# mine\n")
    head = plain.git("rev-parse", "HEAD")
    assert plain.rally("init").code == 0
    assert (plain.root / ".rally/config.toml").read_text() == "# mine\n"
    assert (plain.root / ".rally/.gitignore").read_text() == "state/\n"
    assert plain.git("rev-parse", "HEAD") == head
    assert plain.git("status", "--porcelain") == " M .rally/config.toml"


def test_init_makes_a_repository_where_there_is_none(plain: Place) -> None:
    folder = plain.home / "new"
    folder.mkdir()
    done = plain.rally("init", cwd=folder)
    assert done.code == 0
    assert "made a git repository" in done.out
    assert (folder / ".git").is_dir()


def test_init_keeps_other_lines_of_an_ignore_file(plain: Place) -> None:
    (plain.root / ".rally").mkdir()
    (plain.root / ".rally/.gitignore").write_text("mine")
    plain.rally("init")
    assert (plain.root / ".rally/.gitignore").read_text() == "mine\nstate/\n"


def test_init_works_where_git_ignores_rally(plain: Place) -> None:
    (plain.root / ".gitignore").write_text(".rally\n")
    assert plain.rally("init").code == 0
    plain.script('{write="x.txt"}, {say="x"}')
    done = plain.rally("start", "-i", "1", "-a", "script", "x")
    assert done.code == 0, done.err
    assert plain.tries()[0].files_changed == ["x.txt"]


def test_commands_work_from_a_folder_below(place: Place) -> None:
    below = place.root / "a/b"
    below.mkdir(parents=True)
    assert place.rally("status", cwd=below).code == 0


def test_tail_shows_bytes_as_they_are_or_tells_of_them(place: Place) -> None:
    place.script('{say="Hello there"}, {print="\\u00ff raw\\n"}, {write="x.txt"}, {say="Bye"}')
    place.rally("start", "-i", "1", "-a", "script", "x")
    log = next((place.home / "data/rally/tries").glob("*/try-1.log"))
    import subprocess

    from support import RALLY

    raw = subprocess.run(
        [RALLY, "tail", "--try", "1", "--raw", "--no-follow"],
        cwd=place.root,
        env=place.environment(),
        check=True,
        capture_output=True,
    )
    assert raw.stdout == log.read_bytes()
    told = place.rally("tail", "--no-follow").out
    assert "Hello there\n⚙ write: x.txt\n✎ x.txt\nBye\n■ done\n" in told


def test_tail_without_tries_or_with_a_wrong_number_says_so(place: Place) -> None:
    assert "No tries are recorded" in place.rally("tail").err
    place.script('{write="x.txt"}, {say="x"}')
    place.rally("start", "-i", "1", "-a", "script", "x")
    done = place.rally("tail", "--try", "7")
    assert (done.code, "valid range: 1-1" in done.err) == (2, True)


def test_two_repositories_never_share_transcripts(place: Place) -> None:
    place.script('{write="x.txt"}, {say="from the first"}')
    place.rally("start", "-i", "1", "-a", "script", "x")
    other = Place(place.home / "elsewhere/repository", place.home)
    place.git("clone", "--quiet", ".", str(other.root))
    (other.root / ".rally/state").mkdir()
    other.script('{write="y.txt"}, {say="from the second"}')
    other.rally("start", "-i", "1", "-a", "script", "x")
    assert "from the first" in place.rally("tail", "--try", "1", "--no-follow").out
    assert "from the second" in other.rally("tail", "--try", "1", "--no-follow").out


def test_instructions_are_shown_and_edited(place: Place) -> None:
    assert place.rally("instructions", "show").out == "(no project instructions set)\n"
    place.env = {"EDITOR": 'sh -c \'echo "be kind" > "$1"\' editor'}
    assert place.rally("instructions", "edit").code == 0
    assert place.rally("instructions", "show").out == "be kind\n"


def test_an_editor_that_is_missing_or_fails_is_told_of(place: Place) -> None:
    place.env = {"EDITOR": "no-such-editor --wait"}
    assert "'no-such-editor' cannot be started" in place.rally("instructions", "edit").err
    place.env = {"EDITOR": "false"}
    assert place.rally("instructions", "edit").code == 1


def test_the_inbox_holds_messages_until_they_are_done(place: Place) -> None:
    assert place.rally("inbox", "list").out == "no messages\n"
    place.rally("inbox", "add", "look", "at", "it")
    place.rally("inbox", "add", "-", given="from a pipe")
    held = json.loads(place.rally("inbox", "list", "--json").out)
    assert [(m["id"], m["body"]) for m in held] == [(1, "look at it"), (2, "from a pipe")]
    assert place.rally("inbox", "done", "1").code == 0
    assert "look at it" not in place.rally("inbox", "list").out
    assert "[addressed]" in place.rally("inbox", "list", "--all").out
    assert place.rally("inbox", "done", "9").code == 2


def test_progress_appends_to_the_digest(place: Place) -> None:
    assert place.rally("progress", "--summary", "test done").code == 0
    done = place.rally("progress", "--complete", "--summary", "all", "--followup", "check")
    assert done.code == 0
    first, second = place.summary()
    assert first["summary"] == "test done"
    assert second["followups"] == ["check"]
    assert place.rally("progress").code == 2
    assert place.rally("progress", "--complete", "--handoff", "--summary", "x").code == 2


def test_a_long_digest_keeps_head_and_tail(place: Place) -> None:
    place.rally("progress", "--summary", "ä" * 2500 + "ü" * 2500)
    said = place.summary()[0]["summary"]
    assert len(said) == 3000
    assert (said[:3], said[-3:]) == ("äää", "üüü")


def test_many_processes_record_progress_at_once(place: Place) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: place.rally("progress", "--summary", f"n{n}"), range(16)))
    assert {d.code for d in done} == {0}
    assert sorted(d["summary"] for d in place.summary()) == sorted(f"n{n}" for n in range(16))
    assert SummaryRecord.__struct_fields__[0] == "v"
