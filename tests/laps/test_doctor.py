"""`laps doctor` tells what is wrong with the queues, and mends what needs no guessing."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support import Done, Place

from mittelo.core.lapfiles import archive_file, stint_file
from mittelo.core.queues import TAIL, Lap, Queue, encode, insert, parse, remove, with_entries
from mittelo.laps.doctor import Report, examine, mend
from mittelo.laps.events import Who
from mittelo.laps.folder import Redo, Step, locked
from mittelo.laps.place import Place as LapsPlace
from mittelo.laps.place import find_place
from mittelo.laps.store import Store

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WHO = Who("ann", NOW)
FILE = ".laps/laps.json"
MADE = "2026-03-01T08:00:00Z"


class Ward:
    """A repository whose `.laps` is looked over."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.folder = place.root / ".laps"
        self.folder.mkdir()
        self.store = Store(LapsPlace(self.folder, place.root, place.root))

    def write(self, name: str, content: bytes | str | Queue | dict[str, Any]) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Queue):
            content = encode(content)
        elif isinstance(content, dict):
            content = json.dumps(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self) -> None:
        self.place.git("add", "--all")
        self.place.git("commit", "--quiet", "-m", "Queue")

    def queue(self, name: str = "laps.json") -> Queue:
        return parse((self.folder / name).read_bytes(), name)

    def titles(self, name: str = "laps.json") -> list[str]:
        return [lap.title for lap in self.queue(name).todo]

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }

    def examine(self) -> Report:
        """Look, and hold it to writing nothing."""
        before = self.files()
        report = examine(self.store, WHO)
        assert self.files() == before
        return report

    def mend(self) -> Report:
        """Mend what was found, and hold it to a copy of each file that it changes."""
        found, before = self.examine(), self.files()
        report = mend(self.store, WHO)
        assert [one.what for one in report.findings] == [one.what for one in found.findings]
        after = self.files()
        kept = [after[copy] for copy in report.copies]
        for name, held in before.items():
            if after.get(name) != held and name != "log.jsonl" and ".redo" not in before:
                assert held in kept, name
        return report

    def mends(self, *whats: str) -> Report:
        """Mend, hold it to these findings, and to all being well then."""
        report = self.mend()
        assert report.is_well, report
        _holds(report, whats)
        again = self.examine()
        assert again.is_well, again
        return report

    def tells(self, *whats: str) -> Report:
        """Hold it to these findings, of which none is mended."""
        before = self.files()
        report = mend(self.store, WHO)
        assert self.files() == before
        assert not report.is_well
        _holds(report, whats)
        return report


def _holds(report: Report, whats: tuple[str, ...]) -> None:
    told = "\n".join(f"{one.where}: {one.what} — {one.todo}" for one in report.findings)
    for what in whats:
        assert what in told


@pytest.fixture
def ward(plain: Place) -> Ward:
    return Ward(plain)


def lap(title: str, **words: Any) -> Lap:
    return Lap(id=f"repo-{title}", title=title, created_at=MADE, updated_at=MADE, **words)


def ref(name: str, *, is_done: bool = False) -> Lap:
    at = MADE if is_done else None
    return Lap(kind="stint", id=f"repo-{name}", ref=name, title=name, is_done=is_done,
               completed_at=at)  # fmt: skip


def queue(*laps: str | Lap, prefix: str = "") -> Queue:
    made = [lap(one) if isinstance(one, str) else one for one in laps]
    return insert(Queue(prefix=prefix), made, TAIL)


def entry(title: str, **words: Any) -> dict[str, Any]:
    return {"id": f"repo-{title}", "title": title, "order": 1} | words


def conflict(ours: bytes, theirs: bytes, base: bytes | None = None) -> bytes:
    middle = b"" if base is None else b"||||||| base\n" + base
    return b"<<<<<<< HEAD\n" + ours + middle + b"=======\n" + theirs + b">>>>>>> left\n"


def test_a_queue_in_order_is_well(ward: Ward) -> None:
    ward.write("laps.json", queue("a", "b"))
    assert ward.examine().findings == ()
    assert mend(ward.store, WHO).findings == ()


def test_no_folder_is_no_fault_and_none_is_made(plain: Place) -> None:
    store = Store(find_place(plain.root))
    assert examine(store, WHO).is_well
    assert not (plain.root / ".laps").exists()


def test_both_sides_of_a_conflict_are_merged(ward: Ward) -> None:
    ward.write("laps.json", conflict(encode(queue("a", "b")), encode(queue("a", "c"))))
    ward.mends("laps.json: git left both sides of a merge in it")
    assert ward.titles() == ["a", "b", "c"]


def test_a_conflict_with_its_base_honours_deletions(ward: Ward) -> None:
    base, ours, theirs = queue("a", "b"), queue("b"), queue("a", "b", "c")
    ward.write("laps.json", conflict(*map(encode, (ours, theirs, base))).replace(b"\n", b"\r\n"))
    ward.mends("both sides")
    assert ward.titles() == ["b", "c"]


def test_a_conflict_within_lines_of_a_queue_is_merged(ward: Ward) -> None:
    whole = encode(queue("a", "b", "c"))
    old = b'      "title": "b",\n'
    ward.write("laps.json", whole.replace(old, conflict(old, old.replace(b'"b"', b'"B"'))))
    ward.mends("both sides")
    assert len(ward.titles()) in {3, 4}
    assert {"a", "c"} < set(ward.titles())


def test_marks_without_their_pairs_lose_no_lap(ward: Ward) -> None:
    whole = conflict(encode(queue("a", "b")), encode(queue("a", "c")))
    ward.write("laps.json", whole.replace(b">>>>>>> left\n", b""))
    ward.mends("it is damaged in line 1")
    assert ward.titles() == ["a", "b", "c"]


def test_an_unfinished_merge_is_taken_from_git(ward: Ward) -> None:
    ward.write("laps.json", queue("a", "b"))
    ward.commit()
    ward.place.git("checkout", "--quiet", "-b", "left")
    ward.write("laps.json", insert(remove(queue("a", "b"), {"repo-a"}), [lap("d")], TAIL))
    ward.commit()
    ward.place.git("checkout", "--quiet", "main")
    ward.write("laps.json", queue("a", "b", "c"))
    ward.commit()
    with pytest.raises(subprocess.CalledProcessError):
        ward.place.git("merge", "left")
    assert b"<<<<<<<" in (ward.folder / "laps.json").read_bytes()
    ward.mends("a merge is not finished, and git has both sides", "git add")
    assert ward.titles() == ["b", "c", "d"]


def test_a_file_cut_off_gets_back_what_git_has(ward: Ward) -> None:
    ward.write("laps.json", queue("a", "b", "c"))
    ward.commit()
    whole = encode(queue(lap("a", description="new"), "b", "c", "d"))
    ward.write("laps.json", whole[: whole.index(b'"repo-c"') + 12])
    ward.mends("2 entries are whole", "an entry is cut off: repo-c", "repo-c is lost, and git has")
    assert ward.titles() == ["a", "b", "c"]
    found = ward.queue().find("repo-a")
    assert found
    assert found.description == "new"


def test_a_file_cut_off_without_git_keeps_what_is_whole(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    ward = Ward(Place(tmp_path / "bare", tmp_path / "home"))
    ward.write("laps.json", encode(queue("a", "b"))[:-40])
    ward.mends("1 entries are whole")
    assert ward.titles() == ["a"]


@pytest.mark.parametrize("damage", [b"", b"\0" * 80, None])
def test_an_empty_or_missing_root_is_brought_back(ward: Ward, damage: bytes | None) -> None:
    ward.write("laps.json", queue("a", "b"))
    ward.commit()
    if damage is None:
        (ward.folder / "laps.json").unlink()
    else:
        ward.write("laps.json", damage)
    ward.mends("laps.json: ")
    assert ward.titles() == ["a", "b"]


def test_a_folder_that_was_cleaned_away_is_brought_back(ward: Ward) -> None:
    ward.write("laps.json", queue("a", "b"))
    ward.commit()
    shutil.rmtree(ward.folder)
    assert not ward.examine().is_well
    assert not ward.folder.exists()
    ward.mends("laps.json: is missing, and git has it with 2 laps")


def test_mending_waits_for_whoever_changes_the_queue(ward: Ward) -> None:
    ward.write("laps.json", {"version": 3, "tasks": [entry("a", prio=1)]})
    with ThreadPoolExecutor() as threads, locked(ward.folder, fcntl.LOCK_EX):
        running = threads.submit(mend, ward.store, WHO)
        with pytest.raises(TimeoutError):
            running.result(0.2)
        ward.write("laps.json", queue("a", "b"))
    assert running.result().findings == ()
    assert ward.titles() == ["a", "b"]


def test_a_root_that_is_not_there_yet_is_no_fault(ward: Ward) -> None:
    assert ward.examine().is_well
    ward.write("laps.json", "{}")
    assert ward.examine().is_well


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (
            {"version": 3, "tasks": [entry("a", prio=1), entry("b", prio=2)]},
            "'prio' (in 2 entries)",
        ),
        ({"version": 3, "owner": "me", "tasks": [entry("a"), entry("b")]}, "unknown key 'owner'"),
        ({"tasks": [entry("a"), entry("b", order=2)]}, "version is missing"),
        ({"version": "3", "tasks": [entry("a"), entry("b")]}, "version is '3'"),
        ({"version": 3, "prefix": "toolong", "tasks": [entry("a"), entry("b")]}, "prefix"),
        ({"version": 3, "tasks": [entry("a", order="1"), entry("b")]}, "order is no whole number"),
        ({"version": 3, "tasks": [entry("a", isDone="false"), entry("b")]}, "isDone is 'false'"),
        ({"version": 3, "tasks": [entry("a", description=None), entry("b")]}, "description is no"),
        ({"version": 3, "tasks": [entry("a", createdAt="2026-03-01"), entry("b")]}, "createdAt"),
        ({"version": 3, "tasks": [entry("a", updatedAt="soon"), entry("b")]}, "updatedAt is no"),
        ({"version": 3, "tasks": [entry("a"), None, {}, entry("b")]}, "an entry is null"),
        ({"version": 3, "tasks": [entry("a", kind="Lap"), entry("b")]}, "kind is 'Lap'"),
        ({"version": 3, "tasks": [entry("a", assignee=7), entry("b")]}, "assignee is no text"),
    ],
)
def test_harmless_flaws_are_mended(ward: Ward, damage: dict[str, Any], told: str) -> None:
    ward.write("laps.json", damage)
    ward.mends(told)
    assert ward.titles() == ["a", "b"]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ({"version": 4, "tasks": []}, "update laps"),
        ({"foo": "bar"}, "no list of tasks"),
        ({"version": 3, "tasks": ["do it"]}, "tasks[0] is no entry"),
        ({"version": 3, "tasks": [entry("a", kind="epic")]}, "tasks[0].kind is 'epic'"),
        ({"version": 3, "tasks": [entry("a", kind=[])]}, "tasks[0].kind is []"),
        ({"version": 3, "tasks": [entry("a") | {"title": ["x"]}]}, "tasks[0].title is no text"),
        ({"version": 3, "tasks": [entry("a", isDone="perhaps")]}, "isDone is 'perhaps'"),
        ({"version": 3, "tasks": [entry("a", order="first")]}, "tasks[0].order is 'first'"),
        ("[]", "no task file"),
        ("not json at all", "nothing in it can be read"),
    ],
)
def test_what_would_have_to_be_guessed_is_told(
    ward: Ward, damage: dict[str, Any] | str, told: str
) -> None:
    ward.write("laps.json", damage)
    ward.tells(told)


def test_entries_without_an_id_get_one(ward: Ward) -> None:
    ward.write("laps.json", {"version": 3, "tasks": [{"title": "a"}, {"id": 7, "title": "b"}]})
    ward.mends("tasks[0] has no id", "id is no text")
    assert {one.id[:5] for one in ward.queue().todo} == {"repo-", "7"}


def test_what_follows_after_the_end_is_cut(ward: Ward) -> None:
    ward.write("laps.json", encode(queue("a", "b")) + b'"rest": 1}\n')
    ward.commit()
    ward.write("laps.json", encode(queue("a")) + b'"rest": 1}\n')
    ward.mends("something follows after its end")
    assert ward.titles() == ["a"]


def test_text_that_is_not_utf8_is_mended(ward: Ward) -> None:
    ward.write("laps.json", encode(queue("a", "b")).replace(b'"title": "b"', b'"title": "b\xff"'))
    ward.mends("not UTF-8")


def test_ids_that_are_there_twice_are_taken_apart(ward: Ward) -> None:
    twice = [lap("a"), Lap(id="repo-a", title="b", created_at="2026-03-02T00:00:00Z")]
    ward.write("laps.json", with_entries(Queue(), twice))
    ward.mends("repo-a is there 2 times")
    assert sorted(ward.titles()) == ["a", "b"]


def test_ids_in_two_queues_are_told(ward: Ward) -> None:
    ward.write("laps.json", queue("a", ref("auth")))
    ward.write(stint_file("auth"), queue("a", prefix="auth"))
    ward.tells("repo-a is in laps.json too — Delete one of them: laps delete repo-a --stint auth")


@pytest.mark.parametrize(("ids", "prefix"), [("auth-1", "auth"), ("x", "auth"), ("sear-1", "sear")])
def test_a_stint_gets_its_prefix_back(ward: Ward, ids: str, prefix: str) -> None:
    ward.write("laps.json", queue(ref("auth")))
    ward.write(stint_file("auth"), queue(Lap(id=ids, title="t")))
    ward.mends("it has no prefix")
    assert ward.queue(stint_file("auth")).prefix == prefix


def test_a_reference_to_an_archived_stint_is_done(ward: Ward) -> None:
    ward.write("laps.json", queue(ref("auth"), "b"))
    done = lap("a", is_done=True, completed_at=MADE)
    ward.write(archive_file("auth"), queue(done, prefix="auth"))
    ward.mends("the reference repo-auth is open, and stint auth is archived")
    assert ward.titles() == ["b"]
    assert ward.queue().done[0].ref == "auth"


def test_a_reference_to_nothing_is_told(ward: Ward) -> None:
    ward.write("laps.json", queue(ref("auth"), ref("../x")))
    ward.tells(
        "leads to stint auth, which is not there",
        "laps delete repo-auth --root",
        "'../x' is no name of a stint",
    )


def test_an_archived_stint_with_something_to_do_is_brought_back(ward: Ward) -> None:
    ward.write("laps.json", queue(ref("auth", is_done=True), "b"))
    ward.write(archive_file("auth"), queue("a", prefix="auth"))
    ward.mends("it is archived with 1 laps to do")
    assert ward.titles(stint_file("auth")) == ["a"]
    assert ward.titles() == ["auth", "b"]


def test_a_stint_that_only_a_finished_reference_leads_to_is_opened(ward: Ward) -> None:
    ward.write("laps.json", queue(ref("auth", is_done=True), "b"))
    ward.write(stint_file("auth"), queue("a", prefix="auth"))
    ward.mends("is done, and 1 laps are not")
    assert ward.titles() == ["auth", "b"]


def test_a_cycle_is_told_once(ward: Ward) -> None:
    ward.write("laps.json", queue(ref("auth")))
    ward.write(stint_file("auth"), queue(ref("search"), prefix="auth"))
    ward.write(stint_file("search"), queue(ref("auth"), prefix="sear"))
    report = ward.tells("leads in a cycle: auth → search → auth")
    assert sum("cycle" in one.what for one in report.findings) == 1


def claim(lap_id: str, **words: str) -> dict[str, str]:
    return {"lap": lap_id, "file": "laps.json", "claimedAt": "2026-03-01T11:00:00Z"} | words


def test_dangling_claims_are_dropped_and_the_rest_kept(ward: Ward) -> None:
    ward.write("laps.json", queue("a", lap("b", is_done=True, completed_at=MADE)))
    live = claim("repo-a", session="ann", expiresAt="2026-03-01T13:00:00Z")
    others = [claim("repo-b", session="bob"), claim("gone", session="cem", file="x/../../y")]
    ward.write("claim", live | {"others": others})
    ward.mends("repo-b of session bob", "is done", "the claim on gone", "is not in x/../../y")
    assert json.loads((ward.folder / "claim").read_text())["lap"] == "repo-a"
    assert "others" not in (ward.folder / "claim").read_text()
    assert b'"unclaimed"' in (ward.folder / "log.jsonl").read_bytes()


def test_a_claim_that_is_over_is_only_noted(ward: Ward) -> None:
    ward.write("laps.json", queue("a"))
    ward.write("claim", claim("repo-a", expiresAt="2026-03-01T11:30:00Z"))
    report = ward.examine()
    assert report.is_well
    assert report.findings[0].what.endswith("is over")


def test_a_malformed_claim_is_put_aside(ward: Ward) -> None:
    ward.write("laps.json", queue("a"))
    ward.write("claim", "{")
    ward.mends("The claim file is malformed")
    assert not (ward.folder / "claim").exists()


def test_claims_in_a_queue_that_cannot_be_read_are_kept(ward: Ward) -> None:
    ward.write("laps.json", {"version": 9, "tasks": []})
    ward.write("claim", claim("repo-a", expiresAt="2026-03-01T13:00:00Z"))
    ward.tells("update laps")


def test_a_change_that_was_cut_off_is_completed(ward: Ward) -> None:
    ward.write("laps.json", queue("a"))
    steps = {"laps.json": queue("a", "b"), "other.json": queue("c")}
    before = {"laps.json": encode(queue("a")), "other.json": None}
    files = {name: Step(before[name], encode(after)) for name, after in steps.items()}
    ward.write(".redo", msgspec.json.encode(Redo(1, files)))
    assert (ward.folder / ".redo").exists()
    ward.mends(".redo: a change of several files was cut off")
    assert ward.titles() == ["a", "b"]


def test_the_log_and_hooks_are_only_told_of(ward: Ward) -> None:
    ward.write("laps.json", queue("a"))
    ward.write("log.jsonl", '{"ts":"x","event":"created"}\n{"ts":\n\n[]\n')
    (ward.folder / "log.jsonl").chmod(0o600)
    ward.write("hooks.json", '{"hooks":[{"command":7}]}')
    ward.tells("2 of 4 lines are damaged: 2, 4", "hooks.json")


def test_links_that_lead_out_and_rights_are_told(ward: Ward, tmp_path: Path) -> None:
    ward.write("laps.json", queue("a"))
    (ward.folder / "stints").mkdir()
    (ward.folder / "stints/auth.laps.json").symlink_to(tmp_path / "elsewhere")
    (ward.folder / "laps.json").chmod(0o466)
    ward.tells("leads out of", "anybody may write it", "its owner may not read and write")


def test_a_folder_in_place_of_a_queue_is_told(ward: Ward) -> None:
    (ward.folder / "laps.json").mkdir()
    ward.write(archive_file("auth"), queue("a", prefix="auth"))
    ward.tells("is a folder")


def test_a_damaged_block_of_instructions_is_told(ward: Ward) -> None:
    ward.write("laps.json", queue("a"))
    (ward.place.root / "AGENTS.md").write_text('# Ours\n<laps-instructions v="2">\nclaim\n')
    ward.tells("AGENTS.md: the block of laps in it is damaged")


def test_other_json_below_the_folder_is_no_queue(ward: Ward) -> None:
    ward.write("laps.json", queue("a"))
    ward.write("notes.json", '{"foo": 1}')
    assert ward.examine().findings == ()
    ward.write("extra.json", {"version": 3, "tasks": [entry("a", prio=1)]})
    ward.mends("extra.json: unknown key 'prio'")


@pytest.fixture
def laps(ward: Ward) -> Callable[..., Done]:
    def run(*words: str) -> Done:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("laps")), *words],
            cwd=ward.place.root,
            env=ward.place.environment() | {"PATH": os.environ["PATH"]},
            capture_output=True,
            check=False,
            text=True,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


def test_the_command_tells_mends_and_exits_accordingly(
    ward: Ward, laps: Callable[..., Done]
) -> None:
    ward.write("laps.json", {"version": 3, "tasks": [entry("a", prio=1)]})
    told = laps("doctor")
    assert (told.code, told.err) == (1, "")
    assert told.out == (
        ".laps/laps.json: unknown key 'prio' — Run: laps doctor --mend\n"
        "1 finding, 1 of them can be mended.\n"
    )
    as_json = json.loads(laps("doctor", "--json").out)
    assert as_json["ok"] is False
    assert as_json["findings"][0]["mendable"] is True
    mended = laps("doctor", "--mend")
    assert mended.code == 0
    assert "mended: .laps/laps.json: unknown key 'prio'\n" in mended.out
    assert "kept: .laps/laps.json.damaged-" in mended.out
    assert mended.out.endswith("All is well now.\n")
    assert laps("doctor").out == "All is well.\n"
