"""The commands by which people look at a hub and change what is in it."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hubs import MITTELO, HubProcess, RunningHub
from ports import kept_port
from support import Place, wait_until
from terminal import Terminal

from mittelo.core.requests import Enqueue
from mittelo.core.tasks import Status
from mittelo.hub.client import HubClient

EVIL = "evil \x1b[31mred\x1b]0;title\x07 \x9b2J \r\x08 漢字 " + "x" * 300


def run(hub: RunningHub, *words: str, given: bytes = b"") -> tuple[int, str, str]:
    done = subprocess.run(
        [MITTELO, *words, "--port", str(hub.port)],
        input=given,
        capture_output=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def data(hub: RunningHub, *words: str) -> Any:
    code, out, err = run(hub, *words, "--json")
    assert (code, err) == (0, "")
    return msgspec.json.decode(out)


@contextlib.contextmanager
def worker(hub: RunningHub) -> Iterator[None]:
    """Serve every task: what begins with `bad` fails, anything else is echoed."""

    def work() -> None:
        with hub.client() as client:
            while not over.is_set():
                for task in client.lease("w", wait_seconds=0.2):
                    if task.prompt.startswith("bad"):
                        client.ack(task, "failed", error=f"no: {task.prompt}")
                    else:
                        client.ack(task, "done", result=f"echo:{task.prompt}")

    over = threading.Event()
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def end(client: HubClient, status: str, **words: Any) -> int:
    (task,) = client.lease("w")
    client.ack(task, status, **words)
    return task.task_id


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Any]:
    opened = []

    def start(*words: str, columns: int = 80) -> Terminal:
        opened.append(Terminal(Place(tmp_path, tmp_path), MITTELO, *words, columns=columns))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


# status


def test_status_shows_the_newest_tasks_first_and_counts_all(hub: RunningHub) -> None:
    with hub.client() as client:
        client.enqueue_many([Enqueue(prompt=f"number {number}") for number in range(5)])
        end(client, "done")
    code, out, err = run(hub, "status", "--limit", "2")
    assert (code, err) == (0, "")
    head, first, second, counts = out.splitlines()
    assert head.split() == ["id", "status", "age", "tries", "worker", "prompt"]
    assert first.split()[:2] == ["5", "queued"]
    assert first.endswith("number 4")
    assert second.endswith("number 3")
    assert counts.startswith("4 queued, 0 leased, 1 done, 0 failed, 0 cancelled; there are more")
    _, out, _ = run(hub, "status", "--status", "done")
    assert "1/3    w " in out
    assert len(out.splitlines()) == 3


def test_status_as_data_is_tasks_and_stats_and_nothing_else(hub: RunningHub) -> None:
    with hub.client() as client:
        client.enqueue_many([Enqueue(prompt="x" * 300)] * 3)
    found = data(hub, "status", "--limit", "2")
    assert list(found) == ["tasks", "stats"]
    assert [task["task_id"] for task in found["tasks"]] == [3, 2]
    assert len(found["tasks"][0]["prompt"]) == 300
    assert found["stats"]["queued"] == 3
    assert len(data(hub, "status", "--limit", "0", "--status", "queued")["tasks"]) == 3
    assert run(hub, "status", "--status", "odd")[0] == 2


def test_all_tasks_are_shown_page_by_page(hub: RunningHub) -> None:
    with hub.client() as client:
        client.enqueue_many([Enqueue(prompt="x")] * 1203)
    code, out, _ = run(hub, "status", "--limit", "0")
    lines = out.splitlines()
    assert (code, len(lines)) == (0, 1205)
    assert [line.split()[0] for line in lines[1:-1]] == [str(n) for n in range(1203, 0, -1)]
    assert "more" not in lines[-1]


def test_a_terminal_is_shown_no_control_characters_and_whole_lines(
    hub: RunningHub, terminal: Any
) -> None:
    with hub.client() as client:
        client.enqueue(EVIL)
    shown = terminal("status", "--port", str(hub.port), columns=60)
    shown.sees("0 cancelled")
    assert "\x1b" not in shown.shown.replace("\x1b[0m", "")
    assert "\x9b" not in shown.shown
    row = shown.shown.splitlines()[1]
    assert row.endswith("…")
    assert len(row) <= 60
    assert "evil" in row


# show


def test_show_tells_all_of_a_task(hub: RunningHub) -> None:
    with hub.client() as client:
        client.enqueue(Enqueue(prompt="one\ntwo", priority=5, tags=["a", "b"], timeout_seconds=9))
        end(client, "failed", error="first", retry_after=0)
        end(client, "done", result="the answer")
    code, out, _ = run(hub, "show", "1")
    assert code == 0
    for words in ("task 1    done", "priority  5", "tags      a, b", "timeout   9 s", "w"):
        assert words in out
    assert "attempt   2 of 3" in out
    assert "lease 1   failed by w" in out
    assert ": first" in out
    assert "prompt\n  one\n  two\n" in out
    assert "result\n  the answer\n" in out
    assert [attempt["how"] for attempt in data(hub, "show", "1")["attempts"]] == ["failed", "done"]


def test_the_result_alone_comes_as_it_is_but_not_to_a_terminal(
    hub: RunningHub, terminal: Any
) -> None:
    with hub.client() as client:
        client.enqueue("x")
        end(client, "done", result=EVIL)
        client.enqueue("y")
    done = subprocess.run(
        [MITTELO, "show", "1", "--result", "--port", str(hub.port)],
        capture_output=True,
        check=True,
    )
    assert done.stdout == EVIL.encode()
    for words in (["show", "1", "--result"], ["show", "1"]):
        shown = terminal(*words, "--port", str(hub.port))
        assert shown.process.wait(20) == 0
        shown.sees("x" * 20)
        assert "\x1b" not in shown.shown
        assert "\x07" not in shown.shown
    code, out, err = run(hub, "show", "2", "--result")
    assert (code, out) == (1, "")
    assert "Task 2 is queued and has no result" in err
    assert run(hub, "show", "1", "--result", "--json")[0] == 2
    code, _, err = run(hub, "show", "77")
    assert (code, "There is no task 77" in err) == (1, True)
    assert run(hub, "show", "0")[0] == 2


# retry, cancel, purge, pause, workers


def test_retry_takes_all_that_failed_or_those_that_are_named(hub: RunningHub) -> None:
    with hub.client() as client:
        client.enqueue_many([Enqueue(prompt="x")] * 3)
        for _ in range(3):
            end(client, "failed", error="e")
        assert run(hub, "retry", "2")[:2] == (0, "Retried 1 tasks.\n")
        code, out, err = run(hub, "retry", "99", "1", "2", "1")
        assert (code, out) == (1, "Retried 1 tasks.\n")
        assert "task 99: There is no task 99." in err
        assert "task 2: Task 2 is queued" in err
        assert run(hub, "retry")[:2] == (0, "Retried 1 tasks.\n")
        assert data(hub, "retry") == {"retried": 0}
        code, out, _ = run(hub, "retry", "99", "--json")
        found = msgspec.json.decode(out)
        assert (code, found["retried"], found["failed"][0]["code"]) == (1, 0, "not_found")
        assert client.stats().stats.queued == 3


def test_cancel_tries_every_task_and_names_those_that_failed(hub: RunningHub) -> None:
    with hub.client() as client:
        client.enqueue_many([Enqueue(prompt="x")] * 3)
        end(client, "done")
        client.lease("w")
        code, out, err = run(hub, "cancel", "1", "77", "2", "3")
        assert (code, out) == (1, "task 2: its worker is asked to end it\ntask 3: cancelled\n")
        assert "task 1: Task 1 is done already" in err
        assert "task 77: There is no task 77." in err
        found = data(hub, "cancel", "3")
        assert found["cancelled"] == [
            {"task_id": 3, "status": "cancelled", "cancel_requested": False}
        ]
    assert run(hub, "cancel")[0] == 2
    assert run(hub, "cancel", "x")[0] == 2


def test_purge_says_how_many_it_forgot(hub: RunningHub) -> None:
    with hub.client() as client:
        client.enqueue_many([Enqueue(prompt="x")] * 2)
        end(client, "done")
    assert run(hub, "purge", "--days", "1")[:2] == (0, "Purged 0 tasks.\n")
    assert data(hub, "purge", "--days", "0") == {"purged": 1}
    assert run(hub, "purge")[0] == 2


def test_pause_and_resume_say_what_is_handed_out(hub: RunningHub) -> None:
    with hub.client() as client:
        client.enqueue("x")
        assert "mittelo resume\n" in run(hub, "pause")[1]
        assert data(hub, "pause", "--backend", "b") == {"ok": True}
        assert client.lease("w") == []
        assert "still paused: all" in run(hub, "resume", "--backend", "b")[1]
        assert run(hub, "resume")[:2] == (0, "The hub hands out tasks again.\n")
        assert client.lease("w")
    assert (
        "tasks of b. Go on with: mittelo resume --backend b"
        in run(hub, "pause", "--backend", "b")[1]
    )


def test_workers_are_shown_with_what_they_serve_and_have_in_hand(hub: RunningHub) -> None:
    assert "No worker" in run(hub, "workers")[1]
    with hub.client() as client:
        client.enqueue_many([Enqueue(prompt="x")] * 15)
        client.lease("the worker", max_tasks=15, backends=["b", "c"], tags=["t"])
        _, out, _ = run(hub, "workers")
        row = out.splitlines()[1]
        assert "the worker" in row
        assert "yes" in row
        assert "b, c" in row
        assert "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 5 more" in row
        (found,) = data(hub, "workers")["workers"]
        assert (found["worker_id"], found["tags"], len(found["tasks"])) == ("the worker", ["t"], 15)


# enqueue --wait


def test_waiting_prints_the_result_and_nothing_else(hub: RunningHub) -> None:
    with worker(hub):
        code, out, err = run(hub, "enqueue", "--wait", "--prompt", "hello")
        assert (code, out, err) == (0, "echo:hello\n", "task 1 is in the queue.\n")
        code, out, err = run(hub, "enqueue", "--wait", "--prompt", "bad one")
        assert (code, out) == (1, "")
        assert err.endswith("task 2 is failed: no: bad one\n")


def test_results_come_in_the_order_of_the_tasks(hub: RunningHub) -> None:
    lines = b'{"prompt":"last","priority":-5}\n{"prompt":"bad one","priority":5}\n{"prompt":"c"}\n'
    with worker(hub):
        code, out, err = run(hub, "enqueue", "--wait", "--jsonl", "-", given=lines)
        assert code == 1
        assert out == ("== task 1: done\necho:last\n== task 2: failed\n== task 3: done\necho:c\n")
        assert "3 tasks (1 to 3) are in the queue." in err
        code, out, err = run(hub, "enqueue", "--wait", "--json", "--jsonl", "-", given=lines)
        found = msgspec.json.decode(out)["tasks"]
        assert [task["task_id"] for task in found] == [4, 5, 6]
        assert [task["status"] for task in found] == ["done", "failed", "done"]
        assert code == 1


def test_a_task_that_ended_before_we_came_is_not_waited_for(hub: RunningHub) -> None:
    with hub.client() as client:
        client.enqueue(Enqueue(prompt="x", dedupe_key="k"))
        end(client, "done", result="of old")
    words = ("--wait", "--prompt", "y", "--dedupe-key", "k")
    assert run(hub, "enqueue", *words)[:2] == (0, "of old\n")


def test_a_cancelled_task_ends_the_wait_and_a_retried_one_goes_on(hub: RunningHub) -> None:
    waiting = start_waiting(hub.port)
    with hub.client() as client:
        wait_until(lambda: client.stats().stats.queued == 1)
        client.cancel(1)
    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, out) == (1, b"")
    assert b"task 1 is cancelled" in err


def test_missed_events_are_made_up_for_by_looking(hub: RunningHub) -> None:
    from mittelo.cli.awaiting import Awaited, follow

    with hub.client() as client:
        ids = client.enqueue_many([Enqueue(prompt="x")] * 2)
        for _ in ids:
            end(client, "done")
        drawn: list[int] = []
        awaited = Awaited([*ids, 77])
        follow(client, awaited, 0, lambda now: drawn.append(len(now.ended)))
    assert awaited.ended == {1: "done", 2: "done", 77: "gone"}
    assert (awaited.failed, drawn[-1]) == (1, 3)


def test_a_task_that_somebody_retries_is_open_again() -> None:
    from mittelo.cli.awaiting import Awaited
    from mittelo.core.requests import Event

    def event(kind: str, status: Status, task_id: int = 1) -> Event:
        return Event(kind=kind, status=status, task_id=task_id, at=0)

    awaited = Awaited([1])
    awaited.note(event("failed", Status.FAILED))
    awaited.note(event("failed", Status.FAILED, 2))
    assert (awaited.open, awaited.ended) == (set(), {1: "failed"})
    awaited.note(event("retried", Status.QUEUED))
    assert (awaited.open, awaited.ended) == ({1}, {})
    awaited.note(event("done", Status.DONE))
    assert awaited.ended == {1: "done"}


def start_waiting(port: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [MITTELO, "enqueue", "--wait", "--prompt", "x", "--port", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_ctrl_c_leaves_the_task_in_the_queue_and_says_how_to_look(hub: RunningHub) -> None:
    waiting = start_waiting(hub.port)
    with hub.client() as client:
        assert waiting.stderr
        assert b"in the queue" in waiting.stderr.readline()
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=30)
        assert (waiting.returncode, out) == (130, b"")
        assert b"task 1 is still in the queue. Look again with: mittelo show 1" in err
        assert client.get(1).status == "queued"


def test_waiting_outlives_a_restart_of_the_hub(tmp_path: Path) -> None:
    db = tmp_path / "hub.db"
    with kept_port() as port:
        with HubProcess(db, "--port", str(port)) as hub:
            waiting = start_waiting(port)
            assert waiting.stderr
            assert b"in the queue" in waiting.stderr.readline()
            hub.kill()
            assert b"The hub is away" in waiting.stderr.readline()
        with HubProcess(db, "--port", str(port)), HubClient(port=port) as client:
            (task,) = client.lease("w")
            client.ack(task, "done", result="after all")
            out, _ = waiting.communicate(timeout=30)
    assert (waiting.returncode, out) == (0, b"after all\n")


def test_a_bar_is_drawn_on_a_terminal(hub: RunningHub, terminal: Any) -> None:
    shown = terminal("enqueue", "--wait", "--prompt", "x", "--port", str(hub.port))
    shown.sees("0/1")
    with worker(hub):
        shown.sees("echo:x")
        assert shown.process.wait(20) == 0


# light


@pytest.mark.parametrize("words", [["stats"], ["status"], ["cancel", "1"], ["workers"]])
def test_a_client_command_imports_little(hub: RunningHub, words: list[str]) -> None:
    program = (
        f"import sys; sys.argv = ['mittelo', *{words}, '--port', '{hub.port}']\n"
        "from mittelo.cli.main import mittelo\n"
        "try: mittelo()\n"
        "except SystemExit: pass\n"
        "print('loaded', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ
    )
    heavy = {"asyncio", "ssl", "sqlite3", "rich", "pathlib", "encodings.idna", "pkgutil", "logging"}
    loaded = set(done.stdout.rpartition("loaded ")[2].split())
    assert "mittelo.hub.client" in loaded
    assert not heavy & loaded
