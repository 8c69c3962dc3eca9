"""One run of each agent CLI as the user has it: real accounts, which cost real money."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from clis import REAL_CLIS, RealCli
from rallying import Rally, make_repository

SWITCH = "RALLY_TEST_REAL_AGENTS"
ENVIRONMENT = dict(os.environ)
SETTINGS = """\
data_dir = "{place}"
[reliability]
retry_budget = 1
try_timeout_secs = 300
"""


def own_changes() -> str:
    """Return what is changed in the checkout that holds this test."""
    here = Path(__file__).parent
    found = subprocess.run(
        ["git", "status", "--porcelain"], cwd=here, capture_output=True, text=True, check=True
    )
    return found.stdout


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", REAL_CLIS, ids=[kind.name for kind in REAL_CLIS])
def test_a_logged_in_agent_makes_a_file(kind: type[RealCli], tmp_path: Path) -> None:
    if not ENVIRONMENT.get(SWITCH):
        pytest.skip(f"it uses your accounts: set {SWITCH}=1 to run it")
    if not shutil.which(kind.name, path=ENVIRONMENT["PATH"]):
        pytest.skip(f"{kind.name} is not installed")
    before = own_changes()
    rally = Rally(make_repository(tmp_path / "repository"), ENVIRONMENT)
    rally.init(SETTINGS.format(place=tmp_path / "records"))
    agent, task = f"--agent={kind.alias}", "Create an empty file called smoke-test.txt"
    ended = rally.start("--new", "--iterations=1", agent, task, seconds=1100)
    assert ended.code == 0, ended
    (made,) = rally.tries
    assert (made.agent_type, made.outcome) == (kind.name, "completed")
    assert made.session_id
    assert "smoke-test.txt" in rally.git("ls-tree", "--name-only", made.commit_hash)
    assert rally.git("status", "--porcelain") == []
    assert own_changes() == before
