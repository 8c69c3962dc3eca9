"""A worker with each real CLI as its backend answers tasks of a real hub."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from clis import RealCli
from faults import Status as Http
from hubs import HubProcess
from mock_model import MockModel
from support import wait_until
from workers import Started, ended, worker

from mittelo.core.requests import Enqueue
from mittelo.core.tasks import Status
from mittelo.hub.client import HubClient

LONG = 90.0
BACKENDS = {"claude": "claude_code"}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    with HubProcess(tmp_path / "hub.db") as running:
        yield running


@pytest.fixture
def client(hub: HubProcess) -> Iterator[HubClient]:
    with HubClient("127.0.0.1", hub.port) as asking:
        yield asking


def serving(cli: RealCli, hub: HubProcess, folder: Path, *words: str) -> Started:
    """Start a worker whose own home is empty: the CLI has another, by its variable."""
    own = folder / "own-home"
    own.mkdir(exist_ok=True)
    (folder / ".rally").mkdir(exist_ok=True)
    (folder / ".rally/config.toml").write_text('[sandbox]\nvariables = ["MOCK_API_KEY"]\n')
    name = BACKENDS.get(cli.name, cli.name)
    env = cli.environment | {
        "HOME": str(own),
        "XDG_STATE_HOME": str(own / "state"),
        "MITTELO_SUBPROCESS_HOME": str(cli.home),
        f"MITTELO_{cli.name.upper()}_MODEL": cli.model,
    }
    return worker(hub.port, "--backend", name, "--require-ready", *words, env=env)


def test_a_cli_answers_a_task_and_nothing_else(
    cli: RealCli,
    hub: HubProcess,
    client: HubClient,
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = Enqueue(prompt="PLAIN-PROBE say something", backend=BACKENDS.get(cli.name, cli.name))
    with serving(cli, hub, tmp_path, "--cwd", str(repository)) as agent:
        task = ended(client, client.enqueue(plain), LONG)
        assert task.result == "plain answer from the mock model", (task.error, agent.errors())
        wrote = ended(client, client.enqueue("WRITE-PROBE make a file"), LONG)
        assert wrote.status.ended
        assert agent.stop() == 0
    assert task.usage
    assert task.usage.output_tokens
    assert {path.name for path in repository.iterdir()} == {".git", "README.md"}
    assert {path.name for path in (tmp_path / "own-home").iterdir()} <= {"state"}


def test_a_refused_key_fails_the_task_by_its_kind(
    cli: RealCli,
    hub: HubProcess,
    client: HubClient,
    repository: Path,
    tmp_path: Path,
    model: MockModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = '{"error":{"type":"authentication_error","code":401,"message":"invalid x-api-key"}}'
    model.fault(Http(401, refused, {"content-type": "application/json"}))
    quick = replace(cli, quick_retries=True)
    quick.settle()
    with serving(quick, hub, tmp_path, "--cwd", str(repository)) as agent:
        task = ended(client, client.enqueue("PLAIN-PROBE say something"), LONG)
        assert (task.status, task.result) == (Status.FAILED, None)
        assert task.category == "auth_or_proxy", task.error
        wait_until(lambda: "no task is taken for 1 s" in agent.errors())
