"""Rules of events, of the workers that are told of, and of the end."""

import time
from collections.abc import Callable

from mittelo.conformance.bench import Bench
from mittelo.conformance.talk import equal, expect

LIFE = ["enqueued", "leased", "requeued", "leased", "released", "leased", "done"]


def _kinds(bench: Bench, after: int, task_id: int) -> list[str]:
    kinds: list[str] = []
    while True:
        found = bench.talk.call("events", after=after, limit=1000)
        kinds += [event["kind"] for event in found["events"] if event["task_id"] == task_id]
        after = found["next"]
        if not found["events"]:
            return kinds


def life(bench: Bench) -> None:
    """Each thing that happens to a task is an event, in order."""
    after = bench.talk.call("events")["next"]
    task = bench.new()
    bench.ack(task, "failed", error="e", retry_after=0)
    bench.ack(bench.one(), "released")
    bench.ack(bench.one(), "done")
    equal(_kinds(bench, after, task["task_id"]), LIFE, "its events")


def numbers(bench: Bench) -> None:
    """Events are numbered one by one, and `next` goes on after the last."""
    after = bench.talk.call("events")["next"]
    for _ in range(5):
        bench.add()
    first = bench.talk.call("events", after=after, limit=2)
    second = bench.talk.call("events", after=first["next"], limit=3)
    found = [event["number"] for event in first["events"] + second["events"]]
    equal(found, [*range(after + 1, after + 6)], "the numbers")


def events_wait(bench: Bench) -> None:
    """`events` that wait are answered as soon as something happens, or empty in the end."""
    with bench.hub.talk() as talk:
        after = talk.call("events")["next"]
        talk.ask("events", after=after, wait_seconds=30)
        time.sleep(0.1)
        task_id = bench.add()
        found = talk.reply()["result"]
        if bench.hub.quiet:
            equal([event["task_id"] for event in found["events"]], [task_id], "the events")
            empty = talk.call("events", after=found["next"], wait_seconds=0.2)
            equal((empty["events"], empty["next"]), ([], found["next"]), "the answer to nothing")
        expect(found["events"], "there are no events")


def missed_events(bench: Bench) -> None:
    """`missed` says that events which were asked for are not kept; else it is false."""
    now = bench.talk.call("events")
    equal(now["events"], [], "the events of a beginning")
    equal(bench.talk.call("events", after=now["next"]).get("missed"), False, "`missed` at the end")
    equal(bench.talk.call("events", after=0).get("missed"), True, "`missed` from the very first")


def workers(bench: Bench) -> None:
    """`workers` tells who leases, what it serves and what it has in hand."""
    task = bench.new()
    found = [
        one for one in bench.talk.call("workers")["workers"] if one["worker_id"] == bench.worker
    ]
    equal(len(found), 1, "the number of workers with our name")
    ours = found[0]
    equal((ours["backends"], ours["connected"]), ([bench.backend], True), "backends and connected")
    equal(ours["tasks"], [task["task_id"]], "its tasks")


def purge(bench: Bench) -> None:
    """`purge` answers how many tasks it forgot, and keeps what ended lately."""
    task = bench.new()
    bench.ack(task, "done")
    found = bench.talk.call("purge", days=36_500)
    equal(found, {"purged": 0}, "the answer")
    bench.is_now(task["task_id"], "done")


def shutdown(bench: Bench) -> None:
    """`shutdown` is answered, who waits is sent away, and the connections are closed."""
    with bench.hub.talk() as waiting:
        waiting.ask("lease", worker_id=bench.worker, backends=[bench.backend], wait_seconds=60)
        time.sleep(0.1)
        equal(bench.talk.call("shutdown"), {"ok": True}, "the answer")
        bench.keep(waiting.reply()["result"])
        expect(waiting.is_closed(), "a connection stays open")
    expect(bench.talk.is_closed(), "our connection stays open")


RULES: dict[str, Callable[[Bench], None]] = {
    "events.life": life,
    "events.numbers": numbers,
    "events.wait": events_wait,
    "events.missed": missed_events,
    "workers": workers,
    "purge": purge,
}
AT_THE_END: dict[str, Callable[[Bench], None]] = {"shutdown": shutdown}
