"""A hub and two workers, all of which are gone in the end."""

import json
import platform
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from standins import MITTELO, Machine
from support import wait_until

BIND = {"x86_64": 49, "aarch64": 200}.get(platform.machine())

FORBID = """
import ctypes, os, struct, sys
number = int(sys.argv[1])
rules = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7FFF0000)]
code = b"".join(struct.pack("HBBI", *rule) for rule in rules)
buffer = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", len(rules), ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.create_string_buffer(program), 0, 0) == 0
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Lets every bind end with EPERM, for itself and all that it starts."""


def files(folder: Path) -> tuple[dict[str, Any], dict[str, Any], str]:
    run = json.loads((folder / "run.json").read_text())
    result = json.loads((folder / "result.json").read_text())
    return run, result, (folder / "summary.md").read_text()


def ours(folder: Path) -> list[psutil.Process]:
    """Return living processes that write into a report."""
    found = []
    for process in psutil.process_iter():
        try:
            state = process.environ().get("XDG_STATE_HOME", "")
            if state.startswith(str(folder)) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def test_two_workers_share_the_tasks(machine: Machine) -> None:
    done = machine.mittelo("pair-smoke", MITTELO_PORT="1", MITTELO_TOKEN="secret")
    run, result, summary = files(machine.report("swarm"))
    assert done.returncode == 0, result
    assert (result["status"], result["ok"], len(result["tasks"])) == ("SUCCESS", True, 6)
    assert {task["worker_id"] for task in result["tasks"]} == {"worker-a", "worker-b"}
    assert run["doctor"]["ok"] is True
    assert run["arguments"]["backend_a"] == "echo"
    assert {"git_commit", "python", "platform", "env_model_vars"} <= set(run)
    assert "SUCCESS" in summary
    assert not ours(machine.work)


def test_two_backends_get_tasks_in_turn(machine: Machine) -> None:
    told = ["--backend-b", "shell", "--shell-cmd", "sh -c 'cat; pwd; echo $HOME'", "--tasks", "3"]
    done = machine.mittelo("pair-smoke", *told)
    _, result, _ = files(machine.report("swarm"))
    assert done.returncode == 0, result
    assert [task["backend"] for task in result["tasks"]] == ["echo", "shell", "echo"]
    assert str(machine.report("swarm") / "home-worker-b") in result["tasks"][1]["result"]


def test_a_failed_task_is_a_failure(machine: Machine) -> None:
    done = machine.mittelo("pair-smoke", "--backend-b", "shell", "--shell-cmd", "false")
    _, result, summary = files(machine.report("swarm"))
    assert (done.returncode, result["status"], result["ok"]) == (1, "FAILED", False)
    assert "3 of 6 tasks failed" in result["reason"]
    assert "FAILED" in summary


def test_what_is_not_done_in_time_is_a_failure_and_nothing_is_left(machine: Machine) -> None:
    told = ["--backend-b", "shell", "--shell-cmd", "sleep 60", "--timeout-s", "1"]
    done = machine.mittelo("pair-smoke", *told)
    _, result, _ = files(machine.report("swarm"))
    assert done.returncode == 1
    assert re.fullmatch(r"[0-5] of 6 tasks ended in 1 s", result["reason"])
    assert not ours(machine.work)


def test_a_backend_that_is_not_there_is_a_failure_with_a_report(machine: Machine) -> None:
    done = machine.mittelo("pair-smoke", "--backend-a", "kiro")
    run, result, _ = files(machine.report("swarm"))
    assert (done.returncode, result["status"]) == (1, "FAILED")
    assert "kiro-cli is not on the PATH" in result["reason"]
    assert {"kiro"} < {check["name"] for check in run["doctor"]["checks"]}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_survives_when_it_is_ended(machine: Machine, number: int) -> None:
    told = ["--backend-b", "shell", "--shell-cmd", "sleep 60", "--timeout-s", "30"]
    with machine.begin("pair-smoke", *told) as process:
        wait_until(lambda: _sleeps(machine.work), "the run")
        process.send_signal(number)
        assert process.wait(20) == (130 if number != signal.SIGKILL else -9)
        if number != signal.SIGKILL:
            assert not ours(machine.work)
        wait_until(lambda: not ours(machine.work), "the end of all")
    _, result, _ = files(machine.report("swarm"))
    expected = "UNFINISHED" if number == signal.SIGKILL else "INTERRUPTED"
    assert (result["status"], result["ok"]) == (expected, False)


@pytest.mark.skipif(sys.platform != "linux" or BIND is None, reason="needs seccomp")
def test_where_localhost_is_forbidden_that_is_put_on_record(machine: Machine) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORBID, str(BIND), sys.executable, MITTELO, "pair-smoke"],
        cwd=machine.work,
        env=machine.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    run, result, summary = files(machine.report("swarm"))
    assert done.returncode == 0, done.stderr
    assert (result["status"], result["ok"]) == ("SKIPPED", False)
    assert "Operation not permitted" in result["reason"]
    assert "SKIPPED" in summary
    assert run["doctor"]["ok"] is False


def _sleeps(folder: Path) -> bool:
    return any("sleep" in process.name() for process in ours_or_below(folder))


def ours_or_below(folder: Path) -> list[psutil.Process]:
    """Return the processes of a report with all that they started."""
    below = [child for process in ours(folder) for child in process.children(recursive=True)]
    return [*ours(folder), *below]
