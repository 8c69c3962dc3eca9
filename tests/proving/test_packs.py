"""The task packs that come with mittelo."""

from pathlib import Path

import pytest
from hubs import RunningHub
from standins import Machine

from mittelo.config.paths import installed_packs

PACKS = sorted(path.stem for path in installed_packs()[-1].glob("*.jsonl"))


def test_there_is_a_pack_for_each_purpose() -> None:
    assert PACKS == ["code_review", "docs", "hard_no_tools", "hello", "repo_audit", "stress"]


@pytest.mark.parametrize("pack", PACKS)
def test_each_pack_is_enqueued_whole(machine: Machine, pack: str) -> None:
    lines = Path(installed_packs()[-1], f"{pack}.jsonl").read_text().splitlines()
    with RunningHub() as hub:
        done = machine.mittelo("enqueue", "--pack", pack, "--backend", "x", "--port", str(hub.port))
        assert len(done.stdout.split()) == len(lines), done.stderr
        with hub.client() as client:
            assert {task.backend for task in client.list(limit=0).tasks} == {"x"}


def test_an_unknown_pack_is_answered_with_the_known_ones(machine: Machine) -> None:
    done = machine.mittelo("enqueue", "--pack", "helo")
    assert done.returncode == 2
    assert "Did you mean hello?" in done.stderr


def test_a_pack_and_a_prompt_are_too_much(machine: Machine) -> None:
    assert machine.mittelo("enqueue", "--pack", "hello", "--prompt", "x").returncode == 2
