"""What every test has for itself: a home, XDG folders, a working directory."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sandboxing import require
from support import Place

# no verdict may hang on how busy the machine is, or on chance
settings.register_profile(
    "sober", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("sober")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # started in the background of a shell: what we start would never hear an interrupt
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Run more tests at once than there are cores: half of their time they wait for processes."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def alone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep a test from the machine's own home and settings."""
    if request.node.get_closest_marker("real"):
        return
    home = tmp_path / "home"
    home.mkdir()
    for name in [n for n in os.environ if n.startswith(("XDG_", "GIT_", "RALLY_", "MITTELO_"))]:
        monkeypatch.delenv(name)
    for name, value in Place(tmp_path, home).environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def bubblewrap(monkeypatch: pytest.MonkeyPatch, alone: None) -> None:
    """Skip a test where no sandbox can be made."""
    del alone
    require(monkeypatch)


@pytest.fixture
def plain(tmp_path: Path) -> Place:
    """A git repository with one commit, in which rally was never run."""
    place = Place(tmp_path / "repository", tmp_path / "home")
    place.root.mkdir()
    place.git("init", "--quiet", "--initial-branch=main")
    place.git("config", "user.name", "Somebody")
    place.git("config", "user.email", "somebody@example.invalid")
    (place.root / "README.md").write_text("# Something\n")
    place.git("add", ".")
    place.git("commit", "--quiet", "-m", "Begin")
    return place


@pytest.fixture
def place(plain: Place) -> Place:
    """A repository in which `rally init` was run."""
    (plain.root / ".rally/state").mkdir(parents=True)
    (plain.root / ".rally/.gitignore").write_text("state/\n")
    (plain.root / ".rally/config.toml").write_text("")
    subprocess.run(["git", "add", ".rally"], cwd=plain.root, check=True)
    plain.git("commit", "--quiet", "-m", "Set up rally")
    return plain
