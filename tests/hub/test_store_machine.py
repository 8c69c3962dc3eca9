"""Whatever happens in whichever order, a store keeps to the rules; a plain model says which."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hubs import Queue
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mittelo.core import requests as req
from mittelo.core.requests import Ack, Code, Enqueue, Lease, Refusal, Task
from mittelo.core.tasks import Status
from mittelo.hub.store import Store

Opener = Callable[[Path], Store]
BACKENDS = st.sampled_from([None, "a", "b"])
LEASE_SECONDS = 10.0


class StoreMachine(RuleBasedStateMachine):
    """Drives a store, and keeps of each task what must be so."""

    tasks = Bundle("tasks")
    leases = Bundle("leases")

    def __init__(self, open_store: Opener) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.open_store = open_store
        self.queue = Queue(open_store(self.folder))
        self.current: dict[int, str] = {}
        self.ends: dict[int, list[str]] = {}
        self.known: set[int] = set()
        self.spent: dict[int, int] = {}

    def teardown(self) -> None:
        self.queue.store.close()
        shutil.rmtree(self.folder)

    @initialize(target=tasks)
    def begin(self) -> int:
        return self._added(Enqueue(prompt="first"))

    @rule(
        target=tasks,
        backend=BACKENDS,
        priority=st.integers(-2, 2),
        attempts=st.integers(1, 3),
        after=st.lists(tasks, max_size=2),
        delay=st.sampled_from([None, 5.0]),
    )
    def enqueue(
        self, backend: str | None, priority: int, attempts: int, after: list[int], delay: float
    ) -> int:
        return self._added(
            Enqueue(
                prompt="x",
                backend=backend,
                priority=priority,
                max_attempts=attempts,
                after=after,
                not_before=self.queue.now + delay if delay else None,
            )
        )

    def _added(self, request: Enqueue) -> int:
        task_id: int = self.queue.ask(request).task_id
        assert task_id not in self.known
        self.known.add(task_id)
        return task_id

    @rule(target=leases, backends=st.lists(BACKENDS, max_size=2), count=st.integers(1, 3))
    def lease(self, backends: list[str | None], count: int) -> object:
        served = [backend for backend in backends if backend]
        request = Lease(
            worker_id="w", max_tasks=count, lease_seconds=LEASE_SECONDS, backends=served
        )
        tasks: list[Task] = self.queue.ask(request).tasks
        assert len(tasks) <= count
        order = [(-task.priority, task.task_id) for task in tasks]
        assert order == sorted(order)
        for task in tasks:
            assert task.backend is None or task.backend in served
            assert self._status(task.task_id) is Status.LEASED
            assert task.attempt <= task.max_attempts
            assert task.lease_id not in self.current.values()
            self.current[task.task_id] = task.lease_id or ""
            for needed in task.after:
                assert self._status(needed) is Status.DONE
        return multiple(*tasks)

    @rule(task=leases, status=st.sampled_from(["done", "failed", "released"]), again=st.booleans())
    def ack(self, task: Task, status: str, *, again: bool) -> None:
        before = self._status(task.task_id)
        said = Ack(
            task_id=task.task_id,
            status=status,  # type: ignore[arg-type]
            lease_id=task.lease_id,
            retry_after=5.0 if again else None,
        )
        answer = self.queue.ask(said)
        current = self.current.get(task.task_id) == task.lease_id
        if isinstance(answer, Refusal):
            assert answer.code in {Code.LEASE_LOST, Code.CONFLICT}
            assert self._status(task.task_id) is before
        elif current and before is Status.LEASED:
            self.current.pop(task.task_id)
        assert not isinstance(self.queue.ask(said), Refusal) or isinstance(answer, Refusal)

    @rule(task=leases)
    def renew(self, task: Task) -> None:
        request = req.Renew(
            task_id=task.task_id, lease_id=task.lease_id or "", lease_seconds=LEASE_SECONDS
        )
        answer = self.queue.ask(request)
        held = self.current.get(task.task_id) == task.lease_id
        if not isinstance(answer, Refusal):
            assert held
            assert answer.leased_until == self.queue.now + LEASE_SECONDS

    @rule(task_id=tasks)
    def cancel(self, task_id: int) -> None:
        before = self._status(task_id)
        answer = self.queue.ask(req.Cancel(task_id=task_id))
        assert isinstance(answer, Refusal) is (before in {Status.DONE, Status.FAILED})

    @rule(task_id=tasks)
    def retry(self, task_id: int) -> None:
        answer = self.queue.ask(req.Retry(task_id=task_id))
        if not isinstance(answer, Refusal):
            assert self._status(task_id) is Status.QUEUED

    @rule(task_id=consumes(tasks))
    def forget_one(self, task_id: int) -> None:
        """Use it no more."""

    @rule(seconds=st.sampled_from([1.0, 4.0, LEASE_SECONDS]))
    def wait(self, seconds: float) -> None:
        self.queue.now += seconds
        self.queue.sweep()

    @precondition(lambda self: len(self.known) > 3)
    @rule()
    def reopen(self) -> None:
        counts = self.queue.counts()
        self.queue.store.close()
        self.queue.store = self.open_store(self.folder)
        assert self.queue.counts() == counts

    def _status(self, task_id: int) -> Status:
        task = self.queue.store.task(task_id)
        assert task
        return task.status

    @invariant()
    def nothing_is_lost_and_the_counters_are_right(self) -> None:
        tasks = self.queue.store.page(None, None, 2**31, brief=False).tasks
        assert {task.task_id for task in tasks} == self.known
        counted: dict[str, int] = {}
        for task in tasks:
            counted[str(task.status)] = counted.get(str(task.status), 0) + 1
        assert self.queue.counts() == counted

    @invariant()
    def an_ended_task_ended_once(self) -> None:
        for task in self.queue.store.page(Status.DONE, None, 2**31, brief=False).tasks:
            whole = self.queue.store.task(task.task_id)
            assert whole
            assert [made.how for made in whole.attempts].count("done") == 1


@pytest.mark.parametrize("open_store", ["sqlite", "postgresql"], indirect=True)
def test_whatever_happens_a_store_keeps_to_the_rules(open_store: Opener) -> None:
    run_state_machine_as_test(
        lambda: StoreMachine(open_store),  # type: ignore[arg-type]  # whatever makes one will do
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
