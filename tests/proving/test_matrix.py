"""Which backends work here, and why the others do not."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from standins import Machine, claude_says, names
from support import wait_until


def rows(done: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    return found


def test_on_a_bare_machine_echo_passes_and_all_else_is_skipped_each_time(machine: Machine) -> None:
    first = machine.mittelo("matrix", "--json")
    again = machine.mittelo("matrix", "--json")
    assert (first.returncode, again.returncode) == (0, 0)
    assert names(rows(first), "PASS") == {"echo"}
    assert not names(rows(first), "FAIL")
    assert {"claude_code", "codex", "script", "shell", "tmux"} <= names(rows(first), "SKIP")
    assert all(row["reason"] for row in rows(first) if row["verdict"] == "SKIP")
    told = [[(r["backend"], r["verdict"], r["reason"]) for r in rows(x)] for x in (first, again)]
    assert told[0] == told[1]


def test_it_is_on_record_in_one_folder(machine: Machine) -> None:
    machine.mittelo("matrix", "--include", "echo", "--include", "codex")
    folder = machine.report()
    assert folder.name.endswith("_matrix")
    matrix = json.loads((folder / "matrix.json").read_text())
    assert matrix["counts"] == {"pass": 1, "fail": 0, "skip": 1}
    assert (matrix["ok"], matrix["finished"]) == (True, True)
    assert "| echo | PASS |" in (folder / "summary.md").read_text()
    assert json.loads((folder / "echo/result.json").read_text())["stdout"].startswith("echo:")


def test_only_what_is_ready_is_run(machine: Machine) -> None:
    machine.install_cli("claude", "claude", "2.1.197", claude_says("hello"))
    skipped = machine.mittelo("matrix", "--include", "claude", "--json")
    assert names(rows(skipped), "SKIP") == {"claude_code"}
    tried = machine.mittelo("matrix", "--include", "claude", "--run-on-warn", "--json")
    assert names(rows(tried), "PASS") == {"claude_code"}
    ready = machine.mittelo("matrix", "--include", "cc", "--json", ANTHROPIC_API_KEY="x")
    assert names(rows(ready), "PASS") == {"claude_code"}


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ('policy = "read"', "mine cannot be held to the policy read"),
        ("enabled = true", "The sandbox needs bubblewrap"),
    ],
)
def test_what_cannot_be_kept_to_its_policy_is_skipped(
    machine: Machine, settings: str, why: str
) -> None:
    (machine.work / ".rally").mkdir()
    text = f'[sandbox]\n{settings}\n[harness.mine]\ncommand = ["cat"]\n'
    (machine.work / ".rally/config.toml").write_text(text)
    done = machine.mittelo("matrix", "--include", "mine", "--include", "echo", "--json")
    told = {row["backend"]: (row["verdict"], row["reason"]) for row in rows(done)}
    assert (done.returncode, told["echo"][0], told["mine"][0]) == (0, "PASS", "SKIP")
    assert why in told["mine"][1]


def test_another_version_than_that_of_the_lock_is_no_reason_to_skip(machine: Machine) -> None:
    machine.install_package("claude", "claude", "9.8.7", claude_says("hello"))
    words = ("matrix", "--include", "claude", "--json", "--real-home")
    done = machine.mittelo(*words, ANTHROPIC_API_KEY="x")
    assert names(rows(done), "PASS") == {"claude_code"}
    run = json.loads((machine.report() / "claude_code/run.json").read_text())
    assert "claude is 9.8.7, and " in run["preflight"]["warnings"][0]


def test_what_fails_in_another_version_is_told_with_that(machine: Machine) -> None:
    machine.install_package("claude", "claude", "9.8.7", "exit 9")
    words = ("matrix", "--include", "claude", "--json", "--real-home")
    (row,) = rows(machine.mittelo(*words, ANTHROPIC_API_KEY="x"))
    assert row["verdict"] == "FAIL"
    assert "exit 9. claude is 9.8.7, and " in row["reason"]


def test_what_the_machine_lacks_is_told_with_what_to_do(machine: Machine) -> None:
    machine.install("claude", "echo 'Invalid API key · Please run /login' >&2; exit 1")
    words = ("matrix", "--include", "claude", "--json", "--real-home")
    (row,) = rows(machine.mittelo(*words, ANTHROPIC_API_KEY="x"))
    assert row["verdict"] == "SKIP"
    assert row["reason"].endswith(": log in, or mend its settings or the proxy")


def test_exclude_leaves_out(machine: Machine) -> None:
    done = machine.mittelo("matrix", "--exclude", "claude", "--json")
    assert "claude_code" not in {row["backend"] for row in rows(done)}


def test_an_unknown_name_is_a_usage_error(machine: Machine) -> None:
    done = machine.mittelo("matrix", "--include", "nosuch")
    assert (done.returncode, "There is no backend 'nosuch'" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("body", "verdict", "told"),
    [
        ("cat", "PASS", ""),
        ("true", "FAIL", "empty answer"),
        ("echo 'Error: no such thing'", "FAIL", "an error as the answer"),
        ("echo Traceback '(most recent call last):' >&2; echo x; exit 1", "FAIL", "traceback"),
        ("echo 'Invalid API key · Please run /login' >&2; exit 1", "SKIP", "Invalid API key"),
        ("echo 'stream disconnected before completion' >&2; exit 1", "SKIP", "stream"),
        ("echo 'You have hit your usage limit' >&2; exit 1", "SKIP", "usage limit"),
        ("exit 9", "FAIL", "exit 9"),
    ],
)
def test_verify_tells_our_faults_from_what_the_machine_lacks(
    machine: Machine, body: str, verdict: str, told: str
) -> None:
    folder = machine.work / "backends/mine"
    folder.mkdir(parents=True)
    (folder / "run").write_text(f"{body}\n")
    done = machine.mittelo("verify-backends", "--backend", "mine", "--json")
    (row,) = rows(done)
    assert row["verdict"] == verdict, row
    assert told in row["reason"]
    assert done.returncode == (1 if verdict == "FAIL" else 0)


def test_verify_looks_at_drivers_alone_and_strict_fails_for_a_skip(machine: Machine) -> None:
    done = machine.mittelo("verify-backends", "--json")
    assert done.returncode == 0
    assert {"echo", "shell", "script"}.isdisjoint(row["backend"] for row in rows(done))
    assert machine.mittelo("verify-backends", "--strict").returncode == 1
    assert (machine.work / "reports/verify_cli_drivers").is_dir()


def test_a_failing_cli_whose_login_is_doubtful_proves_nothing(machine: Machine) -> None:
    machine.install_cli("codex", "codex", "0.169.0", "exit 1")
    doubtful = machine.mittelo("matrix", "--include", "codex", "--run-on-warn", "--json")
    assert names(rows(doubtful), "SKIP") == {"codex"}
    ready = machine.mittelo("matrix", "--include", "codex", "--json", CODEX_API_KEY="x")
    assert (names(rows(ready), "FAIL"), ready.returncode) == ({"codex"}, 1)


def test_when_interrupted_what_was_found_is_on_record(machine: Machine) -> None:
    slow = machine.work / "backends/slow"
    slow.mkdir(parents=True)
    began = machine.work / "began"
    (slow / "run").write_text(f"touch {began}; sleep 60\n")
    with machine.begin("matrix", "--include", "echo", "--include", "slow") as process:
        wait_until(began.exists, "the run")
        wait_until(lambda: _matrix(machine)["counts"]["pass"] == 1, "the echo")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    matrix = _matrix(machine)
    assert (matrix["finished"], matrix["ok"]) == (False, False)
    assert names(matrix["results"], "FAIL") == {"slow"}


def _matrix(machine: Machine) -> dict[str, Any]:
    path: Path = machine.report() / "matrix.json"
    found: dict[str, Any] = json.loads(path.read_text())
    return found
