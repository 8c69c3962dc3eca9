"""A repository for tests of `laps`."""

import subprocess
from pathlib import Path

import pytest
from lapping import Laps, lap, ref


@pytest.fixture
def laps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Laps:
    """A repository without any queue."""
    for name in ("LAPS_SESSION", "LAPS_DIR", "LAPS_CLAIM_SECS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "repo"
    root.mkdir()
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main"], cwd=root, check=True)
    for key, value in (("user.name", "Somebody"), ("user.email", "somebody@example.invalid")):
        subprocess.run(["git", "config", key, value], cwd=root, check=True)
    return Laps(root, monkeypatch)


@pytest.fixture
def staged(laps: Laps) -> Laps:
    """The head of root is the stint `auth`, which holds `auth-aaaa`; behind it is `repo-last`."""
    laps.write("laps.json", ref("auth"), lap("repo-last"))
    laps.stint("auth", lap("auth-aaaa"))
    return laps


@pytest.fixture
def nested(laps: Laps) -> Laps:
    """The head of root is `auth`, whose head is `search`, which holds `srch-1111`."""
    laps.write("laps.json", ref("auth"))
    laps.stint("auth", ref("search"))
    laps.stint("search", lap("srch-1111"))
    return laps
