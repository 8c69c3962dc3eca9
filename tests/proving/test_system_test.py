"""Every try of a backend leaves its report, however it ends."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from standins import Machine, claude_says
from support import wait_until
from workers import is_gone


def files(folder: Path) -> tuple[dict[str, Any], dict[str, Any], str]:
    run = json.loads((folder / "run.json").read_text())
    result = json.loads((folder / "result.json").read_text())
    return run, result, (folder / "summary.md").read_text()


def test_an_answer_is_put_on_record(machine: Machine) -> None:
    done = machine.mittelo("system-test", "--backend", "echo", "--prompt", "Say hello")
    run, result, summary = files(machine.report())
    assert done.returncode == 0
    assert str(machine.report()) in done.stdout
    assert (result["backend"], result["ok"], result["rc"]) == ("echo", True, 0)
    assert (result["stdout"], result["category"]) == ("echo:Say hello", None)
    assert result["latency_ms"] >= 0
    assert run["prompt"] == "Say hello"
    assert run["preflight"]["status"] == "ok"
    assert "# echo: PASS" in summary


def test_two_in_one_second_have_folders_of_their_own(machine: Machine) -> None:
    for _ in range(2):
        assert machine.mittelo("system-test", "--backend", "echo").returncode == 0
    assert len([path for path in (machine.work / "reports/e2e").iterdir() if path.is_dir()]) == 2


def test_git_takes_no_notice_of_reports(machine: Machine) -> None:
    machine.mittelo("system-test", "--backend", "echo")
    assert (machine.work / "reports/e2e/.gitignore").read_text() == "*\n"


@pytest.mark.parametrize("name", ["glm", "nosuch", "../x"])
def test_a_backend_that_is_not_there_leaves_a_report(machine: Machine, name: str) -> None:
    done = machine.mittelo("system-test", "--backend", name, "--prompt", "hello")
    _, result, _ = files(machine.report())
    assert (done.returncode, result["ok"], result["rc"]) == (1, False, None)
    assert result["category"] == "harness_launch"
    assert result["stderr"]


def test_a_failing_backend_leaves_its_exit_code_and_words(machine: Machine) -> None:
    command = ["--backend", "shell", "--shell-cmd", "sh -c 'echo oh no >&2; exit 7'"]
    done = machine.mittelo("system-test", *command)
    _, result, summary = files(machine.report())
    assert (done.returncode, result["ok"], result["rc"]) == (1, False, 7)
    assert "oh no" in result["stderr"]
    assert "# shell: FAIL" in summary


def test_the_home_of_what_is_tried_lies_in_the_report(machine: Machine) -> None:
    told = "sh -c 'touch $HOME/here $XDG_CONFIG_HOME/there; echo $HOME'"
    machine.mittelo("system-test", "--backend", "shell", "--shell-cmd", told)
    home = machine.report() / "home"
    _, result, _ = files(machine.report())
    assert result["stdout"] == str(home)
    assert (home / "here").exists()
    assert (home / ".config/there").exists()
    assert not (machine.root / "home/here").exists()


def test_with_real_home_it_is_the_user_s_own(machine: Machine) -> None:
    told = ["--backend", "shell", "--shell-cmd", "sh -c 'echo $HOME'", "--real-home"]
    machine.mittelo("system-test", *told)
    _, result, _ = files(machine.report())
    assert result["stdout"] == os.environ["HOME"]


def test_a_home_that_the_user_names_wins(machine: Machine) -> None:
    home = machine.root / "prepared"
    told = ["--backend", "shell", "--shell-cmd", "sh -c 'echo $HOME'"]
    machine.mittelo("system-test", *told, MITTELO_SUBPROCESS_HOME=str(home))
    run, result, _ = files(machine.report())
    assert (result["stdout"], run["home"]) == (str(home), str(home))


def test_an_agent_cli_is_tried_also_where_no_login_is_seen(machine: Machine) -> None:
    machine.install_cli("claude", "claude", "2.1.197", claude_says("hello there"))
    done = machine.mittelo("system-test", "--backend", "claude_code")
    run, result, _ = files(machine.report())
    assert (done.returncode, result["stdout"]) == (0, "hello there")
    assert run["preflight"]["status"] == "warn"


def test_what_takes_too_long_is_ended(machine: Machine) -> None:
    told = ["--backend", "shell", "--shell-cmd", "sleep 60", "--timeout-s", "0.5"]
    assert machine.mittelo("system-test", *told).returncode == 1
    _, result, _ = files(machine.report())
    assert (result["category"], result["reason"]) == ("timed_out", "timed out after 0.5 s")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_when_interrupted_the_report_says_so(machine: Machine, number: int) -> None:
    pid = machine.work / "pid"
    told = f"sh -c 'echo $$ > {pid}; exec sleep 60'"
    with machine.begin("system-test", "--backend", "shell", "--shell-cmd", told) as process:
        wait_until(lambda: pid.exists() and pid.read_text().strip(), "the run")
        process.send_signal(number)
        assert process.wait(20) == 130
    _, result, _ = files(machine.report())
    assert (result["ok"], result["reason"]) == (False, "it was interrupted")
    assert is_gone(int(pid.read_text()))


def test_when_killed_the_report_is_there_and_nothing_is_left(machine: Machine) -> None:
    pid = machine.work / "pid"
    told = f"sh -c 'echo $$ > {pid}; exec sleep 60'"
    with machine.begin("system-test", "--backend", "shell", "--shell-cmd", told) as process:
        wait_until(lambda: pid.exists() and pid.read_text().strip(), "the run")
        process.kill()
    _, result, _ = files(machine.report())
    assert (result["ok"], result["reason"]) == (False, "it has not ended, or was killed")
    wait_until(lambda: is_gone(int(pid.read_text())), "its end")


def test_the_report_names_model_variables_and_no_secret(machine: Machine) -> None:
    machine.mittelo(
        "system-test", "--backend", "echo", OPENAI_API_KEY="sk-1", MITTELO_PI_MODEL="a/b"
    )
    run, _, _ = files(machine.report())
    assert run["env_model_vars"]["MITTELO_PI_MODEL"] == "a/b"
    assert "sk-1" not in (machine.report() / "run.json").read_text()
