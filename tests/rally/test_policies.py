"""Relays whose runs are kept to a policy, and sandboxed ones."""

import os
from pathlib import Path

import psutil
import pytest
from support import Place, wait_until

from mittelo.core.records import Outcome

SANDBOXED = pytest.mark.usefixtures("bubblewrap")


def start(place: Place, *words: str) -> str:
    """Run a relay of the scripted agent, which must do what it is to, and return what is said."""
    done = place.rally("start", "--agent", "script", *words)
    assert done.code == 0, done
    return done.out


def ran(order: str) -> str:
    return f'{{ run = ["sh", "-c", """{order}"""] }}'


@SANDBOXED
def test_a_sandboxed_agent_works_commits_and_tells_of_it(place: Place) -> None:
    order = """
echo made > made; git add made; git commit -q -m 'By the agent'
rally progress --summary 'told from inside'
(touch "$HOME/../escaped") 2>/dev/null; touch "$OLD_HOME/escaped" 2>/dev/null; true"""
    place.env["OLD_HOME"] = str(place.home)
    place.script(f'{ran(order)},\n{{ write = "left.txt", text = "x" }}')
    said = start(place, "--sandbox", "-i", "1", "Do it")
    assert "policy write, in a sandbox" in said
    made = place.tries()[0]
    assert (made.outcome, made.summary) == (Outcome.COMPLETED, "told from inside")
    assert {*made.files_changed} == {"made", "left.txt"}
    assert place.git("log", "-1", "--format=%an %s", "--", "made") == "Somebody By the agent"
    assert not (place.home / "escaped").exists()


@SANDBOXED
def test_a_sandbox_of_the_configuration_holds_until_it_is_switched_off(place: Place) -> None:
    place.env["SECRET"] = "s3cret"
    place.configure("[sandbox]\nenabled = true\n")
    place.script(ran("echo ${SECRET:-none} >> told"), ran("echo ${SECRET:-none} >> told"))
    start(place, "-i", "1", "Do it")
    start(place, "--new", "--no-sandbox", "-i", "1", "Do it")
    assert (place.root / "told").read_text().split() == ["none", "s3cret"]
    assert [relay.sandboxed for relay in place.relays()] == [True, False]


@SANDBOXED
def test_a_resumed_relay_stays_sandboxed_and_finds_its_session(place: Place) -> None:
    place.script(
        f"{ran('echo ZEBRA > $HOME/kept; echo x > begun')},\n{{ sleep = 300 }}",
        ran("cat $HOME/kept > found"),
    )
    process = place.begin("start", "--agent", "script", "--sandbox", "-i", "1", "Do it")
    wait_until((place.root / "begun").exists)
    process.terminate()
    assert process.wait(30) == 130
    second = place.rally("start", "--resume")
    assert second.code == 0, second
    assert (place.root / "found").read_text() == "ZEBRA\n"
    first, last = place.tries()
    assert last.resumed_session == first.session_id


@SANDBOXED
def test_a_sandboxed_agent_finishes_its_lap(place: Place) -> None:
    place.laps("init")
    place.laps("add", "tail", "--title", "One thing")
    place.script(ran("echo x > made; laps done"))
    start(place, "--sandbox", "Do it")
    assert len(place.tries()[0].laps_completed) == 1


@SANDBOXED
def test_an_interrupted_sandboxed_agent_leaves_nothing(place: Place) -> None:
    place.script(ran("setsid sleep 3017 & echo x > begun; sleep 3017"))
    process = place.begin("start", "--agent", "script", "--sandbox", "-i", "1", "Do it")
    wait_until((place.root / "begun").exists)
    process.terminate()
    assert process.wait(30) == 130
    sleeping = [p for p in psutil.process_iter(["cmdline"]) if "3017" in (p.info["cmdline"] or [])]
    assert sleeping == []


def test_without_bubblewrap_nothing_is_started(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("git", "sh"):
        found = next(Path(d, name) for d in os.environ["PATH"].split(":") if Path(d, name).exists())
        (tools / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(tools))
    place.script(ran("echo x > made"))
    done = place.rally("start", "--agent", "script", "--sandbox", "-i", "1", "Do it")
    assert done.code == 1
    assert "needs bubblewrap" in done.err
    assert (place.tries(), place.relays()) == ([], [])
    assert not (place.root / "made").exists()


def test_a_policy_that_only_reads_asks_for_no_changes(place: Place) -> None:
    place.script('{ say = "It is fine." }')
    said = start(place, "--policy", "read", "-i", "1", "Look at it")
    assert "policy read" in said
    assert place.tries()[0].outcome is Outcome.COMPLETED
    assert place.relays()[0].policy == "read"


def test_who_cannot_be_held_to_a_policy_is_not_started(place: Place) -> None:
    place.configure('[harness.mine]\ncommand = ["cat"]\n')
    done = place.rally("start", "--agent", "mine", "--policy", "read", "-i", "1", "Look at it")
    assert done.code == 1
    assert "mine cannot be held to the policy read" in done.err
    assert place.relays() == []


def test_a_queue_is_not_worked_by_who_only_reads(place: Place) -> None:
    place.laps("init")
    place.laps("add", "tail", "--title", "One thing")
    done = place.rally("start", "--agent", "script", "--policy", "read")
    assert done.code == 2
    assert "--no-laps" in done.err


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--policy", "full", "--sandbox"], "full lets a run do anything"),
        (["--policy", "much"], "is not one of"),
    ],
)
def test_wishes_that_cannot_be_are_refused(place: Place, words: list[str], what: str) -> None:
    done = place.rally("start", "--agent", "script", *words, "-i", "1", "Do it")
    assert done.code == 2
    assert what in done.err


def test_it_is_explained_what_runs_may_do_and_nothing_happens(place: Place) -> None:
    before = sorted(path for path in place.root.rglob("*") if ".git/" not in str(path))
    done = place.rally("start", "--explain", "--agent", 'cc cx:"gpt-x"', "--policy", "write", "x")
    assert done.code == 0, done
    assert "claude -p" in done.out
    assert "nobody but itself" in done.out
    assert "codex with gpt-x" in done.out
    assert sorted(p for p in place.root.rglob("*") if ".git/" not in str(p)) == before
    assert not (place.home / "data").exists()


@SANDBOXED
def test_the_command_of_a_sandbox_is_explained(place: Place) -> None:
    words = ["start", "--explain", "--agent", "cc", "--sandbox", "x"]
    done = place.rally(*words)
    assert done.code == 0, done
    assert "bwrap --unshare-user" in done.out
    assert f"--bind-try {place.root} {place.root}" in done.out
    assert "bubblewrap, whatever it does" in done.out
    place.configure('[sandbox]\nnetwork = "model"\nhosts = ["extra.example:81"]\n')
    assert "extra.example:81" in place.rally(*words).out
    assert "--unshare-net" in place.rally(*words).out


EVIL = "echo '[core] fsmonitor = ./evil'"
PLANTS = {
    "settings": f"git config core.fsmonitor $PWD/evil || {EVIL} >> .git/config",
    "another folder": f"mv .git .gone; mkdir .git; cp -r .gone/* .git; {EVIL} >> .git/config",
    "a repository inside": """git init -q nested; cd nested; git config core.fsmonitor $PWD/../evil
git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x; cd ..; git add nested""",
    "a common folder": f"cp -r .git other; {EVIL} >> other/config; echo ../other > .git/commondir",
}


@SANDBOXED
@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_what_an_agent_plants_for_git_is_not_run_outside(place: Place, plant: str) -> None:
    evil = place.home / "escaped"
    order = f"""
printf '#!/bin/sh\\ntouch {evil}\\n' > evil; chmod +x evil
({plant}) 2>/dev/null; echo x > made"""
    place.script(ran(order), '{ write = "more.txt", text = "x" }')
    place.rally("start", "--agent", "script", "--sandbox", "-i", "2", "Do it")
    assert (place.root / "made").exists()
    assert not evil.exists()


@SANDBOXED
def test_programs_of_the_workspace_run_inside_alone(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project's own environment on the PATH, into which an agent puts a git and a bwrap."""
    own = place.root / "venv/bin"
    own.mkdir(parents=True)
    (place.root / ".gitignore").write_text("venv\n")
    place.git("add", ".gitignore")
    place.git("commit", "-qm", "Leave the environment out")
    fake = f"#!/bin/sh\ntouch {place.home}/escaped\n"
    (place.root / "fake").write_text(fake)
    monkeypatch.setenv("PATH", f"{own}{os.pathsep}{os.environ['PATH']}")
    place.script(
        ran("for name in git bwrap; do cp fake venv/bin/$name; done; chmod +x venv/bin/*"),
        ran("command -v git > which"),
    )
    place.rally("start", "--agent", "script", "--sandbox", "-i", "2", "Do it")
    place.rally("status")
    assert (place.root / "which").read_text() == f"{own}/git\n"
    assert not (place.home / "escaped").exists()


@SANDBOXED
def test_a_record_that_an_agent_forges_does_not_free_it(place: Place) -> None:
    forge = """
sed 's/,"sandboxed":true//; s/"policy":"[a-z]*",//' .rally/state/relays.jsonl > new
cat new > .rally/state/relays.jsonl; exit 0"""
    place.script(
        f"{ran(forge)},\n{{ sleep = 300 }}", ran("test -e /sys && echo outside > where; true")
    )
    process = place.begin("start", "--agent", "script", "--sandbox", "-i", "1", "Do it")
    wait_until(lambda: "sandboxed" not in (relays_of(place) or "sandboxed"))
    os.killpg(process.pid, 9)
    process.wait(30)
    done = place.rally("start", "--resume", "--allow-no-changes")
    assert "in a sandbox" in done.out
    assert not (place.root / "where").exists()


def relays_of(place: Place) -> str:
    file = place.root / ".rally/state/relays.jsonl"
    return file.read_text() if file.exists() else ""


@SANDBOXED
def test_records_are_not_written_through_links(place: Place) -> None:
    outside = place.home / "outside"
    outside.mkdir()
    (outside / "file").write_text("")
    order = f"""
rm .rally/state/tries.jsonl .rally/summary.jsonl; ln -s {outside}/file .rally/state/tries.jsonl
ln -s {outside}/file .rally/summary.jsonl; mv .rally/state .rally/old; ln -s {outside} .rally/state
echo x > made"""
    place.script(ran(order))
    place.rally("start", "--agent", "script", "--sandbox", "-i", "1", "Do it")
    assert (place.root / "made").exists()
    assert (outside / "file").read_text() == ""
    assert [path.name for path in outside.iterdir()] == ["file"]


@SANDBOXED
def test_a_program_of_the_workspace_is_an_agent_that_runs_inside(place: Place) -> None:
    own = place.root / "bin"
    own.mkdir()
    (own / "mine").write_text(f"#!/bin/sh\ntouch {place.home}/escaped; echo x > made\n")
    (own / "mine").chmod(0o755)
    place.configure(f'[harness.mine]\ncommand = ["{own}/mine"]\n')
    place.rally("start", "--agent", "mine", "--sandbox", "-i", "1", "Do it")
    assert (place.root / "made").exists()
    assert not (place.home / "escaped").exists()


@SANDBOXED
def test_no_hook_comes_into_being_where_there_was_none(place: Place) -> None:
    (place.root / ".git/hooks").rename(place.home / "hooks")
    place.script(ran("mkdir -p .git/hooks; echo evil > .git/hooks/post-commit; echo x > made"))
    start(place, "--sandbox", "-i", "1", "Do it")
    assert [*(place.root / ".git/hooks").iterdir()] == []


@SANDBOXED
def test_what_is_kept_of_agents_lies_where_they_do_not_write(place: Place) -> None:
    place.configure('data_dir = "kept"\n')
    place.script(ran("echo x > made"))
    done = place.rally("start", "--agent", "script", "--sandbox", "-i", "1", "Do it")
    assert done.code == 2
    assert "lies where sandboxed agents write" in done.err
    assert (place.tries(), place.relays()) == ([], [])
    start(place, "-i", "1", "Do it")
