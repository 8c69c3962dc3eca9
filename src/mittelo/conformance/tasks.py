"""Rules of tasks: how they are added, looked at, cancelled and tried again."""
# ruff: noqa: D401 - the docstrings are the rules, as they are printed

import time
from collections.abc import Callable

from mittelo.conformance.bench import Bench
from mittelo.conformance.talk import equal, expect

SOON = 0.5


def fields_come_back(bench: Bench) -> None:
    """The fields of `enqueue` come back from `get`."""
    later = time.time() + 3600
    given = {
        "max_attempts": 7,
        "timeout_seconds": 12.5,
        "dedupe_key": f"{bench.backend}-key",
        "not_before": later,
        "after": [bench.add()],
        "meta": {"a": [1, None, {"b": "ä"}]},
    }
    found = bench.get(bench.add("all of them", **given))
    wanted = {**bench.fields("all of them"), **given}
    for name, value in wanted.items():
        equal(found.get(name), value, name)


def limits_are_kept(bench: Bench) -> None:
    """What is beyond a limit of `enqueue` is refused with bad_request."""
    for wrong in (
        {"priority": 10**9 + 1},
        {"priority": 1.5},
        {"max_attempts": 0},
        {"max_attempts": 1001},
        {"timeout_seconds": 0},
        {"backend": ""},
        {"backend": "x" * 201},
        {"backend": "a\nb"},
        {"tags": ["x"] * 33},
        {"dedupe_key": "x" * 501},
        {"after": [0]},
        {"meta": {"x": "y" * 65_536}},
    ):
        bench.talk.refused("bad_request", "enqueue", **bench.fields(**wrong))
    beyond: list[tuple[str, dict[str, object]]] = [
        ("lease", {"worker_id": bench.worker, "max_tasks": 1001}),
        ("lease", {"worker_id": bench.worker, "max_tasks": 0}),
        ("lease", {"worker_id": bench.worker, "wait_seconds": 601}),
        ("lease", {"worker_id": bench.worker, "lease_seconds": -1}),
        ("lease", {"worker_id": ""}),
        ("list", {"status": "odd"}),
        ("events", {"limit": 0}),
        ("events", {"limit": 1001}),
        ("get", {"task_id": 0}),
        ("purge", {"days": -1}),
    ]
    for method, params in beyond:
        bench.talk.refused("bad_request", method, **params)


def the_key_finds_the_task(bench: Bench) -> None:
    """A `dedupe_key` that is known answers the task that has it, also when that has ended."""
    key = f"{bench.backend}-key"
    first = bench.add("one", dedupe_key=key)
    equal(bench.add("two", dedupe_key=key), first, "the second id")
    bench.ack(bench.one(), "done")
    equal(bench.add("three", dedupe_key=key), first, "the third id")
    equal(bench.get(first)["prompt"], "one", "the prompt")


def many_at_once(bench: Bench) -> None:
    """`enqueue_many` answers ids in the order of its tasks."""
    prompts = [f"number {number}" for number in range(50)]
    tasks = [bench.fields(prompt) for prompt in prompts]
    ids = bench.talk.call("enqueue_many", tasks=tasks)["task_ids"]
    bench.added += ids
    equal([bench.get(task_id)["prompt"] for task_id in ids], prompts, "the prompts")


def all_or_none(bench: Bench) -> None:
    """`enqueue_many` with a bad task adds none."""
    before = bench.talk.call("stats")["stats"]["total"]
    tasks = [bench.fields("good"), bench.fields("bad", after=[2**53])]
    bench.talk.refused("not_found", "enqueue_many", tasks=tasks)
    tasks[1]["after"] = "soon"
    bench.talk.refused("bad_request", "enqueue_many", tasks=tasks)
    equal(bench.take(), [], "what can be leased")
    if bench.hub.quiet:
        equal(bench.talk.call("stats")["stats"]["total"], before, "the number of tasks")


def not_before_its_time(bench: Bench) -> None:
    """A task with `not_before` is handed out then, also to who waits, and not sooner."""
    began = time.time()
    bench.add(not_before=began + SOON)
    equal(bench.take(), [], "what can be leased at once")
    tasks = bench.take(wait_seconds=8)
    waited = time.time() - began
    expect(tasks, "whoever waited was not given it")
    expect(waited > SOON - 0.05, f"it was handed out after {waited:.2f} s")


def after_others(bench: Bench) -> None:
    """A task with `after` runs when these are done."""
    first = bench.add("first")
    second = bench.add("second", after=[first], priority=5)
    task = bench.one()
    equal(task["task_id"], first, "the task handed out first")
    equal(bench.take(), [], "what can be leased before that is done")
    bench.ack(task, "done")
    equal(bench.one()["task_id"], second, "the task handed out then")


def after_failed_others(bench: Bench) -> None:
    """A task with `after` is cancelled when one of these fails or is cancelled."""
    failing, cancelled = bench.add("fails"), bench.add("is cancelled", priority=-1)
    heirs = [bench.add("waits", after=[other]) for other in (failing, cancelled)]
    bench.ack(bench.one(), "failed", error="e")
    bench.talk.call("cancel", task_id=cancelled)
    for heir in heirs:
        bench.is_now(heir, "cancelled")


def unknown_tasks(bench: Bench) -> None:
    """Whatever is asked about a task that is not there is refused with not_found."""
    nobody = 2**53
    for method in ("get", "cancel", "retry"):
        bench.talk.refused("not_found", method, task_id=nobody)
    bench.talk.refused("not_found", "ack", task_id=nobody, status="done", lease_id="x")
    bench.talk.refused("not_found", "renew", task_id=nobody, lease_id="x")


def cancel_queued(bench: Bench) -> None:
    """`cancel` ends a queued task at once, and may be said again."""
    task_id = bench.add()
    for _ in range(2):
        found = bench.talk.call("cancel", task_id=task_id)
        equal((found["status"], found["cancel_requested"]), ("cancelled", False), "the answer")
    equal(bench.take(), [], "what can be leased then")


def cancel_leased(bench: Bench) -> None:
    """`cancel` of a leased task is told at `renew`; its ack as released or failed cancels it."""
    for status in ("released", "failed"):
        task = bench.new()
        lease = {"task_id": task["task_id"], "lease_id": task["lease_id"]}
        expect(bench.talk.call("renew", **lease)["cancel_requested"] is False, "renew tells of it")
        found = bench.talk.call("cancel", task_id=task["task_id"])
        equal((found["status"], found["cancel_requested"]), ("leased", True), "the answer")
        expect(bench.talk.call("renew", **lease)["cancel_requested"] is True, "renew tells nothing")
        bench.ack(task, status)
        bench.is_now(task["task_id"], "cancelled")


def cancel_ended(bench: Bench) -> None:
    """`cancel` of a task that is done is refused with conflict."""
    task = bench.new()
    bench.ack(task, "done")
    bench.talk.refused("conflict", "cancel", task_id=task["task_id"])


def retry(bench: Bench) -> None:
    """`retry` queues a failed or cancelled task again; others are a conflict."""
    task = bench.new(max_attempts=1)
    bench.talk.refused("conflict", "retry", task_id=task["task_id"])
    bench.ack(task, "failed", error="e")
    equal(bench.talk.call("retry", task_id=task["task_id"]), {"ok": True}, "the answer")
    found = bench.get(task["task_id"])
    equal((found["status"], found["error"]), ("queued", None), "status and error")
    bench.ack(bench.one(), "done")
    bench.talk.refused("conflict", "retry", task_id=task["task_id"])
    cancelled = bench.add()
    bench.talk.call("cancel", task_id=cancelled)
    bench.talk.call("retry", task_id=cancelled)
    bench.is_now(cancelled, "queued")


def attempts_are_told(bench: Bench) -> None:
    """`get` tells all attempts, and nobody's lease id."""
    task = bench.new()
    bench.ack(task, "failed", error="first", retry_after=0)
    usage = {"input_tokens": 10, "output_tokens": 20, "cost_usd": 0.5}
    bench.ack(bench.one(), "done", result="r", usage=usage, category="completed")
    found = bench.get(task["task_id"])
    made = found.get("attempts", [])
    equal([attempt["how"] for attempt in made], ["failed", "done"], "how the attempts ended")
    equal(found.get("usage"), usage, "the usage")
    equal(found.get("category"), "completed", "the category")
    expect(task["lease_id"] not in str(found), "a lease id is told to who only looks")


def lists_are_paged(bench: Bench) -> None:
    """`list` with `limit` answers so many, and `next` is the `before` of the next page."""
    for _ in range(5):
        bench.add()
    whole = [task["task_id"] for task in bench.talk.call("list", limit=5)["tasks"]]
    paged: list[int] = []
    before: dict[str, int] = {}
    for _ in range(5):
        page = bench.talk.call("list", limit=1, **before)
        paged += [task["task_id"] for task in page["tasks"]]
        expect("next" in page, "there is no `next`")
        before = {"before": page["next"]}
    equal(paged, whole, "the tasks of five pages")


def lists_by_status(bench: Bench) -> None:
    """`list` with `status` answers only such tasks."""
    task_id = bench.add()
    bench.talk.call("cancel", task_id=task_id)
    found = bench.talk.call("list", status="cancelled", limit=20)["tasks"]
    expect(task_id in [task["task_id"] for task in found], "ours is not among them")
    equal({task["status"] for task in found}, {"cancelled"}, "the statuses")


def brief_lists(bench: Bench) -> None:
    """`list` with `brief` shortens long texts."""
    task_id = bench.add("x" * 100_000)
    found = bench.talk.call("list", limit=20, brief=True)["tasks"]
    (ours,) = [task for task in found if task["task_id"] == task_id] or [{"prompt": "x" * 10_000}]
    expect(len(ours["prompt"]) < 10_000, f"a prompt of {len(ours['prompt'])} characters")


def stats_have_more(bench: Bench) -> None:
    """`stats` also counts cancelled and all tasks, tells the oldest's age, and what is paused."""
    bench.add()
    found = bench.talk.call("stats")
    words = {"cancelled", "total", "oldest_queued_seconds"}
    expect(words <= set(found["stats"]), f"there is no {sorted(words - set(found['stats']))}")
    expect(found["stats"]["oldest_queued_seconds"] >= 0, "the age of the oldest is no number")
    expect(isinstance(found["paused"], list), "`paused` is no list")


RULES: dict[str, Callable[[Bench], None]] = {
    "enqueue.fields": fields_come_back,
    "enqueue.dedupe-key": the_key_finds_the_task,
    "enqueue.not-before": not_before_its_time,
    "enqueue.after": after_others,
    "enqueue.after-failed": after_failed_others,
    "enqueue_many.ids": many_at_once,
    "enqueue_many.all-or-none": all_or_none,
    "limits": limits_are_kept,
    "error.not-found": unknown_tasks,
    "cancel.queued": cancel_queued,
    "cancel.leased": cancel_leased,
    "cancel.ended": cancel_ended,
    "retry": retry,
    "get.attempts": attempts_are_told,
    "list.pages": lists_are_paged,
    "list.status": lists_by_status,
    "list.brief": brief_lists,
    "stats.more": stats_have_more,
}
