"""The matrix of all backends that can be had without an account: which pass, and which are skipped.

mlx and tmux are among them where they are installed: for mlx, put its folder on the PATH.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from clis import REAL_CLIS, RealCli, settle_together
from mock_model import MockModel
from msgspec import Struct
from other_clis import TINY_ANSWER, Copilot, Pi, Qwen, make_tiny_model, mlx_program
from standins import MITTELO, names

CLIS: tuple[type[RealCli], ...] = (*REAL_CLIS, Copilot, Pi, Qwen)
SETTLED = {"claude_code", "codex", "copilot", "echo", "gemini", "glm", "opencode", "pi", "qwen"}
SAYS = 'while read -r line; do echo "you said $line"; done'
MOCK_ANSWER = "plain answer from the mock model"


class Machine(Struct, frozen=True):
    """A machine on which much is installed: its environment, and what answers there."""

    env: Mapping[str, str]
    answers: Mapping[str, str]

    def matrix(self, folder: Path) -> list[dict[str, str]]:
        """Try all; return what is said of each."""
        done = subprocess.run(
            [MITTELO, "matrix", "--real-home", "--prompt", "PLAIN-PROBE hello", "--json"],
            cwd=folder,
            env=dict(self.env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        told = json.loads(done.stdout)
        rows: list[dict[str, str]] = told["results"]
        for row in rows:
            if row["backend"] in self.answers:
                said = json.loads((Path(told["folder"], row["folder"], "result.json")).read_text())
                assert said["stdout"] == self.answers[row["backend"]], said
        return rows


@pytest.fixture
def machine(tmp_path: Path, bin_dir: Path, model: MockModel) -> Iterator[Machine]:
    clis = [kind(home=tmp_path / "home", url=model.url, bin_dir=bin_dir) for kind in CLIS]
    env = settle_together(clis)
    env |= {f"MITTELO_{cli.name.upper()}_MODEL": cli.model for cli in clis}
    env |= {"MITTELO_GLM_BASE_URL": model.url, "MITTELO_GLM_API_KEY": "dummy-key"}
    answers = dict.fromkeys(SETTLED - {"echo"}, MOCK_ANSWER)
    if mlx := mlx_program():
        make_tiny_model(mlx, tmp_path / "tiny")
        env |= {"MITTELO_MLX_MODEL": str(tmp_path / "tiny"), "HF_HUB_OFFLINE": "1"}
        env["PATH"] += f"{os.pathsep}{Path(mlx).parent}"
        answers["mlx"] = TINY_ANSWER
    if tmux := shutil.which("tmux"):
        env |= {"TMUX_TMPDIR": str(tmp_path), "MITTELO_TMUX_SESSION": "asked"}
        begin = [tmux, "-f", "/dev/null", "new-session", "-d", "-s", "asked", SAYS]
        subprocess.run(begin, env=env, check=True, timeout=20)
        answers["tmux"] = "you said PLAIN-PROBE hello"
    yield Machine(env, answers)
    if tmux:
        subprocess.run([tmux, "kill-server"], env=env, check=True, timeout=20)


@pytest.mark.timeout(400)
def test_what_is_set_up_passes_and_all_else_is_skipped_each_time(
    machine: Machine, tmp_path: Path
) -> None:
    first = machine.matrix(tmp_path)
    again = machine.matrix(tmp_path)
    assert names(first, "PASS") == {"echo", *machine.answers}
    assert not names(first, "FAIL")
    assert {"antigravity", "kiro", "script", "shell"} <= names(first, "SKIP")
    assert all(row["reason"] for row in first if row["verdict"] == "SKIP")
    told = [[(r["backend"], r["verdict"], r["reason"]) for r in rows] for rows in (first, again)]
    assert told[0] == told[1]
