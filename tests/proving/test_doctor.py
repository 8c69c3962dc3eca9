"""What the doctor says of machines of every kind."""

import json
import re
import subprocess
from typing import Any

from standins import Machine
from support import wait_until

from mittelo.harness.claude import Claude

KEYS = {"name", "which", "version_rc", "version", "missing_flags", "ok"}


def diagnosis(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def check(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in found["checks"] if one["name"] == name)


def test_a_bare_machine_is_well(machine: Machine) -> None:
    done = machine.mittelo("doctor", "--json")
    found = diagnosis(done)
    assert (done.returncode, found["ok"]) == (0, True)
    assert set(found) >= {"ok", "checks", "env_model_vars"}
    assert all(set(one) >= KEYS for one in found["checks"])
    assert check(found, "claude_code")["which"] is None
    assert check(found, "python")["version_rc"] == 0
    assert found["env_model_vars"]["MITTELO_CLAUDE_MODEL"] is None


def test_core_leaves_the_clis_alone(machine: Machine) -> None:
    ran = machine.root / "ran"
    machine.install("claude", f"touch {ran}")
    found = diagnosis(machine.mittelo("doctor", "--core", "--json"))
    assert {one["name"] for one in found["checks"]} >= {"python", "git", "localhost", "disk space"}
    assert not [one for one in found["checks"] if one["name"] == "claude_code"]
    assert not ran.exists()


def test_a_cli_is_looked_at_whole(machine: Machine) -> None:
    machine.install_cli("claude", "claude", "2.1.197 (Claude Code)")
    done = machine.mittelo("doctor", "--json", ANTHROPIC_API_KEY="x")
    one = check(diagnosis(done), "claude_code")
    assert done.returncode == 0
    assert one["which"] == str(machine.bin / "claude")
    assert (one["version_rc"], one["version"], one["missing_flags"]) == (0, "2.1.197", [])
    assert (one["ok"], one["drift"], one["login"], one["warnings"]) == (True, False, True, [])


def test_another_version_than_that_of_the_lock_is_told_of_and_no_fault(machine: Machine) -> None:
    machine.install_cli("claude", "claude", "3.0.0 (Claude Code)")
    done = machine.mittelo("doctor", "--json", ANTHROPIC_API_KEY="x")
    one = check(diagnosis(done), "claude_code")
    assert (done.returncode, one["ok"], one["drift"], one["locked"]) == (0, True, True, "2.1.197")
    assert "mittelo lock --verify claude_code" in one["warnings"][0]


def install(machine: Machine, before: str = "") -> None:
    """Install a claude of a package 2.1.197 that says 2.2.0, and that does something before."""
    flags = " ".join(Claude().flags())
    machine.install_package("claude", "claude", "2.1.197", "cat")
    (machine.root / "lib/node_modules/claude/cli.js").write_text(
        f"#!/bin/sh\necho x >> {machine.root}/starts\n{before}\n"
        f"case \"$*\" in *--version*) echo 2.2.0;; *) echo '{flags}';; esac\n"
    )


def looked_at(machine: Machine) -> dict[str, Any]:
    return check(diagnosis(machine.mittelo("doctor", "--json")), "claude_code")


def test_what_is_slow_is_not_started_again_for_a_version_that_its_package_tells(
    machine: Machine,
) -> None:
    install(machine, "sleep 1.1")
    one = looked_at(machine)
    assert (one["version"], one["version_rc"], one["missing_flags"]) == ("2.1.197", 0, [])
    assert (machine.root / "starts").read_text() == "x\n"


def test_what_is_quick_is_asked_since_it_may_have_updated_itself(machine: Machine) -> None:
    install(machine)

    def is_asked() -> bool:
        one = looked_at(machine)
        return (one["version"], one["version_rc"], one["drift"]) == ("2.2.0", 0, True)

    wait_until(is_asked, "a quick answer")


def test_a_help_that_fails_does_not_tell_that_flags_are_gone(machine: Machine) -> None:
    machine.install(
        "claude", 'case "$*" in *--version*) echo 2.1.197;; *) echo oh >&2; exit 2;; esac'
    )
    one = looked_at(machine)
    assert (one["ok"], one["missing_flags"]) == (True, [])
    assert "was not seen (exit 2: oh)" in one["warnings"][-1]


def test_nobody_logged_in_is_a_warning(machine: Machine) -> None:
    machine.install_cli("claude", "claude", "2.1.197")
    done = machine.mittelo("doctor")
    assert done.returncode == 0
    assert "warn  claude_code" in done.stdout
    assert "set ANTHROPIC_API_KEY" in done.stdout


def test_a_flag_that_is_gone_is_a_fault(machine: Machine) -> None:
    machine.install("claude", "echo '2.1.197 --model --verbose'")
    done = machine.mittelo("doctor", "--json")
    one = check(diagnosis(done), "claude_code")
    assert (done.returncode, one["ok"]) == (1, False)
    assert "--output-format" in one["missing_flags"]
    assert "--model" not in one["missing_flags"]
    assert "npm install" in one["problems"][0]


def test_a_cli_that_cannot_tell_its_version_is_a_fault(machine: Machine) -> None:
    machine.install("codex", "echo broken >&2; exit 3")
    done = machine.mittelo("doctor", "--json")
    one = check(diagnosis(done), "codex")
    assert (done.returncode, one["ok"], one["version_rc"]) == (1, False, 3)
    assert "exit 3: broken" in one["problems"][0]


def test_a_cli_that_hangs_does_not_hold_the_doctor_up(machine: Machine) -> None:
    machine.install("kimi", "sleep 60")
    done = machine.mittelo("doctor", "--json", "--need", "kimi")
    one = check(diagnosis(done), "kimi")
    assert (done.returncode, one["version_rc"]) == (1, None)
    assert re.search(r"no end within [0-4]\.\d s", one["problems"][0])


def test_a_cli_that_is_asked_for_and_not_there_is_a_fault(machine: Machine) -> None:
    done = machine.mittelo("doctor", "--need", "gemini")
    assert done.returncode == 1
    assert "FAIL  gemini" in done.stdout
    assert "npm install --global @google/gemini-cli@" in done.stdout


def test_no_git_is_a_fault(machine: Machine) -> None:
    (machine.bin / "git").unlink()
    done = machine.mittelo("doctor", "--core")
    assert done.returncode == 1
    assert "git is not on the PATH: install it." in done.stdout


def test_a_folder_that_cannot_be_written_is_a_fault(machine: Machine) -> None:
    done = machine.mittelo("doctor", "--core", XDG_STATE_HOME="/proc/nothing")
    assert done.returncode == 1
    assert "FAIL  state folder" in done.stdout


def test_what_is_not_an_agent_cli_is_not_asked_for(machine: Machine) -> None:
    done = machine.mittelo("doctor", "--need", "echo")
    assert done.returncode != 0
    assert "echo is no agent CLI" in done.stderr


def test_model_variables_are_told(machine: Machine) -> None:
    done = machine.mittelo("doctor", "--core", "--json", MITTELO_CODEX_MODEL="gpt-5.5")
    assert diagnosis(done)["env_model_vars"]["MITTELO_CODEX_MODEL"] == "gpt-5.5"
