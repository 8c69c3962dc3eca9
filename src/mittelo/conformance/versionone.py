"""Rules of version 1: what its clients send, and what they always got.

It knows no backends, so that its tasks can only be told apart where there are no others.
"""

from collections.abc import Callable
from typing import Any

from mittelo.conformance.bench import Bench, SkipError
from mittelo.conformance.talk import equal, expect

FIELDS = {
    *("task_id", "prompt", "status", "created_at", "updated_at", "leased_until", "worker_id"),
    *("result", "error"),
}
CLEARED = ("worker_id", "leased_until", "result", "error")


def _leased(bench: Bench) -> dict[str, Any]:
    bench.must_be_alone()
    task_id = bench.note(bench.talk.call("enqueue", prompt="version 1"))
    asked = {"worker_id": bench.worker, "max_tasks": 1, "lease_seconds": 30}
    (task,) = bench.keep(bench.talk.call("lease", **asked)) or [{}]
    equal(task.get("task_id"), task_id, "the leased task")
    return task


def enqueue(bench: Bench) -> None:
    """`enqueue` with a prompt answers exactly a task_id."""
    bench.must_be_alone()
    found = bench.talk.call("enqueue", prompt="version 1")
    bench.note(found)
    equal(set(found), {"task_id"}, "what enqueue answers")


def lease(bench: Bench) -> None:
    """`lease` answers tasks with all fields of version 1, leased to the worker."""
    task = _leased(bench)
    expect(set(task) >= FIELDS, f"there is no {sorted(FIELDS - set(task))}")
    equal((task["status"], task["worker_id"]), ("leased", bench.worker), "status and worker")
    seconds = task["leased_until"] - task["updated_at"]
    expect(29 < seconds < 31, f"it is leased for {seconds:.1f} s instead of 30")
    found = bench.talk.call("lease", worker_id=bench.worker, max_tasks=1, lease_seconds=30)
    equal(found, {"tasks": []}, "the answer when there is no task")


def ack(bench: Bench) -> None:
    """`ack` without a lease id, over the connection that leased, ends the task."""
    for status, result, error in (("done", "r", None), ("failed", None, "e")):
        task_id = _leased(bench)["task_id"]
        ended = {"task_id": task_id, "status": status, "result": result, "error": error}
        equal(bench.talk.call("ack", **ended), {"ok": True}, "the answer to ack")
        found = bench.get(task_id)
        got = (found["status"], found["result"], found["error"])
        equal(got, (status, result, error), "status, result and error")


def listing(bench: Bench) -> None:
    """`list` answers tasks newest first, and the stats."""
    ids = [bench.add() for _ in range(3)]
    found = bench.talk.call("list", limit=1000)
    expect(set(found) >= {"tasks", "stats"}, f"it answers {sorted(found)}")
    ours = [task["task_id"] for task in found["tasks"] if task["task_id"] in ids]
    equal(ours, ids[::-1], "the order of the list")
    expect(set(found["tasks"][0]) >= FIELDS, "tasks in a list lack fields of version 1")


def stats(bench: Bench) -> None:
    """`stats` counts queued, leased, done and failed."""
    before = bench.talk.call("stats")["stats"]
    bench.add()
    after = bench.talk.call("stats")["stats"]
    for counts in (before, after):
        words = {"queued", "leased", "done", "failed"}
        expect(words <= set(counts), f"there is no {sorted(words - set(counts))}")
    if bench.hub.quiet:
        equal(after["queued"], before["queued"] + 1, "queued after an enqueue")


def retry_failed(bench: Bench) -> None:
    """`retry_failed` queues failed tasks again, with worker, lease, result and error cleared."""
    if bench.hub.failed:
        raise SkipError("others' tasks failed before, which would be queued again")
    task_id = _leased(bench)["task_id"]
    bench.talk.call("ack", task_id=task_id, status="failed", error="e")
    equal(bench.talk.call("retry_failed"), {"retried": 1}, "the answer")
    found = bench.get(task_id)
    equal(found["status"], "queued", "the status")
    equal([found[name] for name in CLEARED], [None] * 4, "what should be cleared")


def other_connections(bench: Bench) -> None:
    """`ack` without a lease id counts under the same worker_id, and for nobody else."""
    task_id = _leased(bench)["task_id"]
    with bench.hub.talk() as stranger:
        stranger.refused("lease_lost", "ack", task_id=task_id, status="done", result="stolen")
    with bench.hub.talk() as again:
        bench.keep(again.call("lease", worker_id=bench.worker))
        equal(again.call("ack", task_id=task_id, status="done"), {"ok": True}, "the answer")


RULES: dict[str, Callable[[Bench], None]] = {
    "v1.enqueue": enqueue,
    "v1.lease": lease,
    "v1.ack": ack,
    "v1.ack-by-name": other_connections,
    "v1.list": listing,
    "v1.stats": stats,
    "v1.retry-failed": retry_failed,
}
