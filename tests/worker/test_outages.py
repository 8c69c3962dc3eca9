"""Hubs and workers that die: nothing finished is lost, and nothing ends twice."""

from pathlib import Path

import msgspec
from hubs import HubProcess
from ports import kept_port
from support import wait_until
from workers import ended, kept, pid_of, slow, worker

from mittelo.core.requests import Ack
from mittelo.core.tasks import Status
from mittelo.hub.client import HubClient
from mittelo.worker.outbox import Entry, Outbox


def at(port: int, db: Path, *words: str) -> HubProcess:
    return HubProcess(db, "--port", str(port), *words)


def test_a_run_goes_on_while_the_hub_is_away_and_is_delivered_once(tmp_path: Path) -> None:
    db = tmp_path / "hub.db"
    with kept_port() as port, at(port, db) as hub, HubClient(port=port) as client:
        task_id = client.enqueue("hi")
        words = ("--backend", "shell", "--shell-cmd", slow(tmp_path), "--lease-seconds", "4")
        with worker(port, *words) as agent:
            pid_of(tmp_path, task_id)
            hub.kill()
            agent.says("is away; trying again until it is back")
            (tmp_path / "go").touch()
            agent.says(f"task {task_id} done")
            wait_until(lambda: kept(tmp_path / "home", "outbox"), "the result on disk")
            with at(port, db):
                task = ended(client, task_id)
                agent.says("is back")
                wait_until(lambda: not kept(tmp_path / "home", "outbox"), "the empty outbox")
                assert agent.stop() == 0
    assert (task.result, task.attempt) == ("slow:hi", 1)
    assert [made.how for made in task.attempts] == ["done"]
    assert not kept(tmp_path / "home", "lost")


def test_a_worker_waits_for_a_hub_that_is_not_there_yet(tmp_path: Path) -> None:
    db = tmp_path / "hub.db"
    with kept_port() as port:
        with worker(port) as agent:
            agent.says("is away")
            with at(port, db), HubClient(port=port) as client:
                assert ended(client, client.enqueue("hi")).result == "echo:hi"
        with worker(port, "--once") as agent:
            assert agent.process.wait(20) == 1
            assert "No hub answers" in agent.errors()


def test_the_next_worker_delivers_what_a_killed_one_had_finished(tmp_path: Path) -> None:
    db = tmp_path / "hub.db"
    long = ("--lease-seconds", "300")
    with kept_port() as port, at(port, db, *long) as hub, HubClient(port=port) as client:
        task_id = client.enqueue("hi")
        with worker(port, "--backend", "shell", "--shell-cmd", slow(tmp_path)) as agent:
            pid_of(tmp_path, task_id)
            hub.kill()
            (tmp_path / "go").touch()
            agent.says("is away")  # it tries to deliver what is on disk by then
            agent.kill()
        with at(port, db, *long), worker(port) as second:
            task = ended(client, task_id)
            second.says(f"task {task_id}: the result of an earlier worker is handed in")
            assert second.stop() == 0
    assert (task.status, task.result, task.attempt) == (Status.DONE, "slow:hi", 1)
    assert not kept(tmp_path / "home", "outbox")


def test_a_result_that_nobody_wants_any_more_is_kept_with_a_word(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "hub.db") as hub, HubClient("127.0.0.1", hub.port) as client:
        client.enqueue("hi")
        (late,) = client.lease("gone", lease_seconds=0.05)
        wait_until(lambda: client.get(1).status is Status.QUEUED, "the end of the lease")
        state = tmp_path / "home/state/mittelo/workers"
        left = Outbox(state, f"127.0.0.1_{hub.port}")
        for task_id, lease_id in ((1, late.lease_id), (99, "99.1.x")):
            left.add(Ack(task_id=task_id, status="done", result="late", lease_id=lease_id))
        left.close()
        with worker(hub.port, "--once") as agent:
            assert agent.process.wait(20) == 0
            said = agent.errors()
    assert "task 1: the hub refuses its result (This is not the current lease" in said
    assert "task 99: the hub refuses its result (There is no task 99.)" in said
    lost = [
        msgspec.json.decode(p.read_bytes(), type=Entry) for p in kept(tmp_path / "home", "lost")
    ]
    assert {entry.ack.task_id for entry in lost} == {1, 99}
    assert {entry.ack.result for entry in lost} == {"late"}
    assert all(entry.refused and entry.at for entry in lost)
    assert not kept(tmp_path / "home", "outbox")


def test_told_to_end_while_the_hub_is_away_a_result_stays_on_disk(tmp_path: Path) -> None:
    db = tmp_path / "hub.db"
    with kept_port() as port, at(port, db) as hub, HubClient(port=port) as client:
        task_id = client.enqueue("hi")
        words = ("--backend", "shell", "--shell-cmd", slow(tmp_path), "--grace-seconds", "0.2")
        with worker(port, *words) as agent:
            pid_of(tmp_path, task_id)
            hub.kill()
            (tmp_path / "go").touch()
            agent.says(f"task {task_id} done")
            assert agent.stop() == 0
            agent.says("its result waits on disk for the next worker")
    assert len(kept(tmp_path / "home", "outbox")) == 1
