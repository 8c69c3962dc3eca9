"""The version lock: its page, and how an entry is proven anew."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standins import Machine

from mittelo.answering.backends import Agent, all_backends, configuration_here, find_backend
from mittelo.config.paths import cli_locks
from mittelo.harness.base import Harness
from mittelo.proving.lock import load_lock, version_number
from mittelo.proving.lock_page import page

LOCK = cli_locks()[-1]
PINNED = LOCK.parents[1] / "tests/real/package.json"


@pytest.fixture
def lock(machine: Machine) -> Path:
    return Path(shutil.copy(LOCK, machine.root / "cli_lock.json"))


def entry(lock: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lock.read_text())["clis"][name]
    return found


def drivers() -> Iterator[tuple[str, Harness]]:
    configuration = configuration_here()
    for name in all_backends(configuration):
        backend = find_backend(name, configuration, "true")
        if isinstance(backend, Agent) and name not in {"script", "tmux"}:
            yield name, backend.harness


def test_the_page_in_the_repository_is_what_the_lock_says() -> None:
    assert LOCK.with_name("VERSION_LOCK.md").read_text() == page(load_lock(LOCK))


def test_every_agent_cli_has_an_entry_of_its_program() -> None:
    clis = load_lock(LOCK).clis
    assert {name: clis[name].program for name, _ in drivers()} == {
        name: harness.binary for name, harness in drivers()
    }


def test_the_lock_and_what_harnesses_were_measured_at_agree() -> None:
    clis = load_lock(LOCK).clis
    measured = {name: harness.measured for name, harness in drivers() if harness.measured}
    assert {name: clis[name].version for name in measured} == measured


def test_the_lock_and_the_pinned_packages_agree() -> None:
    pinned = json.loads(PINNED.read_text())["dependencies"]
    for recipe in load_lock(LOCK).clis.values():
        package = recipe.install[-1].removesuffix("@{version}") if recipe.install else ""
        assert recipe.version == pinned.get(package, recipe.version)


def test_lock_prints_the_page(machine: Machine, lock: Path) -> None:
    done = machine.mittelo("lock", "--file", str(lock))
    assert done.returncode == 0
    assert "npm install --global @anthropic-ai/claude-code@2.1.197" in done.stdout
    assert "echo 'Say hello' | claude --print" in done.stdout


def test_a_stale_page_is_told_of_and_written_anew(machine: Machine, lock: Path) -> None:
    (machine.root / "VERSION_LOCK.md").write_text("old")
    stale = machine.mittelo("lock", "--check", "--file", str(lock))
    assert (stale.returncode, "mittelo lock --write" in stale.stderr) == (1, True)
    machine.mittelo("lock", "--write", "--file", str(lock))
    assert machine.mittelo("lock", "--check", "--file", str(lock)).returncode == 0


def test_verify_runs_the_raw_command_and_stamps_it(machine: Machine, lock: Path) -> None:
    said = 'case "$*" in *--version*) echo 9.8.7;; *) echo "$*"; cat;; esac'
    machine.install("claude", said)
    told = ["--verify", "claude_code", "--file", str(lock), "--against", "nobody", "--model", "m"]
    done = machine.mittelo("lock", *told)
    assert done.returncode == 0, done.stderr
    assert "claude_code 9.8.7 (the lock had 2.1.197) answered:" in done.stdout
    assert "--model m Reply with one word: ready" in done.stdout
    found = entry(lock, "claude_code")
    assert found["version"] == "9.8.7"
    assert found["verified"].items() >= {"version": "9.8.7", "against": "nobody"}.items()
    assert "9.8.7" in (machine.root / "VERSION_LOCK.md").read_text()
    assert "@9.8.7" in machine.mittelo("lock", "--file", str(lock)).stdout


@pytest.mark.parametrize("body", ["cat >/dev/null", "echo no login >&2; exit 1"])
def test_what_does_not_answer_is_not_stamped(machine: Machine, lock: Path, body: str) -> None:
    machine.install("codex", body)
    before = lock.read_bytes()
    done = machine.mittelo("lock", "--verify", "codex", "--file", str(lock))
    assert (done.returncode, lock.read_bytes()) == (1, before)
    assert "Nothing was stamped" in done.stderr


def test_verify_says_how_to_install_what_is_missing(machine: Machine, lock: Path) -> None:
    done = machine.mittelo("lock", "--verify", "pi", "--file", str(lock))
    assert done.returncode == 1
    assert "npm install --global @mariozechner/pi-coding-agent@" in done.stderr


def test_a_name_that_the_lock_does_not_know_is_refused(machine: Machine, lock: Path) -> None:
    done = machine.mittelo("lock", "--verify", "nosuch", "--file", str(lock))
    assert (done.returncode, "Known are: " in done.stderr) == (1, True)


def test_a_prompt_never_reaches_a_shell(machine: Machine, lock: Path) -> None:
    machine.install("kimi", 'case "$*" in *--version*) echo 2.1.0;; *) printf "%s" "$2";; esac')
    done = machine.mittelo("lock", "--verify", "kimi", "--model", "$(touch x)", "--file", str(lock))
    assert done.returncode == 0
    assert not list(machine.work.iterdir())


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("2.1.197 (Claude Code)", "2.1.197"),
        ("codex-cli 0.169.0", "0.169.0"),
        ("v1.2.3-beta.1", "1.2.3-beta.1"),
        ("GitHub Copilot CLI 1.0.102.", "1.0.102"),
        ("unknown", ""),
    ],
)
def test_version_numbers_are_read(said: str, number: str) -> None:
    assert version_number(said) == number
