"""The contract of stores: whatever holds the tasks, this is what it does."""

import msgspec
import pytest
from hubs import Queue

from mittelo.core import requests as req
from mittelo.core.requests import Ack, Code, Enqueue, Lease, Refusal, Task
from mittelo.core.tasks import Status
from mittelo.hub.store import PAGE_TASKS, PURGE_AT_ONCE, Caller

NASTY = 'ä\x00\u2028"\\\n\t𝄞' + "x" * 100_000


def add(queue: Queue, prompt: str = "p", **fields: object) -> int:
    enqueue = Enqueue(prompt=prompt, **fields)  # type: ignore[arg-type]
    task_id = queue.ask(enqueue).task_id
    assert isinstance(task_id, int)
    return task_id


def take(queue: Queue, worker: str = "w", **fields: object) -> list[Task]:
    lease = Lease(worker_id=worker, **fields)  # type: ignore[arg-type]
    tasks: list[Task] = queue.ask(lease).tasks
    return tasks


def ids(tasks: list[Task]) -> list[int]:
    return [task.task_id for task in tasks]


def ack(task: Task, status: str = "done", **fields: object) -> Ack:
    return Ack(task_id=task.task_id, status=status, lease_id=task.lease_id, **fields)  # type: ignore[arg-type]


def code(answer: object) -> Code:
    assert isinstance(answer, Refusal), answer
    return answer.code


def look(queue: Queue, task_id: int) -> Task:
    task = queue.store.task(task_id)
    assert task
    return task


def test_any_text_comes_back_as_it_was(queue: Queue) -> None:
    task_id = add(queue, NASTY, meta={"deep": [1, {"ä": None}]}, tags=["b", "a"])
    (task,) = take(queue)
    assert task.prompt == NASTY
    queue.ask(ack(task, result=NASTY, error=NASTY))
    found = look(queue, task_id)
    assert (found.prompt, found.result, found.error) == (NASTY, NASTY, NASTY)
    assert found.tags == ["a", "b"]
    assert isinstance(found.meta, msgspec.Raw)
    assert msgspec.json.decode(found.meta) == {"deep": [1, {"ä": None}]}


def test_a_lease_goes_by_priority_then_age(queue: Queue) -> None:
    low, high, middle, high_too = (add(queue, priority=p) for p in (-1, 5, 0, 5))
    assert ids(take(queue, max_tasks=3)) == [high, high_too, middle]
    assert ids(take(queue, max_tasks=3)) == [low]
    assert take(queue) == []


def test_a_task_of_a_backend_is_only_for_its_workers_and_does_not_starve_behind_others(
    queue: Queue,
) -> None:
    others = [add(queue, backend="b", priority=9) for _ in range(20)]
    mine, anybody = add(queue, backend="a"), add(queue)
    assert ids(take(queue, max_tasks=5)) == [anybody]
    assert ids(take(queue, backends=["a"], max_tasks=5)) == [mine]
    assert ids(take(queue, backends=["a", "b"], max_tasks=99)) == others


def test_a_worker_of_tags_takes_only_what_it_serves(queue: Queue) -> None:
    gpu, both, none = add(queue, tags=["gpu"]), add(queue, tags=["x", "gpu"]), add(queue)
    assert ids(take(queue, tags=[])) == [none]
    assert ids(take(queue, tags=["gpu"], max_tasks=9)) == [gpu]
    assert ids(take(queue, max_tasks=9)) == [both]


def test_priority_holds_across_backends_and_tags(queue: Queue) -> None:
    third = add(queue, backend="a", priority=1)
    first = add(queue, tags=["t"], priority=3)
    second = add(queue, priority=2)
    assert ids(take(queue, backends=["a"], tags=["t"], max_tasks=9)) == [first, second, third]


def test_a_lease_that_expired_is_handed_out_again_and_fails_after_its_attempts(
    queue: Queue,
) -> None:
    task_id = add(queue, max_attempts=2)
    for attempt in (1, 2):
        (task,) = take(queue, lease_seconds=10)
        assert (task.task_id, task.attempt) == (task_id, attempt)
        assert queue.store.next_due() == queue.now + 10
        queue.now += 10
    assert take(queue) == []
    found = look(queue, task_id)
    assert found.status is Status.FAILED
    assert "The lease expired: worker w" in (found.error or "")
    assert [attempt.how for attempt in found.attempts] == ["expired", "expired"]


def test_what_came_late_changes_nothing(queue: Queue) -> None:
    add(queue)
    (old,) = take(queue, lease_seconds=10)
    queue.now += 10
    (new,) = take(queue, "other")
    assert code(queue.ask(ack(old))) is Code.LEASE_LOST
    assert code(queue.ask(req.Renew(task_id=old.task_id, lease_id=old.lease_id or ""))) is (
        Code.LEASE_LOST
    )
    assert isinstance(queue.ask(ack(new, result="new")), req.Acked)
    assert code(queue.ask(ack(old, result="old"))) is Code.LEASE_LOST
    assert look(queue, old.task_id).result == "new"


def test_an_exact_repeat_is_fine_and_any_other_second_end_is_not(queue: Queue) -> None:
    add(queue)
    (task,) = take(queue)
    for _ in range(2):
        assert isinstance(queue.ask(ack(task, result="r")), req.Acked)
    assert code(queue.ask(ack(task, result="other"))) is Code.CONFLICT
    assert code(queue.ask(ack(task, "failed"))) is Code.CONFLICT
    assert len(look(queue, task.task_id).attempts) == 1


@pytest.mark.parametrize("status", ["released", "failed"])
def test_an_exact_repeat_is_known_even_when_the_task_went_on(queue: Queue, status: str) -> None:
    add(queue)
    (task,) = take(queue)
    said = ack(task, status, retry_after=0.0, error="e")
    assert isinstance(queue.ask(said), req.Acked)
    assert ids(take(queue)) == [task.task_id]
    assert isinstance(queue.ask(said), req.Acked)
    assert look(queue, task.task_id).status is Status.LEASED


def test_an_old_client_is_known_by_its_connection_or_its_name(queue: Queue) -> None:
    add(queue)
    same, named, stranger = Caller(1, set()), Caller(2, {"w"}), Caller(3, {"v"})
    (task,) = take(queue)
    unnamed = Ack(task_id=task.task_id, status="done", result="r")
    assert code(queue.ask(unnamed, by=stranger)) is Code.LEASE_LOST
    queue.now += 1000
    assert code(queue.ask(unnamed, by=same)) is Code.LEASE_LOST
    take(queue)
    assert isinstance(queue.ask(unnamed, by=named), req.Acked)
    assert code(queue.ask(unnamed, by=same)) is Code.CONFLICT
    add(queue)
    (other,) = take(queue)
    said = Ack(task_id=other.task_id, status="done", worker_id="w")
    assert isinstance(queue.ask(said, by=stranger), req.Acked)


def test_an_ack_may_ask_for_the_next_tasks(queue: Queue) -> None:
    first, second = add(queue), add(queue)
    (task,) = take(queue)
    assert task.task_id == first
    answer = queue.ask(ack(task, lease=Lease(worker_id="w", max_tasks=2)))
    assert ids(answer.tasks) == [second]
    assert queue.ask(ack(answer.tasks[0], lease=Lease(worker_id="w"))).tasks == []
    refused = queue.ask(Ack(task_id=99, status="done", lease=Lease(worker_id="w")))
    assert code(refused) is Code.NOT_FOUND


def test_a_renewal_keeps_a_lease_and_tells_of_a_cancel(queue: Queue) -> None:
    add(queue)
    (task,) = take(queue, lease_seconds=10)
    queue.now += 9
    renew = req.Renew(task_id=task.task_id, lease_id=task.lease_id or "", lease_seconds=10)
    assert queue.ask(renew) == req.Renewed(queue.now + 10, cancel_requested=False)
    assert queue.ask(req.Cancel(task_id=task.task_id)).cancel_requested
    assert queue.ask(renew).cancel_requested
    queue.ask(ack(task, "failed", error="killed"))
    found = look(queue, task.task_id)
    assert (found.status, found.error) == (Status.CANCELLED, "killed")


def test_a_task_runs_after_all_that_it_waits_for(queue: Queue) -> None:
    first, second = add(queue), add(queue)
    last = add(queue, after=[first, second, first])
    assert look(queue, last).waits_for == 2
    tasks = take(queue, max_tasks=9)
    assert ids(tasks) == [first, second]
    queue.ask(ack(tasks[0]))
    assert take(queue) == []
    queue.ask(ack(tasks[1]))
    assert queue.last.ready == {("", ()): 1}
    assert ids(take(queue)) == [last]
    assert look(queue, add(queue, after=[first])).waits_for == 0


def test_failure_cancels_what_waits_for_it_and_what_waits_for_that(queue: Queue) -> None:
    first = add(queue)
    second = add(queue, after=[first])
    third = add(queue, after=[second])
    (task,) = take(queue)
    queue.ask(ack(task, "failed"))
    assert queue.counts() == {"failed": 1, "cancelled": 2}
    assert look(queue, third).error == f"Task {second}, which it waited for, is cancelled."
    late = add(queue, after=[third])
    assert look(queue, late).status is Status.CANCELLED
    assert code(queue.ask(req.Retry(task_id=second))) is Code.CONFLICT
    queue.ask(req.Retry(task_id=first))
    queue.ask(req.Retry(task_id=second))
    (task,) = take(queue)
    queue.ask(ack(task))
    assert ids(take(queue)) == [second]


def test_what_is_not_there_cannot_be_waited_for(queue: Queue) -> None:
    first = add(queue)
    many = req.EnqueueMany(tasks=[Enqueue(prompt="a"), Enqueue(prompt="b", after=[first, 77])])
    answer = queue.ask(many)
    assert (code(answer), answer.path) == (Code.NOT_FOUND, "tasks[1].after")
    assert queue.counts() == {"queued": 1}


def test_a_task_waits_for_its_time(queue: Queue) -> None:
    later = add(queue, not_before=queue.now + 5, priority=9)
    assert take(queue) == []
    assert queue.store.next_due() == queue.now + 5
    queue.now += 5
    assert queue.sweep().ready == {("", ()): 1}
    assert ids(take(queue)) == [later]


def test_a_failure_that_may_be_tried_again_waits_and_keeps_its_attempts(queue: Queue) -> None:
    add(queue, max_attempts=2)
    (task,) = take(queue)
    queue.ask(ack(task, "failed", error="limit", retry_after=30, category="usage_limit"))
    assert take(queue) == []
    queue.now += 30
    (task,) = take(queue)
    queue.ask(ack(task, "failed", error="again", retry_after=30))
    found = look(queue, task.task_id)
    assert (found.status, found.error) == (Status.FAILED, "again")
    assert [(a.error, a.category) for a in found.attempts] == [
        ("limit", "usage_limit"),
        ("again", None),
    ]


def test_a_key_stands_for_one_task_as_long_as_it_is_known(queue: Queue) -> None:
    first = add(queue, dedupe_key="k")
    assert add(queue, "other", dedupe_key="k") == first
    (task,) = take(queue)
    queue.ask(ack(task))
    assert add(queue, dedupe_key="k") == first
    queue.ask(req.Purge(days=0))
    assert add(queue, dedupe_key="k") != first


def test_retrying_clears_worker_lease_result_and_error(queue: Queue) -> None:
    failed = [add(queue) for _ in range(3)]
    for task in take(queue, max_tasks=3):
        queue.ask(ack(task, "failed", result="r", error="e"))
    assert queue.ask(req.RetryFailed()) == req.Retried(3)
    found = look(queue, failed[0])
    assert (found.worker_id, found.leased_until, found.result, found.error) == (None,) * 4
    assert found.attempts[0].error == "e"
    assert queue.counts() == {"queued": 3}
    assert code(queue.ask(req.Retry(task_id=failed[0]))) is Code.CONFLICT
    assert code(queue.ask(req.Retry(task_id=999))) is Code.NOT_FOUND


def test_a_pause_holds_back_all_or_one_backend_and_survives(queue: Queue) -> None:
    mine, anybody = add(queue, backend="a"), add(queue)
    queue.ask(req.Pause(backend="a"))
    assert take(queue, backends=["a"]) == []
    assert queue.store.counted(queue.now).paused == ["a"]
    queue.ask(req.Pause())
    assert take(queue) == []
    queue.ask(req.Resume())
    assert queue.last.resumed
    assert ids(take(queue, backends=["a"], max_tasks=2)) == [mine, anybody]


def test_purging_forgets_what_ended_long_ago_and_nothing_else(queue: Queue) -> None:
    old, fresh, queued = add(queue), add(queue), add(queue)
    (first, second) = take(queue, max_tasks=2)
    queue.ask(ack(first))
    queue.now += 86400 * 2
    take_again = take(queue, max_tasks=2)
    queue.ask(ack(take_again[0]))
    assert ids([second]) == [fresh]
    assert queue.ask(req.Purge(days=1)) == req.Purged(1)
    assert queue.store.task(old) is None
    assert queue.store.task(queued)
    assert add(queue) > queued
    assert sum(queue.counts().values()) == 3


def test_purging_is_done_in_short_writes(queue: Queue) -> None:
    many = req.EnqueueMany(tasks=[Enqueue(prompt="x")] * (PURGE_AT_ONCE + 5))
    found = queue.ask(many).task_ids
    queue.ask(*(req.Cancel(task_id=task_id) for task_id in found))
    assert queue.ask(req.Purge(days=0)) == req.Purged(PURGE_AT_ONCE)
    assert queue.ask(req.Purge(days=0)) == req.Purged(5)
    assert queue.counts() == {}


def test_ids_are_never_used_again(queue: Queue) -> None:
    first = add(queue)
    queue.ask(req.Cancel(task_id=first))
    queue.ask(req.Purge(days=0))
    assert add(queue) == first + 1


def test_only_ones_own_tasks_are_cancelled_by_who_may_only_do_that(queue: Queue) -> None:
    ann, bob = (Caller(n, set(), name, only_own=True) for n, name in ((1, "ann"), (2, "bob")))
    task_id = queue.ask(Enqueue(prompt="x"), by=ann).task_id
    assert look(queue, task_id).owner == "ann"
    assert code(queue.ask(req.Cancel(task_id=task_id), by=bob)) is Code.UNAUTHORIZED
    assert queue.ask(req.Cancel(task_id=task_id), by=ann).status is Status.CANCELLED
    assert code(queue.ask(req.Cancel(task_id=99), by=ann)) is Code.NOT_FOUND


def test_lists_come_newest_first_in_pages(queue: Queue) -> None:
    queue.ask(req.EnqueueMany(tasks=[Enqueue(prompt="x" * 300)] * (PAGE_TASKS + 10)))
    first = queue.store.page(None, None, 2**31, brief=True)
    assert len(first.tasks) == PAGE_TASKS
    assert first.next == 11
    assert len(first.tasks[0].prompt) == 200
    rest = queue.store.page(None, first.next, 2**31, brief=False)
    assert ids(rest.tasks) == [*range(10, 0, -1)]
    assert rest.next is None
    assert len(rest.tasks[0].prompt) == 300
    take(queue, max_tasks=2)
    assert ids(queue.store.page(Status.LEASED, None, 50, brief=False).tasks) == [2, 1]
    assert queue.store.page(Status.FAILED, None, 50, brief=False).tasks == []


def test_counts_tell_how_long_the_oldest_waits(queue: Queue) -> None:
    assert queue.store.counted(queue.now).stats.oldest_queued_seconds is None
    add(queue)
    queue.now += 5
    add(queue)
    stats = queue.store.counted(queue.now).stats
    assert (stats.total, stats.oldest_queued_seconds) == (2, 5.0)


def test_one_call_that_fails_does_not_sink_the_others(queue: Queue) -> None:
    broken = Enqueue(prompt="lone \ud800 surrogate")
    first, refused, second = queue.ask(Enqueue(prompt="a"), broken, Enqueue(prompt="b"))
    assert (first.task_id, second.task_id) == (1, 2)
    assert code(refused) is Code.INTERNAL
    assert queue.counts() == {"queued": 2}
    assert [event.task_id for event in queue.last.events] == [1, 2]


def test_everything_that_happens_is_told(queue: Queue) -> None:
    add(queue)
    (task,) = take(queue)
    assert [(e.kind, e.worker_id) for e in queue.last.events] == [("leased", "w")]
    queue.ask(ack(task, "released"))
    assert [(e.kind, e.worker_id) for e in queue.last.events] == [("released", "w")]
    queue.ask(req.Cancel(task_id=task.task_id))
    assert [e.kind for e in queue.last.events] == ["cancelled"]


def test_a_lease_of_many_large_tasks_ends_when_it_is_large_enough(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(req, "LEASE_BYTES", 1000)
    for _ in range(5):
        add(queue, "x" * 400)
    assert len(take(queue, max_tasks=5)) == 3
