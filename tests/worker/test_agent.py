"""Workers as users start them, at a real hub."""

import os
import signal
from pathlib import Path

import psutil
import pytest
from hubs import HubProcess
from support import wait_until
from workers import ended, is_gone, kept, pid_of, program, slow, worker

from mittelo.core.requests import Enqueue
from mittelo.core.tasks import Status
from mittelo.hub.client import HubClient

SHORT = ("--lease-seconds", "6")


def test_a_worker_waits_for_tasks_and_starts_them_at_once(
    hub: HubProcess, client: HubClient
) -> None:
    with worker(hub.port, "--worker-id", "w-1") as agent:
        wait_until(lambda: [w.worker_id for w in client.workers() if w.connected] == ["w-1"])
        tasks = [ended(client, client.enqueue(f"hi {number}")) for number in range(3)]
        assert [task.result for task in tasks] == ["echo:hi 0", "echo:hi 1", "echo:hi 2"]
        assert agent.stop() == 0
        lines = agent.errors().splitlines()
        assert lines == [f"w-1: task {n} done in 0.0 s" for n in (1, 2, 3)]


def test_once_takes_what_is_there_and_ends(hub: HubProcess, client: HubClient) -> None:
    ids = client.enqueue_many([Enqueue(prompt=f"{n}") for n in range(5)])
    with worker(hub.port, "--once", "--max-tasks", "3") as agent:
        assert agent.process.wait(20) == 0
    done = [client.get(task_id).status is Status.DONE for task_id in ids]
    assert done == [True, True, True, False, False]
    with worker(hub.port, "--once", "--backend", "codex", "--no-preflight") as agent:
        assert agent.process.wait(20) == 0
    client.purge(0)


def test_a_worker_serves_its_backend_by_each_of_its_names_and_what_is_anybodys(
    hub: HubProcess, client: HubClient, tmp_path: Path
) -> None:
    script = tmp_path / "backends/cc/run"
    script.parent.mkdir(parents=True)
    script.write_text("sed s/^/cc:/\n")
    for backend in ("claude_code", "cc", "codex", None):
        client.enqueue(Enqueue(prompt=str(backend), backend=backend))
    with worker(hub.port, "--backend", "claude", "--worker-id", "w") as agent:
        assert [ended(client, n).result for n in (1, 2, 4)] == [
            "cc:claude_code",
            "cc:cc",
            "cc:None",
        ]
        assert client.get(3).status is Status.QUEUED
        assert f"the backend claude is {script}, in place of the built-in one" in agent.errors()


def test_a_relative_folder_of_backends_is_meant_from_where_the_worker_was_started(
    hub: HubProcess, client: HubClient, tmp_path: Path
) -> None:
    script = tmp_path / "own/mine/run"
    script.parent.mkdir(parents=True)
    script.write_text("pwd\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    task_id = client.enqueue("hi")
    words = ("--backend", "mine", "--cwd", str(elsewhere))
    with worker(hub.port, *words, env={"MITTELO_BACKENDS_DIR": "own"}):
        assert ended(client, task_id).result == str(elsewhere)


def test_a_run_longer_than_its_lease_is_renewed(
    hub: HubProcess, client: HubClient, tmp_path: Path
) -> None:
    task_id = client.enqueue("hi")
    with worker(hub.port, *SHORT, "--backend", "shell", "--shell-cmd", slow(tmp_path)):
        pid_of(tmp_path, task_id)
        first = client.get(task_id).leased_until or 0.0
        wait_until(lambda: (client.get(task_id).leased_until or 0.0) > first + 6.0)
        (tmp_path / "go").touch()
        task = ended(client, task_id)
    assert (task.result, task.attempt) == ("slow:hi", 1)


def test_a_cancelled_run_is_killed(hub: HubProcess, client: HubClient, tmp_path: Path) -> None:
    task_id = client.enqueue("hi")
    words = ("--backend", "shell", "--shell-cmd", slow(tmp_path), "--lease-seconds", "8")
    with worker(hub.port, *words) as agent:
        pid = pid_of(tmp_path, task_id)
        client.cancel(task_id)
        assert ended(client, task_id).status is Status.CANCELLED
        assert is_gone(pid)
        agent.says(f"task {task_id} cancelled")
        (tmp_path / "go").touch()
        assert ended(client, client.enqueue("next")).result == "slow:next"


def test_a_run_whose_lease_is_lost_is_killed_and_its_result_dropped(
    hub: HubProcess, client: HubClient, tmp_path: Path
) -> None:
    task_id = client.enqueue("hi")
    with worker(hub.port, *SHORT, "--backend", "shell", "--shell-cmd", slow(tmp_path)) as agent:
        pid = pid_of(tmp_path, task_id)
        agent.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: client.get(task_id).status is Status.QUEUED, "the end of the lease")
        taken = client.lease("other", lease_seconds=600)
        agent.process.send_signal(signal.SIGCONT)
        agent.says(f"task {task_id}: its lease is lost; its run is dropped")
        assert is_gone(pid)
        client.ack(taken[0], "done", result="of the other")
    assert client.get(task_id).result == "of the other"


def test_slots_run_side_by_side(hub: HubProcess, client: HubClient, tmp_path: Path) -> None:
    ids = client.enqueue_many([Enqueue(prompt=f"{n}") for n in range(3)])
    words = ("--backend", "shell", "--shell-cmd", slow(tmp_path), "--concurrency", "3")
    with worker(hub.port, *words):
        assert len({pid_of(tmp_path, task_id) for task_id in ids}) == 3
        (tmp_path / "go").touch()
        assert [ended(client, n).result for n in ids] == ["slow:0", "slow:1", "slow:2"]


def test_told_to_end_a_worker_finishes_its_run(
    hub: HubProcess, client: HubClient, tmp_path: Path
) -> None:
    task_id = client.enqueue("hi")
    with worker(hub.port, "--backend", "shell", "--shell-cmd", slow(tmp_path)) as agent:
        pid_of(tmp_path, task_id)
        agent.process.send_signal(signal.SIGTERM)
        agent.says("told to end; what runs has 10 s to finish")
        (tmp_path / "go").touch()
        assert agent.process.wait(20) == 0
    assert client.get(task_id).result == "slow:hi"


@pytest.mark.parametrize("waiting", [0, 2])
def test_told_to_end_without_grace_a_worker_gives_back_what_it_has(
    hub: HubProcess, client: HubClient, tmp_path: Path, waiting: int
) -> None:
    ids = client.enqueue_many([Enqueue(prompt=f"{n}") for n in range(1 + waiting)])
    words = ("--backend", "shell", "--shell-cmd", slow(tmp_path), "--grace-seconds", "0")
    with worker(hub.port, *words, "--max-tasks", str(1 + waiting)) as agent:
        pid = pid_of(tmp_path, ids[0])
        assert agent.stop() == 0
    assert is_gone(pid)
    for task_id in ids:
        task = client.get(task_id)
        assert (task.status, task.attempts[0].how) == (Status.QUEUED, "released")


def test_a_second_interrupt_ends_a_worker_at_once(
    hub: HubProcess, client: HubClient, tmp_path: Path
) -> None:
    task_id = client.enqueue("hi")
    with worker(hub.port, "--backend", "shell", "--shell-cmd", slow(tmp_path)) as agent:
        pid = pid_of(tmp_path, task_id)
        agent.process.send_signal(signal.SIGINT)
        agent.says("told to end")
        assert agent.stop(signal.SIGINT) == 130
    assert is_gone(pid)


def test_a_killed_worker_leaves_no_run_behind_and_the_next_one_sweeps_its_folder(
    hub: HubProcess, client: HubClient, tmp_path: Path
) -> None:
    task_id = client.enqueue("hi")
    words = ("--backend", "shell", "--shell-cmd", slow(tmp_path))
    (tmp_path / "temporary").mkdir()
    env = {"TMPDIR": str(tmp_path / "temporary")}
    with worker(hub.port, *words, env=env) as agent:
        pid = pid_of(tmp_path, task_id)
        agent.kill()
        wait_until(lambda: is_gone(pid), "the end of the run")
    (left,) = (tmp_path / "temporary").iterdir()
    an_hour_ago = left.stat().st_mtime - 3600
    os.utime(left, (an_hour_ago, an_hour_ago))
    with worker(hub.port, *words, env=env):
        wait_until(lambda: not left.exists(), "the sweep")


def test_failures_are_told_with_their_kind_and_rested_from(
    hub: HubProcess, client: HubClient, tmp_path: Path
) -> None:
    words = program(
        tmp_path,
        "limited",
        "import sys; print('You have hit your usage limit. Try again in 2h.', file=sys.stderr)\n"
        "sys.exit(1)",
    )
    ids = client.enqueue_many([Enqueue(prompt=f"{n}") for n in range(3)])
    with worker(hub.port, "--backend", "shell", "--shell-cmd", words) as agent:
        agent.says("no task is taken for 2 h 0 min")
        wait_until(lambda: client.get(ids[0]).status is Status.QUEUED)
        first = client.get(ids[0])
        assert first.attempts[0].category == "usage_limit"
        assert (first.not_before or 0) - first.updated_at == pytest.approx(7205, abs=5)
        assert [client.get(n).attempt for n in ids[1:]] == [0, 0]
        assert agent.stop() == 0


def test_a_failure_of_a_task_fails_it_with_what_was_said(
    hub: HubProcess, client: HubClient, tmp_path: Path
) -> None:
    words = program(tmp_path, "bad", "import sys; print('odd', file=sys.stderr); sys.exit(4)")
    with worker(hub.port, "--backend", "shell", "--shell-cmd", words):
        task = ended(client, client.enqueue("hi"))
    assert (task.status, task.result, task.category) == ("failed", None, "unidentified_issue")
    assert task.error == "harness error: exit 4: odd\n\nodd"


def test_a_result_that_is_too_long_is_kept_whole_and_cut(
    hub: HubProcess, client: HubClient, tmp_path: Path
) -> None:
    words = program(tmp_path, "long", "import sys; sys.stdout.write('\\x01y' * (10 << 20))")
    with worker(hub.port, "--backend", "shell", "--shell-cmd", words) as agent:
        task = ended(client, client.enqueue("hi"))
        agent.says("kept whole in")
    (whole,) = kept(tmp_path / "home", "results")
    assert whole.stat().st_size == 20 << 20
    assert task.result
    assert task.result.endswith(f"in {whole}]")


def test_what_was_used_is_told(hub: HubProcess, client: HubClient, tmp_path: Path) -> None:
    (tmp_path / ".rally").mkdir()
    (tmp_path / ".rally/script.toml").write_text(
        '[[turn]]\nsteps = [{ say = "yes" }, { usage = { input = 9, output = 2, cost = 0.25 } }]\n'
    )
    with worker(hub.port, "--backend", "script"):
        task = ended(client, client.enqueue("hi"))
    assert task.result == "yes"
    assert task.usage
    assert (task.usage.input_tokens, task.usage.output_tokens, task.usage.cost_usd) == (9, 2, 0.25)


def test_the_time_of_a_task_is_kept(hub: HubProcess, client: HubClient, tmp_path: Path) -> None:
    with worker(hub.port, "--backend", "shell", "--shell-cmd", slow(tmp_path)):
        task = ended(client, client.enqueue(Enqueue(prompt="x", timeout_seconds=0.3)))
    assert (task.status, task.category) == ("failed", "timed_out")


def test_a_backend_that_is_not_ready_is_refused(hub: HubProcess, tmp_path: Path) -> None:
    env = {"PATH": str(tmp_path)}
    with worker(hub.port, "--backend", "codex", env=env) as agent:
        assert agent.process.wait(20) == 1
        assert "codex is not on the PATH: install it." in agent.errors()
    (tmp_path / "codex").write_text("#!/bin/sh\n")
    (tmp_path / "codex").chmod(0o755)
    with worker(hub.port, "--backend", "codex", "--require-ready", env=env) as agent:
        assert agent.process.wait(20) == 1
    with worker(hub.port, "--backend", "codex", "--once", env=env) as agent:
        assert agent.process.wait(20) == 0
        assert "codex may fail: Nobody seems to be logged in." in agent.errors()


def test_a_token_that_is_not_known_ends_a_worker_and_is_never_shown(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "hub.db", env={"MITTELO_TOKEN": "tok-admin"}) as hub:
        with worker(hub.port, env={"MITTELO_TOKEN": "tok-wrong"}) as agent:
            assert agent.process.wait(20) == 1
            assert "Give a token of the right role" in agent.errors()
            assert "tok-" not in agent.errors()
        with worker(hub.port, "--once", env={"MITTELO_TOKEN": "tok-admin"}) as agent:
            assert agent.process.wait(20) == 0


def test_a_worker_ends_with_who_holds_its_leash(hub: HubProcess, client: HubClient) -> None:
    with worker(hub.port, "--leashed") as agent:  # its stdin is at its end from the start
        assert agent.process.wait(20) == 0
    assert client.stats().stats.total == 0


def test_an_idle_worker_costs_nothing(hub: HubProcess, client: HubClient) -> None:
    with worker(hub.port, "--worker-id", "w") as agent:
        wait_until(lambda: any(w.connected for w in client.workers()))
        process = psutil.Process(agent.process.pid)
        wait_until(lambda: process.num_threads() >= 3)
        before = process.num_ctx_switches().voluntary
        ended(client, client.enqueue("hi"))
        assert process.num_ctx_switches().voluntary - before < 200
