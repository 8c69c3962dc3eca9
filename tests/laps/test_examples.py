"""The examples of the specification: a command line or two, and what comes of it."""

import re
import stat
from datetime import UTC, datetime, timedelta

import pytest
from lapping import AT, Laps, lap, ref
from support import Done

ID = r"repo-[0-9a-f]{4}\n"
BATCH = '[{"title":"A"},{"title":"B"},{"title":"C"}]'


def refused(done: Done, code: int, *words: str) -> None:
    assert (done.code, done.out) == (code, ""), done
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        pytest.param(["add", "head", "--title", "T"], 0, ID, "", id="EX-1"),
        pytest.param(["add", "--title", "X"], 1, "", "position", id="EX-2"),
        pytest.param(["add", "head", "--title", "X", "--json", "{}"], 1, "", "excludes", id="EX-3"),
        pytest.param(["add", "head", "--json", '{"assignee":"a"}'], 1, "", "no title", id="EX-5"),
        pytest.param(
            ["add", "tail", "--json", '[{"title":"V"},{"assignee":"a"}]'],
            *(1, "", "Task 2"),
            id="EX-6",
        ),
        pytest.param(["add", "tail", "--json", "[]"], 1, "", "empty", id="EX-6b"),
        pytest.param(["get"], 11, "", "", id="EX-10"),
        pytest.param(
            ["get", "--json-output"], 11, r'{"exitCode":11,"state":"empty"}\n', "", id="EX-10b"
        ),
        pytest.param(["get", "nope"], 3, "", "not found", id="EX-13"),
        pytest.param(["claim", "undo"], 3, "", "claimed nothing", id="EX-27"),
        pytest.param(["list", "-f", "missing"], 3, "", "missing.json", id="EX-38"),
        pytest.param(["add", "head", "--stint", "typo", "--title", "x"], 3, "", "typo", id="EX-41"),
        pytest.param(["count"], 0, r"Laps done: 0 out of 0\n\nNo tasks found\.\n", "", id="EX-47"),
        pytest.param(["log", "--json-output"], 0, r'{"events":\[\]}\n', "", id="EX-54"),
        pytest.param(
            ["stinst", "ls"], 1, "", "unknown command 'stinst'. Did you mean 'stints'", id="EX-59"
        ),
        pytest.param(["wrapup"], 1, "", "unknown command", id="EX-59b"),
    ],
)
def test_in_a_fresh_repository(laps: Laps, words: list[str], code: int, out: str, err: str) -> None:
    done = laps(*words)
    assert done.code == code, done
    assert re.fullmatch(out, done.out), done
    assert (err in done.err) if err else not done.err
    if words[0] != "add" or code:
        assert not laps.folder.exists()


def test_ex_4_an_assignee_is_trimmed(laps: Laps) -> None:
    laps.add("T", "--assignee", "  alice  ")
    assert b'"assignee": "alice"' in (laps.folder / "laps.json").read_bytes()


def test_ex_7_a_batch_keeps_its_order(laps: Laps) -> None:
    laps.add("Z")
    ids = laps.ok("add", "head", "--json", BATCH).split()
    assert laps.titles() == ["A", "B", "C", "Z"]
    assert laps.ids()[:3] == ids


@pytest.mark.parametrize("words", [["tail", "--json", "-"], ["tail", "-"], ["-"]])
def test_ex_8_a_batch_comes_from_stdin(laps: Laps, words: list[str]) -> None:
    laps.ok("add", *words, given=BATCH)
    assert laps.titles() == ["A", "B", "C"]


def test_ex_9_after_one_that_is_done_is_the_head(laps: Laps) -> None:
    laps.write("laps.json", lap("repo-c", done=True), lap("repo-d"))
    done = laps("add", "after", "repo-c", "--title", "D")
    assert done.code == 0
    assert "already complete" in done.err
    assert laps.titles()[0] == "D"


def test_ex_11_what_is_all_done_is_complete(laps: Laps) -> None:
    laps.write("laps.json", lap("repo-a", done=True))
    done = laps("claim", "--json-output")
    assert (done.code, done.out) == (12, '{"exitCode":12,"state":"complete"}\n')
    assert laps("claim") == Done(12, "", "")


def test_ex_12_a_lap_is_shown_with_and_without_assignee(laps: Laps) -> None:
    one = laps.add("Task One", "--description", "Details")
    assert laps.ok("get") == "Task One\n\nDetails\n"
    laps.ok("assign", one, "alice")
    assert laps.ok("get") == "Task One\nAssignee: alice\n\nDetails\n"


def test_ex_14_a_lap_of_a_stint_is_shown_like_any_other(staged: Laps) -> None:
    assert staged.ok("get") == "Title of auth-aaaa\n\n\n"
    assert staged.ok("get", "--root") == "auth/ (stint)\n"


@pytest.mark.parametrize("words", [["get"], ["claim"], ["claim", "auth-aaaa"]])
def test_ex_15_a_held_stint_stops_the_start(staged: Laps, words: list[str]) -> None:
    staged.stint("auth", lap("auth-aaaa"), held=True)
    done = staged(*words)
    assert (done.code, done.out) == (10, "")
    assert done.err.startswith("laps: stint auth is held")
    assert len(done.err.splitlines()) == 1
    assert staged.claim() is None
    done = staged(*words, "--json-output")
    assert (done.code, done.out) == (10, '{"exitCode":10,"state":"held"}\n')


def test_ex_16_a_lap_of_a_held_stint_can_be_looked_at(staged: Laps) -> None:
    staged.stint("auth", lap("auth-aaaa"), held=True)
    done = staged("get", "auth-aaaa")
    assert (done.code, done.out) == (0, "Title of auth-aaaa\n\n\n")
    assert done.err.startswith("laps: stint auth is held")


def test_ex_17_a_nested_gate_is_named_in_full(nested: Laps) -> None:
    nested.stint("search", lap("srch-1111"), held=True)
    done = nested("get")
    assert done.code == 10
    assert "stint auth/search is held" in done.err


def test_ex_18_a_held_stint_takes_new_laps(staged: Laps) -> None:
    staged.stint("auth", lap("auth-aaaa"), held=True)
    done = staged("add", "head", "--title", "X")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("auth-")


def test_ex_19_a_hold_lets_what_is_claimed_be_finished(staged: Laps) -> None:
    staged.stint("auth", lap("auth-aaaa"), lap("auth-bbbb"))
    staged.ok("claim")
    staged.ok("stints", "hold", "auth")
    staged.ok("done")
    assert staged("get").code == 10


def test_ex_20_a_held_stint_that_is_through_is_out_of_the_way(staged: Laps) -> None:
    staged.ok("claim")
    staged.ok("stints", "hold", "auth")
    staged.ok("done")
    assert (staged.folder / "stints/archive/auth.laps.json").exists()
    assert not (staged.folder / "stints/auth.laps.json").exists()
    assert staged("get") == Done(0, "Title of repo-last\n\n\n", "")


@pytest.mark.parametrize(
    ("name", "words"), [("nowhere", "missing stint"), ("../auth", "malformed")]
)
def test_ex_21_a_reference_to_nowhere_is_told_of(laps: Laps, name: str, words: str) -> None:
    laps.write("laps.json", ref("x") | {"ref": name})
    with laps.unchanged():
        refused(laps("get"), 2, words, "repo-x", name)
    laps.ok("delete", "repo-x", "--root")


def test_ex_22_a_cycle_is_told_of(laps: Laps) -> None:
    laps.write("laps.json", ref("auth"))
    laps.stint("auth", ref("search"))
    laps.stint("search", ref("auth"))
    with laps.unchanged():
        refused(laps("get"), 2, "cycle", "auth → search → auth")


@pytest.mark.parametrize(
    "words",
    [
        ["done", "srch-bbbb"],
        ["get", "srch-bbbb"],
        ["claim", "srch-bbbb"],
        ["move", "srch-bbbb", "head"],
        ["edit", "srch-bbbb", "--title", "x"],
        ["assign", "srch-bbbb", "x"],
        ["delete", "srch-bbbb"],
        ["add", "after", "srch-bbbb", "--title", "x"],
    ],
)
def test_ex_23_a_lap_that_is_elsewhere_is_said_to_be(staged: Laps, words: list[str]) -> None:
    staged.stint("search", lap("srch-bbbb"))
    with staged.unchanged():
        refused(staged(*words), 3, "srch-bbbb", "stint search", "--stint search")


def test_ex_24_a_claim_says_where_its_lap_is(staged: Laps) -> None:
    staged.ok("claim")
    claim = staged.claim()
    assert list(claim)[:4] == ["lap", "file", "scope", "claimedAt"]
    assert list(claim.values())[:3] == ["auth-aaaa", "stints/auth.laps.json", "auth"]


def test_ex_25_a_claim_outlives_another_head(staged: Laps) -> None:
    staged.stint("auth", lap("auth-aaaa"), lap("auth-bbbb"))
    staged.stint("search", lap("srch-1111"))
    staged.ok("claim")
    staged.ok("stints", "enqueue", "search", "head")
    staged.ok("done")
    assert staged.find("auth-aaaa", "stints/auth.laps.json")["isDone"]
    assert not staged.find("srch-1111", "stints/search.laps.json")["isDone"]


@pytest.mark.parametrize("held", [b"{", b"[1]", b'"x"', b"12", b'{"lap":3}', b"{}"])
def test_ex_26_a_malformed_claim_is_left_as_it_is(laps: Laps, held: bytes) -> None:
    laps.add("A")
    laps.put("claim", held)
    with laps.unchanged():
        refused(laps("claim"), 2, "malformed")


def test_ex_28_without_a_claim_the_head_is_named(laps: Laps) -> None:
    one = laps.add("The head")
    refused(laps("done"), 3, one, "The head")


def test_ex_29_a_lap_is_done_by_its_id_beside_a_claim(laps: Laps) -> None:
    one, two = laps.add("A"), laps.add("B")
    laps.ok("claim", two)
    laps.ok("done", one)
    assert laps.find(one)["isDone"]
    assert laps.claim()["lap"] == two


def test_ex_30_what_is_done_is_done(laps: Laps) -> None:
    one = laps.add("A")
    laps.ok("done", one)
    refused(laps("done", one), 3, "already done")


def test_ex_31_a_claim_on_another_file_stays(laps: Laps) -> None:
    laps.write("laps.json", lap("repo-a"))
    laps.write("auth.json", lap("repo-a"))
    laps.ok("claim", "-f", "auth")
    laps.ok("done", "repo-a")
    assert laps.claim()["file"] == "auth.json"


def test_ex_32_what_was_done_long_ago_is_opened_by_force(laps: Laps) -> None:
    then = (datetime.now(UTC) - timedelta(minutes=6)).isoformat().replace("+00:00", "Z")
    laps.write("laps.json", lap("repo-a", done=then))
    with laps.unchanged():
        refused(laps("done", "undo"), 3, "Title of repo-a", "6 minutes", "--yes")
    laps.ok("done", "undo", "-y")
    assert laps.ids() == ["repo-a"]


def test_ex_33_draining_cascades_and_is_undone(nested: Laps) -> None:
    nested.ok("claim")
    nested.ok("done")
    archive = nested.folder / "stints/archive"
    assert sorted(path.name for path in archive.iterdir()) == ["auth.laps.json", "search.laps.json"]
    assert nested.find("repo-auth")["isDone"]
    told = [(event["event"], event["detail"].get("stint", "")) for event in nested.events()]
    assert told[1:] == [
        ("completed", ""),
        ("stint.completed", "search"),
        ("stint.archived", "search"),
        ("stint.completed", "auth"),
        ("stint.archived", "auth"),
        ("unclaimed", ""),
    ]
    nested.ok("done", "undo")
    assert not [*archive.iterdir()]
    assert nested.ok("get") == "Title of srch-1111\n\n\n"


def test_ex_34_an_archived_file_is_never_written_over(staged: Laps) -> None:
    staged.write("stints/archive/auth.laps.json", lap("auth-old", done=True), prefix="auth")
    with staged.unchanged():
        refused(staged("done", "auth-aaaa"), 2, "archive/auth.laps.json")


def test_ex_35_a_list_has_two_lines_for_each(laps: Laps) -> None:
    one = laps.add("Title One", "--assignee", "alice")
    assert laps.ok("list") == laps.ok("ls") == f"1. Title One\n   {one} · alice · todo\n"


def test_ex_36_what_is_claimed_is_marked(laps: Laps) -> None:
    one = laps.add("A")
    laps.ok("claim")
    assert laps.ok("list").startswith("1. > A\n")
    assert laps.ok("list", "--oneline") == f"1. {one} — A\n"


def test_ex_37_what_is_done_is_struck_out(laps: Laps) -> None:
    laps.write("laps.json", lap("repo-a", title="Done one", assignee="al", done=True))
    shown = laps.ok("list", "--done", "--oneline")
    assert shown == "1. ~~repo-a — Done one (assignee: al)~~\n"


@pytest.mark.parametrize("file", ["stints/auth", "auth"])
def test_ex_39_a_stint_is_hinted_at(staged: Laps, file: str) -> None:
    refused(staged("list", "-f", file), 3, "--stint auth")


def test_ex_40_a_file_is_made_when_something_is_added(laps: Laps) -> None:
    laps.ok("add", "tail", "-f", "newfile", "--title", "t")
    assert laps.titles("newfile.json") == ["t"]
    laps.ok("add", "tail", "-f", "stints/fresh.laps", "--title", "t")
    assert laps.read("stints/fresh.laps.json")["prefix"] == "fres"


def test_ex_42_laps_are_moved(laps: Laps) -> None:
    a, b, c = (laps.add(title) for title in "ABC")
    assert laps.ok("move", c, "head") == f"{c}\n"
    assert laps.ids() == [c, a, b]
    laps.ok("move", c, "after", a)
    assert laps.ids() == [a, c, b]
    refused(laps("move", c, "after", c), 1, "itself")


def test_ex_43_laps_are_edited(laps: Laps) -> None:
    one = laps.add("A", "--assignee", "al")
    laps.ok("edit", one, "--description", r"a\nb")
    assert laps.find(one)["description"] == "a\nb"
    laps.ok("edit", one, "--assignee", "")
    assert "assignee" not in laps.find(one)


def test_ex_44_what_is_done_can_be_edited(laps: Laps) -> None:
    laps.write("laps.json", lap("repo-a", done=True))
    done = laps("edit", "repo-a", "--title", "X")
    assert done.code == 0
    assert "already done" in done.err
    assert laps.find("repo-a")["isDone"]


def test_ex_45_what_is_claimed_is_deleted_by_force(laps: Laps) -> None:
    one = laps.add("A")
    laps.ok("claim")
    with laps.unchanged():
        refused(laps("delete", one), 1, "--force")
    assert laps.ok("delete", one, "--force") == ""
    assert (laps.entries(), laps.claim()) == ([], None)


def test_ex_46_the_newest_that_are_done_are_kept(laps: Laps) -> None:
    laps.write(
        "laps.json", *(lap(f"repo-{i}", done=f"2026-01-01T00:00:{i}Z") for i in range(10, 35))
    )
    assert laps.ok("prune") == "5\n"
    assert laps.entries()[0]["id"] == "repo-15"
    assert laps.ok("prune", "0") == "20\n"
    assert laps.entries() == []


def test_ex_48_a_claim_on_what_is_gone_is_invalid(laps: Laps) -> None:
    laps.write("laps.json")
    laps.put("claim", b'{"lap":"repo-gone","file":"laps.json"}')
    with laps.unchanged():
        status = laps.json("status")
    assert (status["claim"]["valid"], status["state"]) == (False, "empty")


def test_ex_49_a_gate_is_in_the_status(staged: Laps) -> None:
    staged.stint("auth", lap("auth-aaaa"), held=True)
    shown = staged.ok("status")
    assert "State: held\n" in shown
    assert "\nGate: stint auth is held" in shown


def test_ex_50_a_lap_is_transferred_as_it_is(laps: Laps) -> None:
    laps.stint("alpha")
    one = laps.add("A", "--description", "d", "--assignee", "al")
    before = laps.find(one)
    assert laps.ok("transfer", "alpha", one, "--root") == f"{one}\n"
    assert laps.entries() == []
    assert laps.entries("stints/alpha.laps.json") == [before]


def test_ex_51_a_transfer_is_all_or_nothing(laps: Laps) -> None:
    laps.stint("alpha")
    one = laps.add("A")
    laps.ok("claim")
    with laps.unchanged():
        refused(laps("transfer", "alpha", one), 1, "claimed")
    laps.ok("claim", "undo")
    with laps.unchanged():
        refused(laps("transfer", "alpha", one, "nope"), 3, "nope")


def test_ex_52_what_was_transferred_is_found(laps: Laps) -> None:
    laps.stint("alpha")
    one = laps.add("A")
    laps.ok("transfer", "alpha", one, "--root")
    refused(laps("get", one, "--root"), 3, "stint alpha")


def test_ex_53_the_newest_events_are_shown_oldest_first(laps: Laps) -> None:
    ids = [laps.add(f"T{i}") for i in range(25)]
    shown = laps.ok("log", "-n", "5").splitlines()
    assert [line.split()[2] for line in shown] == ids[-5:]


def test_ex_55_trouble_with_the_log_harms_nothing(laps: Laps) -> None:
    (laps.folder / "log.jsonl").mkdir(parents=True)
    done = laps("add", "head", "--title", "T")
    assert done.code == 0
    assert "not in the log" in done.err
    assert laps.titles() == ["T"]
    assert stat.S_IMODE((laps.folder / "laps.json").stat().st_mode) == 0o644


def test_ex_56_hooks_stop_a_command_and_see_how_it_ended(laps: Laps) -> None:
    laps.hooks({"title": "no", "command": "get", "when": "before", "run": "exit 1"})
    refused(laps("get"), 4, "'no'")
    after = {"title": "a", "command": "get", "when": "after", "run": "echo $exit_code"}
    laps.hooks(after | {"passback": True})
    assert laps("get") == Done(11, "11\n", "")


def test_ex_57_hooks_make_commands(laps: Laps) -> None:
    run = "echo $command $args $1 $2; pwd"
    laps.hooks({"command": "worktree", "when": "before", "run": run, "passback": True})
    (laps.root / "below").mkdir()
    done = laps("worktree", "feature", "*", cwd=laps.root / "below")
    assert done == Done(0, f"worktree feature * feature below\n{laps.root}\n", "")


def test_ex_58_a_file_can_be_named_for_a_hooked_command(laps: Laps) -> None:
    laps.hooks({"command": "custom", "when": "after", "run": 'echo "$file"', "passback": True})
    assert laps.ok("-f=other3.json", "custom").endswith("/.laps/other3.json\n")


def test_ex_60_a_stint_has_a_prefix_of_its_own(laps: Laps) -> None:
    assert laps.ok("stints", "new", "auth") == "auth\n"
    assert laps.ok("add", "head", "--stint", "auth", "--title", "t").startswith("auth-")


def test_ex_61_enqueueing_twice_is_refused_and_holding_twice_is_nothing(laps: Laps) -> None:
    laps.ok("stints", "new", "auth")
    laps.ok("stints", "enqueue", "auth")
    refused(laps("stints", "enqueue", "auth"), 3, "already")
    for _ in range(2):
        assert laps.ok("stints", "hold", "auth") == "auth\n"
    assert [event["event"] for event in laps.events()] == ["stint.enqueued", "stint.held"]


def test_ex_62_a_queued_stint_is_removed_by_force(staged: Laps) -> None:
    staged.ok("claim")
    with staged.unchanged():
        refused(staged("stints", "rm", "auth"), 3, "--force")
    assert staged.ok("stints", "rm", "auth", "--force") == "auth\n"
    assert (staged.ids(), staged.claim()) == (["repo-last"], None)
    assert not (staged.folder / "stints/auth.laps.json").exists()


def test_ex_63_an_old_file_is_brought_up_when_it_is_changed(laps: Laps) -> None:
    old = f'{{"version":1,"tasks":[{{"id":"repo-b","title":"B","createdAt":"{AT}"}},{{"id":"a"}}]}}'
    laps.put("laps.json", old.encode())
    with laps.unchanged():
        assert laps.ok("list", "--oneline") == "1. repo-b — B\n2. a — \n"
    laps.add("C")
    held = laps.read()
    assert (held["version"], laps.ids()[:2]) == (3, ["repo-b", "a"])
    assert [one["order"] for one in held["tasks"]] == [65536, 131072, 196608]
    assert {one["kind"] for one in held["tasks"]} == {"lap"}


def test_ex_64_a_file_of_something_else_is_refused(laps: Laps) -> None:
    laps.put("x.json", b'{"foo":"bar"}')
    refused(laps("list", "-f", "x"), 2, "not a valid laps task file", "foo")


def test_ex_65_only_what_is_missing_is_ignored(laps: Laps) -> None:
    (laps.root / ".gitignore").write_text("*.o\n.laps/claim")
    laps.ok("init")
    assert (laps.root / ".gitignore").read_text() == "*.o\n.laps/claim\n.laps/log.jsonl\n"


def test_ex_66_an_old_block_is_replaced(laps: Laps) -> None:
    old = "# Us\n\n<laps-instructions>\nold\n</laps-instructions>\n\nMore\n"
    (laps.root / "AGENTS.md").write_text(old)
    laps.ok("on")
    text = (laps.root / "AGENTS.md").read_text()
    assert text.startswith('# Us\n\n<laps-instructions v="2">\n')
    assert text.endswith("\n</laps-instructions>\n\nMore\n")
    assert "old" not in text.split()
