"""What proves backends, with the real CLIs: the raw commands of the lock, doctor and matrix."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from clis import Claude, RealCli
from standins import MITTELO

from mittelo.config.paths import cli_locks

BACKENDS = {"claude": "claude_code"}


def mittelo(cli: RealCli, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    model = {f"MITTELO_{cli.name.upper()}_MODEL": cli.model}
    return subprocess.run(
        [MITTELO, *words],
        cwd=folder,
        env=cli.environment | model,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.fixture
def backend(cli: RealCli) -> str:
    return BACKENDS.get(cli.name, cli.name)


def test_the_raw_command_of_the_lock_answers(cli: RealCli, backend: str, tmp_path: Path) -> None:
    lock = Path(shutil.copy(cli_locks()[-1], tmp_path))
    told = ["--verify", backend, "--against", "a mock model", "--file", str(lock)]
    done = mittelo(cli, tmp_path, "lock", *told)
    assert done.returncode == 0, done.stderr
    assert json.loads(lock.read_text())["clis"][backend]["verified"]["against"] == "a mock model"


def test_the_doctor_finds_nothing_wrong(cli: RealCli, backend: str, tmp_path: Path) -> None:
    done = mittelo(cli, tmp_path, "doctor", "--json")
    (one,) = (x for x in json.loads(done.stdout)["checks"] if x["name"] == backend)
    assert (one["ok"], one["missing_flags"], one["drift"]) == (True, [], False), one


@pytest.mark.parametrize("cli", [Claude], indirect=True, ids=["claude"])
def test_a_system_test_passes(cli: RealCli, backend: str, tmp_path: Path) -> None:
    """The matrix gives one to each of the others."""
    told = ["--backend", backend, "--prompt", "PLAIN-PROBE hello", "--real-home", "--json"]
    done = mittelo(cli, tmp_path, "system-test", *told)
    result = json.loads(done.stdout)
    assert (done.returncode, result["verdict"]) == (0, "PASS"), result
    assert result["stdout"] == "plain answer from the mock model"
