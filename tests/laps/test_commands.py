"""The commands: what they say, as text and as data, and what they refuse."""

import os
import pty
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lapping import LAPS, Laps, lap, ref
from support import Done

VERSION = (Path(__file__).parents[2] / "src/mittelo/VERSION").read_text().strip()


@pytest.mark.parametrize(
    "words",
    [
        ["version"],
        ["--version"],
        ["-v"],
        ["get", "-v"],
        ["add", "--version"],
        ["stints", "ls", "-v"],
    ],
)
def test_the_version_is_bare(laps: Laps, words: list[str]) -> None:
    assert laps(*words) == Done(0, f"v{VERSION}-dev\n", "")
    told = f'{{"version":"v{VERSION}-dev"}}\n'
    assert laps(*words, "--json-output").out == laps("--json-output", *words).out == told
    assert not laps.folder.exists()


def test_a_version_flag_in_a_value_is_none(laps: Laps) -> None:
    laps.ok("add", "tail", "--title", "-v")
    laps.ok("add", "tail", "--title=--version")
    assert laps.titles() == ["-v", "--version"]


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_every_command(laps: Laps, words: list[str]) -> None:
    done = laps(*words)
    assert (done.code, done.err) == (0, "")
    commands = done.out.partition("Commands:")[2]
    for name in (
        *("add", "assign", "claim", "completion", "count", "delete", "done", "edit", "get"),
        *("init", "list", "log", "move", "off", "on", "prune", "status", "stints", "transfer"),
        *("update", "version"),
    ):
        assert f"\n  {name} " in commands
    assert "undo" not in commands
    assert "\n  -" not in commands


@pytest.mark.parametrize("name", ["get", "claim", "status"])
def test_help_lists_the_exit_codes(laps: Laps, name: str) -> None:
    for words in ([name, "--help"], ["help", name]):
        said = laps.ok(*words)
        assert [
            code for code in ("0", "10", "11", "12") if not re.search(rf"\b{code}\b", said)
        ] == []


@pytest.mark.parametrize(
    "words",
    [
        ["get", "--nope"],
        ["-x", "get"],
        ["list", "--root", "--active"],
        ["list", "-r", "-s", "x"],
        ["-f", "x", "list", "--root"],
        ["list", "-f", "x", "-s", "y"],
        ["init", "--root"],
        ["stints", "ls", "--active"],
        ["claim", "undo", "--root"],
        ["done", "undo", "--stint", "x"],
        ["version", "-r"],
        ["add", "sideways", "--title", "x"],
        ["add", "after", "--title", "x"],
        ["add", "head", "more", "--title", "x"],
        ["add", "head"],
        ["add", "head", "--title", " \n "],
        ["add", "head", "--title", "x", "--stdin", "--description", "d"],
        ["add", "head", "--json", "{", "--stdin"],
        ["add", "head", "--json", "nonsense"],
        ["add", "head", "--json", '[{"title":"a"},7]'],
        ["add", "head", "--json", '{"title":7}'],
        ["done", "a", "b"],
        ["move", "x"],
        ["move", "x", "up"],
        ["move", "x", "head", "more"],
        ["move", "x", "after"],
        ["edit", "x"],
        ["edit", "x", "y", "--title", "t"],
        ["assign", "x"],
        ["assign", "x", "y", "z"],
        ["delete"],
        ["prune", "-1"],
        ["prune", "many"],
        ["prune", "１"],
        ["transfer", "root"],
        ["log", "-n", "x"],
        ["stints", "wat"],
        ["stints", "enqueue", "x", "sideways"],
        ["wat"],
        ["tuii"],
    ],
)
def test_a_mistake_on_the_line_is_refused(laps: Laps, words: list[str]) -> None:
    laps.write("laps.json", lap("x"))
    with laps.unchanged():
        done = laps(*words)
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("laps: ")
        assert len(done.err.splitlines()) == 1
        done = laps(*words, "--json-output")
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(r'\{"error":".+","exitCode":1\}\n', done.err)


def test_errors_are_data_where_data_is_asked_for(laps: Laps) -> None:
    for words in (
        ["get", "x", "--json-output=true"],
        ["--json", "get", "x"],
        ["get", "x", "--json"],
    ):
        done = laps(*words)
        assert (done.code, done.out) == (3, "")
        assert re.fullmatch(r'\{"error":".+","exitCode":3\}\n', done.err), words


def test_our_own_fault_exits_with_two(laps: Laps, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("mittelo.cli.laps._line.find_place", fail)
    done = laps("list")
    assert (done.code, done.out) == (2, "")
    assert "fault of ours: ZeroDivisionError: ours" in done.err


def test_words_beyond_are_passed_over_where_they_always_were(laps: Laps) -> None:
    one = laps.add("A")
    laps.ok("get", "head", "more")
    laps.ok("claim", one, "more")
    laps.ok("prune", "1", "more")
    laps.ok("delete", one, "more", "--force")


def test_what_is_typed_is_cleaned(laps: Laps) -> None:
    laps.add("  a\n b\r\nc ", "--description", r"x\ny\\nz", "--assignee", "al\nice")
    one = laps.entries()[0]
    assert (one["title"], one["description"], one["assignee"]) == ("a b c", "x\ny\\nz", "al ice")
    told = '{"title":" t ","description":"a\\\\nb","due":1}'
    laps.ok("add", "head", "--json", told)
    head = laps.json("get")["task"]
    assert (head["title"], head["description"]) == ("t", "a\\nb")
    laps.ok("add", "head", "--title", "s", "--stdin", given="one\ntwo\\n\n\r\n")
    assert laps.json("get")["task"]["description"] == "one\ntwo\\n"


@pytest.mark.parametrize("flag", ["--title", "--description", "--assignee"])
def test_text_that_is_no_unicode_is_refused(laps: Laps, flag: str) -> None:
    one = laps.add("A")
    for words in (["add", "tail", "--title", "x"], ["edit", one]):
        done = laps.process(*words, flag, os.fsdecode(b"a\xff"))
        assert done.code == 1
        assert "not valid Unicode" in done.err
    assert laps("add", "tail", "--json", '{"title":"\\ud800"}').code == 1
    (laps.root / "raw").write_bytes(b'"\xff"')
    with (laps.root / "raw").open("rb") as raw:
        done = _given(laps, raw.fileno(), "add", "-")
    assert (done.code, "not valid UTF-8 at byte 2" in done.err) == (1, True)


def _given(laps: Laps, stdin: int, *words: str) -> Done:
    """Run a command with this as its stdin."""
    done = subprocess.run(
        [LAPS, *words], cwd=laps.root, stdin=stdin, capture_output=True, check=False
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_a_terminal_is_no_input(laps: Laps) -> None:
    ours, theirs = pty.openpty()
    for words in (
        ["add", "-"],
        ["add", "tail", "--json", "-"],
        ["add", "tail", "--title", "t", "--stdin"],
    ):
        done = _given(laps, theirs, *words)
        assert (done.code, "is a terminal" in done.err) == (1, True)
    os.close(ours)
    os.close(theirs)


def test_many_with_one_title_have_ids_of_their_own(laps: Laps) -> None:
    told = ",".join(['{"title":"same"}'] * 100)
    ids = laps.ok("add", "tail", "--json", f"[{told}]").split()
    ids += laps.ok("add", "tail", "-f", "raw", "--json", f"[{told}]").split()
    assert len(set(ids)) == 200


def test_lists(staged: Laps) -> None:
    staged.write("laps.json", ref("auth"), lap("repo-a", assignee="al"), lap("repo-b", done=True))
    assert staged.ok("list", "--root") == (
        "1. auth/ (stint - 1 laps)\n2. Title of repo-a\n   repo-a · al · todo\n"
    )
    assert staged.ok("list", "-r", "--all").endswith(
        "3. ~~Title of repo-b~~\n   repo-b · — · done\n"
    )
    assert staged.ok("list", "-r", "--all", "--done", "--oneline") == (
        "1. ~~repo-b — Title of repo-b~~\n"
    )
    assert staged.ok("list", "-r", "--oneline") == (
        "1. repo-auth — auth/ (stint)\n2. repo-a — Title of repo-a (assignee: al)\n"
    )
    assert [one["id"] for one in staged.json("list", "-r", "--all")["tasks"]] == [
        *("repo-auth", "repo-a", "repo-b")
    ]
    assert staged.json("ls") == staged.json("list", "--stint", "auth")
    assert staged.ok("list") == "1. Title of auth-aaaa\n   auth-aaaa · — · todo\n"


def test_the_newest_that_is_done_is_first(laps: Laps) -> None:
    done = [lap(f"repo-{i}", done=f"2026-01-0{i}T00:00:00Z") for i in (1, 3, 2)]
    laps.write("laps.json", *done)
    assert [line.split()[1] for line in laps.ok("list", "--done", "--oneline").splitlines()] == [
        *("~~repo-3", "~~repo-2", "~~repo-1")
    ]
    assert laps.ok("list") == ""
    assert laps.ok("list", "--json") == '{"tasks":[]}\n'


def test_numbers_of_two_digits_keep_the_column(laps: Laps) -> None:
    laps.write("laps.json", *(lap(f"repo-{i}") for i in range(10)))
    assert laps.ok("list").splitlines()[-1] == "    repo-9 · — · todo"


def test_a_tree_shows_everything(nested: Laps) -> None:
    nested.write("laps.json", ref("auth"), lap("repo-a"), ref("gone"))
    nested.stint("search", lap("srch-1"), ref("auth"), lap("srch-2", done=True))
    assert nested.ok("list", "--tree", "--oneline", "--stint", "auth") == (
        "1. repo-auth — auth/ (stint)\n"
        "  1. repo-search — search/ (stint)\n"
        "    1. srch-1 — Title of srch-1\n"
        "    2. auth/ (stint - ? laps) (cycle)\n"
        "2. repo-a — Title of repo-a\n"
        "3. gone/ (stint - ? laps) (missing)\n"
    )
    assert "    3. ~~Title of srch-2~~\n       srch-2" in nested.ok("list", "--tree", "--all")
    ids = [one["id"] for one in nested.json("list", "--tree", "--all")["tasks"]]
    assert ids == [
        *("repo-auth", "repo-search", "srch-1", "repo-auth", "srch-2"),
        "repo-a",
        "repo-gone",
    ]


def test_titles_of_old_files_do_not_break_lines(laps: Laps) -> None:
    laps.write("laps.json", lap("repo-a", title="two\nlines\x1b[31m", assignee="x"))
    assert laps.ok("get").splitlines()[:2] == ["two lines\x1b[31m", "Assignee: x"]
    assert len(laps.ok("list", "--oneline").splitlines()) == 1
    assert len(laps.ok("list").splitlines()) == 2


def test_counts(laps: Laps) -> None:
    laps.write("laps.json", lap("a", assignee="al"), lap("b", done=True), lap("c", assignee="al"))
    assert laps.ok("count") == (
        "Laps done: 1 out of 3\n\nBreakdown by role:\n"
        "- al: 0 complete, 2 incomplete\n- unassigned: 1 complete, 0 incomplete\n"
    )
    assert laps.ok("count", "--json") == (
        '{"breakdown":[{"assignee":"al","complete":0,"incomplete":2},'
        '{"assignee":"unassigned","complete":1,"incomplete":0}],"done":1,"total":3}\n'
    )


def test_the_status_in_words(staged: Laps) -> None:
    staged.write("laps.json", ref("auth"), lap("repo-a", assignee="al"))
    staged.ok("claim", LAPS_SESSION="anna")
    shown = staged.ok("status").splitlines()
    assert shown[:5] == [
        "File: laps.json",
        "State: active",
        "Laps: 2 todo, 0 done (2 total)",
        "Head: repo-a — Title of repo-a",
        "Claim: " + shown[4].removeprefix("Claim: "),
    ]
    assert re.fullmatch(
        r"Claim: auth-aaaa \(valid\), claimed \S+ \(age \d+s\), session anna", shown[4]
    )
    assert shown[5:] == ["Todo by assignee:", "- al: 1", "- unassigned: 1"]
    own = staged.ok("status", LAPS_SESSION="anna")
    assert "Head: auth-aaaa" in own
    assert "Active stint: auth (1 todo, 0 done, 1 total)" in own
    assert "File: stints/auth.laps.json\n" in staged.ok("status", "-c", LAPS_SESSION="anna")


def test_the_status_as_data(staged: Laps) -> None:
    staged.stint("auth", lap("auth-aaaa"), held=True)
    status = staged.json("status")
    assert list(status)[:2] == ["file", "state"]
    assert (status["state"], status["head"], status["claim"]) == ("held", None, None)
    assert list(status["gate"]) == ["state", "stint", "scope", "file", "message"]
    assert status["activeStint"] == status["stints"][0]
    assert list(status["stints"][0]) == [
        *("name", "scope", "file", "todo", "done", "total", "queued", "archived", "active")
    ]
    assert staged.json("status", "--stint", "auth")["counts"] == {"todo": 1, "done": 0, "total": 1}


@pytest.mark.parametrize(
    ("entries", "state"),
    [([], "empty"), ([lap("a", done=True)], "complete"), ([lap("a")], "ready")],
)
def test_states(laps: Laps, entries: list[dict[str, object]], state: str) -> None:
    laps.write("laps.json", *entries)
    status = laps.json("status")
    assert (status["state"], status["stints"]) == (state, [])
    assert status["activeStint"] is None


def test_stints_are_listed_and_shown(staged: Laps) -> None:
    assert staged.json("stints", "ls") == {
        "stints": [
            {
                "name": "auth",
                "prefix": "auth",
                "laps": 1,
                "queued": True,
                "archived": False,
                "held": False,
            }
        ]
    }
    staged.ok("stints", "hold", "auth")
    row = "auth\tprefix=auth\tlaps=1\tqueued=true\tarchived=false\theld=true\n"
    assert staged.ok("stints", "ls") == staged.ok("st", "ls") == row
    assert staged.json("stints", "show", "auth")["tasks"][0]["id"] == "auth-aaaa"
    assert staged.ok("stints", "show", "auth").splitlines()[2] == "1. Title of auth-aaaa"
    assert staged.json("stints", "release", "auth") == {"stint": "auth", "held": False}
    assert staged("stints", "show", "nope").code == 3


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a/b", "a\\b", "a\nb", "root"])
def test_a_stint_has_a_plain_name(laps: Laps, name: str) -> None:
    assert laps("stints", "new", name).code == 2
    assert not laps.folder.exists()


def test_stints_are_made_once_and_queued_where_asked(laps: Laps) -> None:
    one, two = laps.add("A"), laps.add("B")
    assert laps.json("stints", "new", "auth")["prefix"] == "auth"
    assert laps("stints", "new", "auth").code == 2
    made = laps.json("stints", "enqueue", "auth", "after", one)
    assert laps.ids() == [one, made["ref"], two]
    entry = laps.find(made["ref"])
    assert (entry["kind"], entry["ref"], entry["title"]) == ("stint", "auth", "auth")
    assert laps.ok("stints", "new", "author") == "utho\n"
    for words in (["nope"], ["author", "after", "nope"]):
        assert laps("stints", "enqueue", *words).code == 3


def test_an_archived_stint_is_told_of(staged: Laps) -> None:
    staged.ok("done", "auth-aaaa")
    for words in (
        ["get", "--stint", "auth"],
        ["stints", "hold", "auth"],
        ["stints", "enqueue", "auth"],
        ["transfer", "auth", "repo-last"],
        ["get", "auth-aaaa"],
    ):
        done = staged(*words)
        assert (done.code, "archived" in done.err) == (3, True), words
    assert staged("stints", "new", "auth").code == 2
    staged.ok("stints", "rm", "auth")
    assert staged.ids() == ["repo-last"]
    assert len(staged.entries()) == 1


def test_transfers(staged: Laps) -> None:
    with staged.unchanged():
        for words, code in (
            (["auth", "auth-aaaa"], 1),
            (["root", "repo-last", "--root"], 1),
            (["auth", "repo-last", "repo-last", "--root"], 1),
            (["root", "x", "-f", "y"], 1),
            (["nope", "auth-aaaa"], 3),
        ):
            assert staged("transfer", *words).code == code, words
    told = staged.json("transfer", "root", "auth-aaaa")
    assert (told["from"], told["to"], len(told["tasks"])) == ("auth", "root", 1)
    assert staged.events()[-1]["detail"] == {
        "from": "auth",
        "to": "root",
        "fromFile": "stints/auth.laps.json",
        "toFile": "laps.json",
    }


def test_events_hold_what_they_should(laps: Laps) -> None:
    one = laps.add("A", "--assignee", "al")
    two = laps.add("B")
    laps.ok("move", two, "after", one, LAPS_SESSION="s")
    laps.ok("assign", one, "bo")
    event = laps.events()[2]
    assert list(event) == [
        *("ts", "event", "cmd", "file", "lap", "title", "scope", "detail", "session")
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["ts"])
    assert event["detail"] == {"position": "after", "from": 131072, "to": 131072, "after": one}
    assert laps.events()[3]["detail"] == {"fields": ["assignee"]}
    shown = laps.ok("log").splitlines()
    assert shown[0].endswith(f'created {one} "A" (al) {{position:tail}}')
    assert shown[2].endswith(
        f'moved {two} "B" [session: s] {{position:after, from:131072, to:131072, after:{one}}}'
    )
    assert shown[3].endswith("{fields:[assignee]}")
    assert ((laps.folder / "log.jsonl").stat().st_mode & 0o777) == 0o600


def test_the_log_is_filtered(staged: Laps) -> None:
    staged.ok("add", "tail", "--title", "A", LAPS_SESSION="s")
    one = staged.ok("add", "tail", "--root", "--title", "B").strip()
    for words, count in (
        ([], 2),
        (["--root"], 1),
        (["--active"], 1),
        (["--stint", "auth"], 1),
        (["--scope", "auth"], 1),
        (["--lap", one], 1),
        (["--session", "s"], 1),
        (["--session", ""], 1),
        (["--since", "2020-01-01T00:00:00Z"], 2),
        (["--since", "2999-01-01T00:00:00+02:00"], 0),
        (["-n", "1"], 1),
        (["-n=0"], 0),
    ):
        assert len(staged.ok("log", *words).splitlines()) == count, words
    assert staged("log", "--since", "yesterday").code == 2
    assert staged("log", "--limit", "-1").code == 2
    (staged.folder / "log.jsonl").unlink()
    assert staged("log", "--since", "yesterday").code == 2


def test_undo_takes_the_last_that_was_done_anywhere(staged: Laps) -> None:
    now = datetime.now(UTC)
    first, last = ((now - timedelta(seconds=s)).isoformat()[:19] + "Z" for s in (9, 3))
    staged.write("laps.json", ref("auth"), lap("repo-a", done=first))
    staged.stint("auth", lap("auth-a", done=last), lap("auth-b"))
    out = staged.ok("done", "undo")
    assert "auth-a" in out
    assert staged.find("auth-a", "stints/auth.laps.json")["completedAt"] is None
    assert staged.json("done", "undo")["task"]["id"] == "repo-a"
    assert staged("done", "undo").code == 3


def test_moves_are_refused_as_they_should(laps: Laps) -> None:
    laps.write("laps.json", lap("repo-a", done=True), lap("repo-b"))
    for words, code in (
        (["nope", "head"], 3),
        (["repo-a", "head"], 1),
        (["repo-b", "after", "nope"], 3),
    ):
        assert laps("move", *words).code == code
    assert laps("edit", "nope", "--title", "x").code == 3
    assert laps("edit", "repo-b", "--title", " ").code == 1
    assert laps("delete", "nope").code == 3
    done = laps("move", "repo-b", "after", "repo-a")
    assert (done.code, "already complete" in done.err) == (0, True)
    assert laps.json("delete", "repo-a") == {"deleted": "repo-a"}


def test_update_says_how_and_does_nothing(laps: Laps) -> None:
    assert "upgrade" in laps.ok("update", "-y")
    assert laps.json("update")["updated"] is False


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(laps: Laps, shell: str) -> None:
    assert "_LAPS_COMPLETE" in laps.ok("completion", shell)


def on_terminal(laps: Laps, *words: str, **env: str) -> str:
    """Run a command on a terminal of its own, and return what that got to see."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [LAPS, *words], cwd=laps.root, stdout=theirs, env={**os.environ, "TERM": "xterm", **env}
    ) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:
                break
            if not chunk:
                break
            said += chunk
        os.close(ours)
    assert process.returncode == 0
    return said.decode()


def test_a_terminal_gets_colours_and_obeys_no_lap(laps: Laps) -> None:
    bad = "\x1b]0;evil\x07\x1b[2Jx\ty\x07"
    laps.write("laps.json", lap("repo-a", title=bad, description=bad, assignee=bad))
    for words in (["list"], ["get"], ["list", "--oneline"], ["status"], ["log"], ["stints", "ls"]):
        said = on_terminal(laps, *words)
        assert "\x1b]" not in said
        assert "\x1b[2J" not in said
        assert "\x07" not in said
    assert "\x1b[1m" in on_terminal(laps, "list")
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in on_terminal(laps, "list", **env)
    assert laps.ok("get").startswith(f"{bad}\n")


def test_the_package_starts_as_a_process(laps: Laps) -> None:
    one = laps.process("add", "tail", "--title", "é 🎉", LANG="C", LC_ALL="C").out.strip()
    assert laps.process("list", "--oneline", LANG="C").out == f"1. {one} — é 🎉\n"
    assert laps.process("claim").code == 0
    assert laps.process("done").out.startswith("é 🎉\n")
    assert laps.process("get").code == 12
    piped = subprocess.run(
        ["sh", "-c", f"{LAPS} list --all | true"], cwd=laps.root, capture_output=True, check=True
    )
    assert piped.stderr == b""


def test_a_closed_or_left_output_keeps_no_hook_from_running(laps: Laps) -> None:
    one, two = laps.add("A"), laps.add("B")
    laps.hooks({"command": "done", "when": "after", "run": "echo $id >> told", "passback": True})
    for line in (
        f"{LAPS} done {one} >&-",
        f"{LAPS} done {two} | true",
        f"{LAPS} add - <&- >&- 2>&-",
    ):
        subprocess.run(["sh", "-c", line], cwd=laps.root, capture_output=True, check=False)
    assert (laps.root / "told").read_text().split() == [one, two]
    assert not [*Path(os.environ["XDG_STATE_HOME"]).rglob("crash-*")]
