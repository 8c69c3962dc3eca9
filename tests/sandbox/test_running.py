"""Sandboxed runs: what a program can do in one, and what it cannot."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from sandboxing import a_server
from support import wait_until

from mittelo.answering.backends import Shell
from mittelo.answering.run import Answer, Bounds, Question, Run
from mittelo.config.schema import SandboxTable
from mittelo.core.policies import Policy
from mittelo.sandbox.permits import Permit

pytestmark = pytest.mark.usefixtures("bubblewrap")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "given").write_text("given\n")
    return folder


def a_run(work: Path, text: str, policy: Policy = Policy.WRITE, **table: object) -> Run:
    held = SandboxTable(enabled=True, **table)  # type: ignore[arg-type]
    permit = Permit(policy=policy, asked=True, sandboxed=True, table=held)
    bounds = Bounds(keep=work.parent / "kept", permit=permit)
    shell = Shell(["sh", "-c", text], allowed=tuple(held.variables))
    return Run(shell, Question(prompt="hi"), bounds, str(work))


def ask(work: Path, text: str, policy: Policy = Policy.WRITE, **table: object) -> Answer:
    return a_run(work, text, policy, **table).go()


def said(work: Path, text: str, policy: Policy = Policy.WRITE, **table: object) -> list[str]:
    answer = ask(work, text, policy, **table)
    assert answer.ok, answer
    return answer.text.splitlines()


def test_the_prompt_comes_in_and_the_answer_goes_out(work: Path) -> None:
    assert said(work, "cat; echo; pwd") == ["hi", str(work)]


def test_the_workspace_is_read_and_written(work: Path) -> None:
    assert said(work, "cat given; echo made > made") == ["given"]
    assert (work / "made").read_text() == "made\n"


def test_a_policy_that_only_reads_writes_nothing(work: Path) -> None:
    assert said(work, "cat given; (echo x > made) 2>/dev/null || echo no", Policy.READ) == [
        "given",
        "no",
    ]
    assert [path.name for path in work.iterdir()] == ["given"]


def test_outside_there_is_nothing_to_read_or_write(work: Path) -> None:
    secret = Path.home() / ".ssh/id"
    secret.parent.mkdir()
    secret.write_text("secret")
    beside = work.parent / "beside"
    beside.write_text("beside")
    order = f"""
for file in '{secret}' '{beside}' /etc/shadow; do cat $file 2>/dev/null && echo was read; done
for file in /usr/new /etc/new /new '{sys.prefix}/new'; do
  (echo x > $file) 2>/dev/null && echo $file was written
done
echo x > '{beside}'; echo x > '{work.parent}/new'
echo end"""
    assert said(work, order) == ["end"]
    assert (secret.read_text(), beside.read_text()) == ("secret", "beside")
    assert not (work.parent / "new").exists()  # what it wrote was its own /tmp


def test_a_link_in_the_workspace_leads_nowhere(work: Path) -> None:
    (work.parent / "beside").write_text("beside")
    (work / "out").symlink_to(work.parent)
    assert said(work, "cat out/beside 2>/dev/null || echo no") == ["no"]


def test_home_and_temporary_folder_are_its_own(work: Path) -> None:
    (Path.home() / "mine").write_text("x")
    told = said(
        work, 'ls -A "$HOME"; echo $TMPDIR; echo x > /tmp/left && echo x > ~/left; echo end'
    )
    assert told == [".cache", ".config", ".local", "/tmp", "end"]  # noqa: S108
    assert sorted(path.name for path in Path.home().iterdir()) == ["mine"]
    assert not Path("/tmp/left").exists()  # noqa: S108


def test_what_runs_outside_cannot_be_changed_from_inside(work: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=work, check=True)
    (work / ".rally").mkdir()
    (work / ".rally/config.toml").write_text("")
    before = (work / ".git/config").read_text()
    order = """
echo '[core] fsmonitor = evil' >> .git/config
echo evil > .git/hooks/post-commit
mv .git/hooks .git/gone
echo 'notify.command = ["evil"]' > .rally/config.toml
rm -f .git/config
git -c user.name=a -c user.email=a@b commit -q --allow-empty -m mine && echo committed"""
    assert said(work, f"({order}) 2>/dev/null") == ["committed"]
    assert (work / ".git/config").read_text() == before
    assert not (work / ".git/hooks/post-commit").exists()
    assert (work / ".rally/config.toml").read_text() == ""


def test_no_process_outside_is_seen_or_reached(work: Path) -> None:
    order = f"kill -0 {os.getpid()} 2>/dev/null && echo reached; ls /proc | grep -c '^[0-9]'"
    assert int(said(work, order)[-1]) < 8


def test_it_has_no_capability_and_can_gain_none(work: Path) -> None:
    told = said(work, "grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status")
    assert [line.split()[1] for line in told] == ["0" * 16, "0" * 16, "1"]


def test_what_it_leaves_behind_ends_with_it(work: Path) -> None:
    before = {process.pid for process in psutil.process_iter()}
    order = (
        "setsid sh -c 'while :; do date > beat; sleep 0.05; done' & while ! [ -e beat ]; do :; done"
    )
    assert said(work, order) == []
    left = [p for p in psutil.process_iter(["cwd"]) if p.pid not in before]
    assert [process for process in left if process.info["cwd"] == str(work)] == []


def test_stopping_ends_all_of_it(work: Path) -> None:
    run = a_run(work, "setsid sleep 300 & echo $$ > begun; sleep 300")
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(run.go()))
    thread.start()
    wait_until((work / "begun").exists)
    run.stop()
    thread.join(30)
    assert answers[0].stopped
    left = [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(work)]
    assert left == []


def test_variables_are_given_by_name_alone(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_ONE", "SECRET_TWO"):
        monkeypatch.setenv(name, "x")
    told = said(work, "env | grep -o '^SECRET_[A-Z]*'", variables=["SECRET_TWO"])
    assert told == ["SECRET_TWO"]


def test_more_is_readable_and_writable_as_configured(work: Path) -> None:
    for name in ("reads", "writes"):
        (work.parent / name).mkdir()
        (work.parent / name / "file").write_text(name)
    order = f"""
cat '{work.parent}/reads/file' '{work.parent}/writes/file'; echo
(echo x > '{work.parent}/reads/file') 2>/dev/null || echo no
echo new > '{work.parent}/writes/file'"""
    reads, writes = [f"{work.parent}/reads"], [f"{work.parent}/writes"]
    assert said(work, order, readable=reads, writable=writes) == ["readswrites", "no"]
    assert (work.parent / "writes/file").read_text() == "new\n"


def test_files_of_the_home_are_given_as_copies_and_logins_as_they_are(work: Path) -> None:
    own = Path.home() / ".tool"
    own.mkdir()
    for name in ("login", "settings", "other"):
        (own / name).write_text(name)
    order = "cat ~/.tool/*; ls ~/.tool; for f in ~/.tool/*; do echo new > $f; done"
    given = {"logins": [".tool/login"], "home_files": [".tool/settings"]}
    told = ask(work, order, **given)  # type: ignore[arg-type]
    assert told.text == "loginsettingslogin\nsettings"
    assert (own / "login").read_text() == "new\n"
    assert (own / "settings").read_text() == "settings"


def test_settings_of_the_kernel_cannot_be_written(work: Path) -> None:
    order = "for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname /proc/mtrr; do"
    assert said(work, f"{order} [ -w $f ] && echo $f; done; echo end") == ["end"]


def test_a_link_out_of_a_kept_home_is_not_followed(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, outside = work.parent / "own", work.parent / "outside"
    monkeypatch.setenv("MITTELO_SUBPROCESS_HOME", str(home))
    outside.mkdir()
    assert said(work, f"rmdir ~/.local/* ~/.local; ln -s {outside} ~/.local") == []
    answer = ask(work, "true")
    assert "leads out of" in answer.reason
    assert [*outside.iterdir()] == []


PYTHON = f"'{sys.executable}' -c"
FETCH = "import sys,urllib.request as u;print(u.urlopen(sys.argv[1],timeout=5).read().decode())"


def fetching(url: str) -> str:
    return f'{PYTHON} "{FETCH}" {url} 2>/dev/null || echo no'


def test_an_open_network_reaches_everybody(work: Path) -> None:
    with a_server() as (port, asked):
        assert said(work, fetching(f"http://127.0.0.1:{port}/x")) == ["hello"]
    assert asked == ["/x"]


def test_without_a_network_nobody_is_reached(work: Path) -> None:
    with a_server() as (port, asked):
        assert said(work, fetching(f"http://127.0.0.1:{port}/x"), network="none") == ["no"]
    assert asked == []


def test_only_the_hosts_that_are_named_are_reached(work: Path) -> None:
    with a_server() as (port, asked), a_server() as (other, unasked):
        order = "; ".join(
            [
                fetching(f"http://localhost:{port}/name"),
                fetching(f"http://127.0.0.1:{port}/number"),
                fetching(f"http://127.0.0.1:{other}/"),
                fetching(f"http://localhost:{other}/"),
            ]
        )
        told = said(work, order, network="model", hosts=[f"http://localhost:{port}"])
    assert told == ["hello", "hello", "no", "no"]
    assert (asked, unasked) == (["/name", "/number"], [])


def test_a_proxy_that_is_named_in_the_environment_is_reached(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_server() as (port, asked):
        monkeypatch.setenv("http_proxy", f"http://localhost:{port}")
        monkeypatch.setenv("no_proxy", "")
        assert said(work, fetching("http://far.example/x"), network="model") == ["hello"]
    assert asked == ["http://far.example/x"]


def test_a_host_that_is_named_and_away_is_an_error_inside(work: Path) -> None:
    told = said(
        work, fetching("http://nowhere.invalid:81/"), network="model", hosts=["nowhere.invalid:81"]
    )
    assert told == ["no"]


def test_many_bytes_come_through_whole(work: Path) -> None:
    with a_server() as (port, _):
        loop = (
            f"for n in 1 2 3 4 5 6 7 8; do ({fetching(f'http://127.0.0.1:{port}/$n')}) & done; wait"
        )
        told = said(work, loop, network="model", hosts=[f"127.0.0.1:{port}"])
    assert told == ["hello"] * 8


def test_how_it_ended_is_told(work: Path) -> None:
    assert ask(work, "exit 7").code == 7
    assert ask(work, "exit 7", network="model", hosts=["localhost:9"]).code == 7
    assert ask(work, "kill -9 $$").code == 137


def test_a_program_that_is_not_there_is_told_of(work: Path) -> None:
    permit = Permit(policy=Policy.WRITE, asked=True, sandboxed=True)
    bounds = Bounds(keep=work.parent / "kept", permit=permit)
    answer = Run(Shell(["no-such-program"]), Question(prompt="x"), bounds, str(work)).go()
    assert "no-such-program cannot be started in the sandbox" in answer.reason
    assert answer.category == "harness_launch"


def test_nothing_of_a_sandbox_is_left_on_disk(work: Path) -> None:
    said(work, "true", network="model", hosts=["localhost:9"])
    assert sorted(path.name for path in work.parent.iterdir()) == ["home", "work"]
    assert [*work.iterdir()] == [work / "given"]
