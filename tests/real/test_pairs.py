"""Pairs of real CLIs do the tasks of one hub: `mittelo pair-smoke`."""

import json
import subprocess
from pathlib import Path

import pytest
from clis import Claude, Codex, Gemini, OpenCode, RealCli, settle_together
from mock_model import MockModel
from standins import MITTELO

BACKENDS = {"claude": "claude_code"}


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "pair", [(Claude, Codex), (Gemini, OpenCode)], ids=["claude and codex", "gemini and opencode"]
)
def test_two_clis_do_the_tasks_of_one_hub(
    pair: tuple[type[RealCli], type[RealCli]], tmp_path: Path, bin_dir: Path, model: MockModel
) -> None:
    clis = [kind(home=tmp_path / "home", url=model.url, bin_dir=bin_dir) for kind in pair]
    env = settle_together(clis)
    env |= {f"MITTELO_{cli.name.upper()}_MODEL": cli.model for cli in clis}
    names = [BACKENDS.get(cli.name, cli.name) for cli in clis]
    words = ["--backend-a", names[0], "--backend-b", names[1], "--tasks", "4", "--timeout-s", "120"]
    done = subprocess.run(
        [MITTELO, "pair-smoke", *words, "--prompt", "PLAIN-PROBE hello", "--real-home", "--json"],
        cwd=tmp_path,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = (tmp_path / "reports/swarm").glob("*/result.json")
    result = json.loads(file.read_text())
    assert result["status"] == "SUCCESS"
    assert file.parent.name.endswith("_".join(names))
    told = json.dumps(result)
    assert told.count("plain answer from the mock model") == 4, told
