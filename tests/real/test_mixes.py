"""Relays in which several real CLIs take turns."""

from operator import attrgetter
from pathlib import Path

import pytest
from clis import REAL_CLIS, Claude, Codex, RealCli, settle_together
from faults import Status
from mock_model import MockModel
from rallying import Rally

MODELS = "[defaults]\n" + "".join(f'{cli.name}_model = "{cli.model}"\n' for cli in REAL_CLIS)
NO_MODEL = '{"error": {"message": "The model does not exist.", "code": "model_not_found"}}'
TASK = "ITERATION-PROBE make a file"


@pytest.fixture
def rally(repository: Path, tmp_path: Path, bin_dir: Path, model: MockModel) -> Rally:
    home = tmp_path / "home"
    clis: list[RealCli] = [kind(home=home, url=model.url, bin_dir=bin_dir) for kind in REAL_CLIS]
    return Rally(repository, settle_together(clis))


def agents(rally: Rally) -> list[str]:
    return [made.agent_type for made in rally.tries]


def test_several_clis_take_turns(rally: Rally) -> None:
    rally.init(MODELS)
    ended = rally.start("--new", "--iterations=4", "--agent=cc cx ge op", TASK)
    assert ended.code == 0, ended
    assert agents(rally) == ["claude", "codex", "gemini", "opencode"]
    assert [made.model for made in rally.tries] == [cli.model for cli in REAL_CLIS]
    assert all(made.completed for made in rally.tries)
    assert len(list(rally.repository.glob("made-*"))) == 4


def test_a_count_keeps_a_cli_for_several_runs(rally: Rally) -> None:
    rally.init(MODELS)
    ended = rally.start("--new", "--iterations=3", "--agent=cc:2 cx", TASK)
    assert ended.code == 0, ended
    assert agents(rally) == ["claude", "claude", "codex"]
    assert rally.relays[0].agent_mix == "__override__:cc:2 cx"


def test_the_others_go_on_when_one_cli_fails(rally: Rally, model: MockModel) -> None:
    model.fault(Status(404, NO_MODEL), path="/v1/responses")
    rally.init(f"{MODELS}[reliability]\nretry_budget = 1\n")
    ended = rally.start("--new", "--iterations=2", "--agent=cx cc", TASK)
    assert ended.code == 0, ended
    assert set(zip(agents(rally), map(attrgetter("completed"), rally.tries), strict=True)) == {
        (Codex.name, False),
        (Claude.name, True),
    }
    assert rally.relays[0].completed_iterations == 2
    assert rally.git("status", "--porcelain") == []
