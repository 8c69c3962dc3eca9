"""What the tests of the real CLIs stand on; they are all marked `real`."""

import os
import subprocess
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

import pytest
from clis import REAL_CLIS, RealCli
from mock_model import MockModel

HERE = Path(__file__).parent
PROGRAMS = ("llmock", *(cli.name for cli in REAL_CLIS))
LARGEST_STUB = 4096


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.real)


@pytest.fixture(scope="session")
def bin_dir() -> Path:
    folder = HERE / "node_modules" / ".bin"
    missing = [name for name in PROGRAMS if not (folder / name).exists()]
    if missing:
        pytest.fail(f"not installed: {', '.join(missing)}; make test-real does that")
    stubs = [name for name in ("claude", "opencode") if _size(folder / name) <= LARGEST_STUB]
    if stubs:
        pytest.fail(f"without their binaries: {', '.join(stubs)}; run: npm run place-binaries")
    return folder


def _size(program: Path) -> int:
    return program.stat().st_size


@pytest.fixture(scope="session")
def running_model(bin_dir: Path) -> Iterator[MockModel]:
    with MockModel(bin_dir) as model:
        yield model


@pytest.fixture
def model(running_model: MockModel) -> Iterator[MockModel]:
    yield running_model
    running_model.reset()


@pytest.fixture(params=REAL_CLIS, ids=attrgetter("name"))
def cli(request: pytest.FixtureRequest, tmp_path: Path, bin_dir: Path, model: MockModel) -> RealCli:
    kind: type[RealCli] = request.param
    settled = kind(home=tmp_path / "home", url=model.url, bin_dir=bin_dir)
    settled.settle()
    return settled


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "README.md").write_text("# A repository to work in\n")
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        ["config", "user.name", "Somebody"],
        ["config", "user.email", "somebody@example.invalid"],
        ["add", "README.md"],
        ["commit", "--quiet", "--message=Begin"],
    ):
        subprocess.run(["git", *command], cwd=folder, env=_own_git(), check=True)
    return folder


def _own_git() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
