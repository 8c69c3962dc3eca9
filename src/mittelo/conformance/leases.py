"""Rules of leases: order, waiting, fencing, expiry."""
# ruff: noqa: D401 - the docstrings are the rules, as they are printed

import time
from collections.abc import Callable

from mittelo.conformance.bench import Bench
from mittelo.conformance.talk import equal, expect

SHORT = 0.3
"""Seconds of a lease that is meant to expire."""

BUSY = 5
"""Seconds that a hub may need for what it does at once, on a machine that is busy."""


def priority(bench: Bench) -> None:
    """Tasks of higher priority go first, and of one priority the older."""
    middle, last = bench.add(), bench.add(priority=-1)
    first, other = bench.add(priority=1), bench.add()
    found = [task["task_id"] for task in (bench.one() for _ in range(4))]
    equal(found, [first, middle, other, last], "the order")


def max_tasks(bench: Bench) -> None:
    """`max_tasks` is the most that a lease brings, one if it is not given."""
    for _ in range(5):
        bench.add()
    equal(len(bench.take()), 1, "the number of tasks without max_tasks")
    equal(len(bench.take(max_tasks=3)), 3, "the number of tasks with 3")
    equal(len(bench.take(max_tasks=3)), 1, "the number of tasks that are left")


def backends(bench: Bench) -> None:
    """A task of a backend is given only to who serves it, and holds up nobody else."""
    theirs = bench.add(priority=5)
    mine = bench.add(backend=f"{bench.backend}-other")
    with bench.hub.talk() as talk:
        asked = {"worker_id": f"{bench.worker}-2", "backends": [f"{bench.backend}-other"]}
        found = [task["task_id"] for task in bench.keep(talk.call("lease", max_tasks=9, **asked))]
    equal(found, [mine], "what the worker of the other backend gets")
    equal(bench.one()["task_id"], theirs, "what ours gets")


def tags(bench: Bench) -> None:
    """Who names tags is given tasks all of whose tags are among them."""
    mark = bench.hub.mark
    both = bench.add(tags=[mark, "odd"], priority=1)
    one = bench.add()
    found = [task["task_id"] for task in bench.take(max_tasks=9, tags=[mark])]
    equal(found, [one], "what a worker without the tag gets")
    equal(bench.one(tags=[mark, "odd", "more"])["task_id"], both, "what one with it gets")


def a_lease_is_whole(bench: Bench) -> None:
    """A leased task tells its lease, its attempt, its worker and until when."""
    task = bench.new(lease_seconds=30)
    expect(isinstance(task.get("lease_id"), str), "there is no lease_id")
    equal(task.get("attempt"), 1, "the attempt")
    equal((task["status"], task["worker_id"]), ("leased", bench.worker), "status and worker")
    expect(29 < task["leased_until"] - task["updated_at"] < 31, "leased_until is not in 30 s")


def long_poll(bench: Bench) -> None:
    """A lease that waits is answered as soon as there is a task."""
    bench.must_be_alone()
    with bench.hub.talk() as talk:
        talk.ask("lease", worker_id=bench.worker, backends=[bench.backend], wait_seconds=30)
        time.sleep(0.2)
        began = time.monotonic()
        task_id = bench.add()
        found = bench.keep(talk.reply()["result"])
    equal([task["task_id"] for task in found], [task_id], "what it brings")
    waited = time.monotonic() - began
    expect(waited < BUSY, f"it took {waited:.1f} s after the task was there")


def wait_ends(bench: Bench) -> None:
    """A lease that waits in vain is answered with no tasks when its time is over."""
    began = time.monotonic()
    equal(bench.take(wait_seconds=SHORT), [], "what it brings")
    waited = time.monotonic() - began
    expect(SHORT - 0.05 < waited < SHORT + BUSY, f"it waited {waited:.2f} s instead of {SHORT}")


def a_waiter_that_leaves(bench: Bench) -> None:
    """A client that goes away while it waits is given no task."""
    bench.must_be_alone()
    with bench.hub.talk() as talk:
        talk.ask("lease", worker_id="gone", backends=[bench.backend], wait_seconds=600)
        time.sleep(0.1)
    task_id = bench.add()
    tasks = bench.take(wait_seconds=3)
    equal([task["task_id"] for task in tasks], [task_id], "what the next worker gets")


def renew(bench: Bench) -> None:
    """`renew` keeps a lease for longer, from now."""
    task = bench.new(lease_seconds=20)
    lease = {"task_id": task["task_id"], "lease_id": task["lease_id"]}
    found = bench.talk.call("renew", lease_seconds=500, **lease)
    more = found["leased_until"] - task["leased_until"]
    expect(479 < more < 495, f"it lasts {more:.0f} s longer instead of 480")


def fencing(bench: Bench) -> None:
    """An ack or renew with another lease id is refused with lease_lost and changes nothing."""
    task = bench.new()
    wrong = {"task_id": task["task_id"], "lease_id": f"{task['lease_id']}x"}
    bench.talk.refused("lease_lost", "ack", status="done", result="stolen", **wrong)
    bench.talk.refused("lease_lost", "renew", **wrong)
    bench.is_now(task["task_id"], "leased")
    bench.ack(task, "done", result="mine")
    equal(bench.get(task["task_id"])["result"], "mine", "the result")


def old_leases(bench: Bench) -> None:
    """The lease before the current one is lost, though its worker is connected."""
    task = bench.new(lease_seconds=SHORT)
    time.sleep(SHORT + 0.1)
    again = bench.one()
    expect(again["lease_id"] != task["lease_id"], "both leases have one id")
    equal(again.get("attempt"), 2, "the attempt")
    old = {"task_id": task["task_id"], "lease_id": task["lease_id"]}
    bench.talk.refused("lease_lost", "ack", status="done", **old)
    bench.talk.refused("lease_lost", "renew", **old)
    bench.ack(again, "done")


def expiry_is_seen_by_who_waits(bench: Bench) -> None:
    """A lease that expires brings its task to who waits."""
    task = bench.new(lease_seconds=SHORT)
    found = bench.take(wait_seconds=8)
    equal([one["task_id"] for one in found], [task["task_id"]], "what it brings")


def expiry_counts(bench: Bench) -> None:
    """After `max_attempts` leases that expired a task is failed, and its error says so."""
    task = bench.new(max_attempts=1, lease_seconds=SHORT)
    time.sleep(SHORT + 0.1)
    equal(bench.take(), [], "what can be leased then")
    found = bench.get(task["task_id"])
    equal(found["status"], "failed", "the status")
    expect(found["error"], "there is no error")


def the_first_end_counts(bench: Bench) -> None:
    """An ack that is repeated is answered ok; another end is refused with conflict."""
    task = bench.new()
    for _ in range(2):
        equal(bench.ack(task, "done", result="r")["ok"], True, "the answer")
    other = {"task_id": task["task_id"], "lease_id": task["lease_id"]}
    bench.talk.refused("conflict", "ack", status="failed", error="e", **other)
    found = bench.get(task["task_id"])
    equal((found["status"], found["result"]), ("done", "r"), "status and result")


def released(bench: Bench) -> None:
    """`released` gives a task back without an attempt."""
    task = bench.new(max_attempts=1)
    bench.ack(task, "released")
    bench.is_now(task["task_id"], "queued")
    again = bench.one()
    equal(again.get("attempt"), 1, "the attempt")
    bench.ack(again, "done")


def failed(bench: Bench) -> None:
    """A failed ack is final, unless it names `retry_after` and there are attempts left."""
    final = bench.new()
    bench.ack(final, "failed", error="e")
    bench.is_now(final["task_id"], "failed")
    task = bench.new(max_attempts=2)
    began = time.monotonic()
    bench.ack(task, "failed", error="e", retry_after=SHORT)
    bench.is_now(task["task_id"], "queued")
    found = bench.take()
    if time.monotonic() - began < SHORT:
        equal(found, [], "what can be leased before retry_after")
    (again,) = found or bench.take(wait_seconds=8) or [{"task_id": None, "lease_id": None}]
    equal(again["task_id"], task["task_id"], "what can be leased then")
    bench.ack(again, "failed", error="e", retry_after=0)
    bench.is_now(task["task_id"], "failed")


def ack_and_lease(bench: Bench) -> None:
    """An ack with `lease` brings the next tasks, and does not wait for them."""
    task = bench.new()
    following = bench.add()
    lease = {"worker_id": bench.worker, "backends": [bench.backend]}
    (again,) = bench.keep(bench.ack(task, "done", lease=lease)) or [{"task_id": None}]
    equal(again["task_id"], following, "what it brings")
    began = time.monotonic()
    found = bench.keep(bench.ack(again, "done", lease={**lease, "wait_seconds": 30}))
    equal(found, [], "what it brings when there is nothing")
    expect(time.monotonic() - began < BUSY, "it waited")


def pause(bench: Bench) -> None:
    """A backend that is paused hands out no task until it is resumed, then also to who waits."""
    bench.must_be_alone()
    task_id = bench.add()
    backend = {"backend": bench.backend}
    try:
        equal(bench.talk.call("pause", **backend), {"ok": True}, "the answer")
        expect(bench.backend in bench.talk.call("stats")["paused"], "stats do not tell of it")
        equal(bench.take(), [], "what can be leased")
        with bench.hub.talk() as talk:
            talk.ask("lease", worker_id=bench.worker, backends=[bench.backend], wait_seconds=30)
            time.sleep(0.1)
            bench.talk.call("resume", **backend)
            found = bench.keep(talk.reply()["result"])
    finally:
        bench.talk.call("resume", **backend)
    equal([task["task_id"] for task in found], [task_id], "what can be leased after resume")
    expect(bench.backend not in bench.talk.call("stats")["paused"], "it is paused still")


def pipelined_work(bench: Bench) -> None:
    """Leases and acks that travel together are each carried out once, in order."""
    ids = [bench.add(f"{number}") for number in range(50)]
    for _ in ids:
        bench.talk.ask("lease", worker_id=bench.worker, backends=[bench.backend])
    tasks = [task for _ in ids for task in bench.remember(bench.talk.reply()["result"])]
    equal([task["task_id"] for task in tasks], ids, "the leased tasks")
    for task in tasks:
        lease = {"task_id": task["task_id"], "lease_id": task["lease_id"]}
        bench.talk.ask("ack", status="done", result=task["prompt"], **lease)
    for _ in tasks:
        equal(bench.talk.reply()["error"], None, "the error of an ack")
    for task in tasks:
        equal(bench.get(task["task_id"])["result"], task["prompt"], "the result")


RULES: dict[str, Callable[[Bench], None]] = {
    "lease.fields": a_lease_is_whole,
    "lease.order": priority,
    "lease.max-tasks": max_tasks,
    "lease.backends": backends,
    "lease.tags": tags,
    "lease.long-poll": long_poll,
    "lease.wait-ends": wait_ends,
    "lease.waiter-leaves": a_waiter_that_leaves,
    "lease.pipelined": pipelined_work,
    "renew.extends": renew,
    "fence.wrong-lease": fencing,
    "fence.old-lease": old_leases,
    "ack.repeat": the_first_end_counts,
    "ack.released": released,
    "ack.failed": failed,
    "ack.lease": ack_and_lease,
    "expiry.waiting": expiry_is_seen_by_who_waits,
    "expiry.attempts": expiry_counts,
    "pause": pause,
}
