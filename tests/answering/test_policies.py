"""Answers that are kept to a policy, as workers are told."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hubs import MITTELO
from support import Done

from mittelo.answering.backends import (
    Agent,
    Backend,
    Echo,
    Shell,
    configuration_here,
    find_backend,
)
from mittelo.answering.preparing import Place, Prepared, explain, prepare, require_kept
from mittelo.answering.run import Bounds, Question, Run
from mittelo.core.policies import DEFAULT_ANSWER, Policy
from mittelo.harness.base import Harness
from mittelo.harness.claude import Claude
from mittelo.harness.kiro import Kiro
from mittelo.sandbox.permits import Permit, PolicyError

ID = Shell(["id"])
HERE = Path("/nowhere")


def agent(harness: Harness) -> Agent:
    return Agent((harness.name, *harness.aliases), harness, "", "built in")


def prepared(backend: Backend, tmp_path: Path, permit: Permit | None = None) -> Prepared:
    place = Place(cwd=str(tmp_path), home="", scratch=tmp_path / "scratch")
    return prepare(backend, "x", permit or Permit(policy=DEFAULT_ANSWER), place, {})


def mittelo(*words: str) -> Done:
    done = subprocess.run(
        [MITTELO, *words], capture_output=True, text=True, check=False, timeout=60
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_an_agent_answers_without_tools_unless_more_is_asked_for(tmp_path: Path) -> None:
    assert "--tools=" in prepared(agent(Claude()), tmp_path).command.argv
    asked = Permit(policy=Policy.READ, asked=True)
    assert "Read,Glob,Grep" in " ".join(prepared(agent(Claude()), tmp_path, asked).command.argv)


def test_in_a_home_of_its_own_a_program_is_given_what_is_allowed_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SECRET_ONE", "SECRET_TWO", "OTHER"):
        monkeypatch.setenv(name, "x")
    listing = [sys.executable, "-c", "import os; print(*sorted(os.environ))"]
    Path(".rally").mkdir()

    def seen(*allowed: str) -> set[str]:
        words = ", ".join(f'"{name}"' for name in allowed)
        Path(".rally/config.toml").write_text(f"[sandbox]\nvariables = [{words}]\n")
        backend = find_backend("shell", configuration_here(), shlex.join(listing))
        run = Run(backend, Question(prompt="x", task_id="7"), Bounds(keep=tmp_path), str(tmp_path))
        return {*run.go().text.split()}

    assert {"SECRET_ONE", "SECRET_TWO", "OTHER"} <= seen()
    monkeypatch.setenv("MITTELO_SUBPROCESS_HOME", str(tmp_path / "own"))
    assert {"SECRET_ONE", "SECRET_TWO", "OTHER"} & seen("SECRET_*") == {"SECRET_ONE", "SECRET_TWO"}
    assert {"MITTELO_TASK_ID", "MITTELO_PROMPT_FILE", "TMPDIR", "PATH"} <= seen()


def test_a_program_of_ones_own_is_held_to_nothing() -> None:
    require_kept(ID, Permit(policy=DEFAULT_ANSWER), HERE)
    require_kept(ID, Permit(policy=Policy.FULL, asked=True), HERE)
    require_kept(Echo(), Permit(policy=Policy.NONE, asked=True), HERE)
    for policy in (Policy.NONE, Policy.READ, Policy.WRITE):
        with pytest.raises(PolicyError, match="a program of your own cannot be held"):
            require_kept(ID, Permit(policy=policy, asked=True), HERE)


def test_kiro_is_trusted_by_its_variable_in_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kiro = agent(Kiro())
    assert "--trust-tools=" in prepared(kiro, tmp_path).command.argv
    monkeypatch.setenv("MITTELO_KIRO_TRUST_ALL_TOOLS", "1")
    trusted = prepared(kiro, tmp_path)
    assert "--trust-all-tools" in trusted.command.argv
    assert trusted.cwd == str(tmp_path / ".mittelo/work/kiro")
    monkeypatch.setenv("MITTELO_SUBPROCESS_WORKDIR", str(tmp_path / "there"))
    assert prepared(kiro, tmp_path).cwd == str(tmp_path / "there")
    walled = prepared(kiro, tmp_path, Permit(policy=DEFAULT_ANSWER, sandboxed=True))
    assert (walled.permit.policy, walled.walls is not None) == (Policy.WRITE, True)
    asked = prepared(kiro, tmp_path, Permit(policy=Policy.READ, asked=True))
    assert ("--trust-tools=fs_read" in asked.command.argv, asked.cwd) == (True, str(tmp_path))


def test_the_folder_of_a_trusted_run_is_made_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin/kiro-cli"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\npwd; echo $@\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("MITTELO_KIRO_TRUST_ALL_TOOLS", "1")
    bounds = Bounds(keep=tmp_path / "kept")
    answer = Run(agent(Kiro()), Question(prompt="x"), bounds, str(tmp_path)).go()
    assert answer.text.splitlines()[0] == str(tmp_path / ".mittelo/work/kiro")


def test_a_worker_explains_what_its_runs_may_do() -> None:
    done = mittelo("agent", "--backend", "claude", "--policy", "write", "--explain")
    assert done.code == 0, done
    told = dict(line.split(maxsplit=1) for line in done.out.splitlines() if line[0] != " ")
    assert told["policy"] == "write: it may read and write in the workspace"
    assert told["sandbox"] == "none"
    assert told["command"].startswith("claude -p")
    assert "acceptEdits" in told["command"]
    assert "echo starts no program" in mittelo("agent", "--explain").out


def test_a_worker_that_cannot_keep_its_policy_does_not_start() -> None:
    words = ["agent", "--backend", "shell", "--shell-cmd", "id", "--policy", "read", "--once"]
    done = mittelo(*words)
    assert done.code == 1
    assert "cannot be held to the policy read" in done.err
    done = mittelo("swarm", "--agent", "shell=1", "--shell-cmd", "id", "--policy", "read")
    assert "cannot be held to the policy read" in done.err


@pytest.mark.parametrize("command", [["agent"], ["swarm", "--agent", "claude=1"]])
def test_without_bubblewrap_no_worker_starts(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "claude").write_text("#!/bin/sh\n")
    (tmp_path / "claude").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    words = [*command, *(["--backend", "claude"] if command == ["agent"] else [])]
    done = mittelo(*words, "--sandbox")
    assert done.code == 1
    assert "The sandbox needs bubblewrap" in done.err


@pytest.mark.usefixtures("bubblewrap")
def test_the_walls_of_a_run_are_explained() -> None:
    Path(".rally").mkdir()
    Path(".rally/config.toml").write_text('[sandbox]\nenabled = true\nnetwork = "none"\n')
    done = mittelo(
        "agent", "--backend", "shell", "--shell-cmd", "id", "--policy", "write", "--explain"
    )
    told = dict(line.split(maxsplit=1) for line in done.out.splitlines())
    assert (told["kept"], told["network"]) == ("by    bubblewrap, whatever it does", "none")
    assert "--unshare-net" in told["command"]
    assert str(Path.cwd()) in told["writes"].split()


def test_a_run_that_would_be_open_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bubblewrap goes away while a worker runs: its runs fail, and are not run open."""
    monkeypatch.setenv("PATH", "/nowhere")
    permit = Permit(policy=Policy.WRITE, asked=True, sandboxed=True)
    made = tmp_path / "made"
    bounds = Bounds(keep=tmp_path / "kept", permit=permit)
    answer = Run(
        Shell(["/usr/bin/touch", str(made)]), Question(prompt="x"), bounds, str(tmp_path)
    ).go()
    assert "cannot be started in the sandbox: no bwrap" in answer.reason
    assert answer.category == "harness_launch"
    assert not made.exists()


def test_explaining_touches_nothing(tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    permit = Permit(policy=Policy.WRITE, asked=True, sandboxed=True)
    assert "bwrap" in explain(Shell(["true"]), permit, str(tmp_path))
    assert sorted(tmp_path.rglob("*")) == before


def test_what_a_sandbox_does_not_keep_is_not_claimed(tmp_path: Path) -> None:
    permit = Permit(policy=Policy.NONE, sandboxed=True)
    assert "whether it uses tools is up to it" in explain(ID, permit, str(tmp_path))
    assert "claude's own flags" in explain(agent(Claude()), permit, str(tmp_path))
