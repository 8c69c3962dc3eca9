"""Swarms: workers that are started again, and that never outlive who started them."""

import signal
from pathlib import Path

import psutil
import pytest
from hubs import HubProcess
from support import wait_until
from workers import Started, ended, is_gone, pid_of, slow

from mittelo.core.requests import Enqueue
from mittelo.hub.client import HubClient


def workers(swarm: Started) -> set[int]:
    """Return the pids of the workers of a swarm."""
    return {child.pid for child in psutil.Process(swarm.process.pid).children()}


def test_a_swarm_serves_several_backends_and_ends_as_one(
    hub: HubProcess, client: HubClient
) -> None:
    words = ("--agent", "echo=2", "--agent", "shell", "--shell-cmd", "tr a-z A-Z")
    with Started("swarm", hub.port, *words) as swarm:
        wait_until(lambda: sum(w.connected for w in client.workers()) == 3)
        pids = workers(swarm)
        shouted = client.enqueue(Enqueue(prompt="abc", backend="shell"))
        assert ended(client, shouted).result == "ABC"
        assert swarm.stop(signal.SIGINT) == 0
    assert len(pids) == 3
    assert all(map(is_gone, pids))


def test_a_worker_that_crashes_is_started_again(hub: HubProcess, client: HubClient) -> None:
    with Started("swarm", hub.port, "--agent", "echo") as swarm:
        wait_until(lambda: any(w.connected for w in client.workers()))
        (pid,) = workers(swarm)
        psutil.Process(pid).kill()
        swarm.says("echo#1 crashed (ended by signal 9); started again in 1 s")
        assert ended(client, client.enqueue("hi")).result == "echo:hi"
        assert swarm.stop() == 0


def test_nothing_outlives_a_swarm_that_is_killed(
    hub: HubProcess, client: HubClient, tmp_path: Path
) -> None:
    task_id = client.enqueue(Enqueue(prompt="x", backend="shell"))
    words = ("--agent", "echo", "--agent", "shell", "--shell-cmd", slow(tmp_path))
    with Started("swarm", hub.port, *words, "--grace-seconds", "0") as swarm:
        run = pid_of(tmp_path, task_id)
        wait_until(lambda: sum(w.connected for w in client.workers()) == 2)
        pids = workers(swarm)
        swarm.kill()
        wait_until(lambda: all(map(is_gone, [*pids, run])), "the end of the workers")
    assert client.get(task_id).attempts[0].how == "released"


def test_a_swarm_whose_workers_cannot_start_says_so(hub: HubProcess, tmp_path: Path) -> None:
    env = {"PATH": str(tmp_path)}
    with Started("swarm", hub.port, "--agent", "codex=2", env=env) as swarm:
        assert swarm.process.wait(20) == 1
        assert "codex#2 gives up (exit 1)" in swarm.errors()
        assert "No worker of the swarm can go on." in swarm.errors()


@pytest.mark.parametrize("word", ["echo=0", "echo=x", "=2", "echo=9999", "echo=-1"])
def test_a_swarm_is_told_backend_and_count(word: str) -> None:
    with Started("swarm", 1, "--agent", word) as swarm:
        assert swarm.process.wait(20) == 2
        assert "is not BACKEND=COUNT" in swarm.errors()


def test_a_token_is_not_to_be_seen_among_the_words_of_a_worker(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "hub.db", env={"MITTELO_TOKEN": "tok-admin"}) as hub:
        words = ("--agent", "echo", "--token", "tok-admin")
        with (
            Started("swarm", hub.port, *words) as swarm,
            HubClient("127.0.0.1", hub.port, token="tok-admin") as client,
        ):
            assert ended(client, client.enqueue("hi")).result == "echo:hi"
            (pid,) = workers(swarm)
            assert "tok-admin" not in psutil.Process(pid).cmdline()
