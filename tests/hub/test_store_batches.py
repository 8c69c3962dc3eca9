"""A batch does on PostgreSQL, all at once, what its calls do on SQLite one after the other."""

import os
from typing import Any

import msgspec
import pytest
from hubs import Queue
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres import PostgresServer

from mittelo.core import requests as req
from mittelo.core.requests import Ack, Answer, Enqueue, Lease, Write
from mittelo.core.tasks import Attempt
from mittelo.hub.postgres.store import PostgresStore
from mittelo.hub.sqlite.store import SqliteStore

SALT = (b"\x01" * 8).hex()
IDS = st.integers(1, 12)
NAMES = st.sampled_from([None, "a", "b"])
TAGS = st.lists(st.sampled_from(["x", "y"]), max_size=2)
LEASES = st.builds(
    Lease,
    worker_id=st.just("w"),
    max_tasks=st.integers(1, 3),
    lease_seconds=st.sampled_from([1.0, 10.0]),
    backends=st.lists(st.sampled_from(["a", "b"]), max_size=2),
    tags=st.none() | TAGS,
)
ENQUEUES = st.builds(
    Enqueue,
    prompt=st.sampled_from(["p", "\x00\x01", "long" * 5000]),
    priority=st.integers(-1, 1),
    backend=NAMES,
    tags=TAGS,
    max_attempts=st.integers(1, 2),
    dedupe_key=st.sampled_from([None, None, None, "k", "l"]),
    not_before=st.sampled_from([None, None, 1_000_003.0]),
    after=st.lists(IDS, max_size=2),
)
ACKS = st.builds(
    lambda task_id, number, **more: Ack(
        task_id=task_id, lease_id=number and f"{task_id}.{number}.{SALT}", **more
    ),
    IDS,
    st.sampled_from([None, 1, 1, 1, 2]),
    status=st.sampled_from(["done", "failed", "released"]),
    result=st.sampled_from([None, "r\x00"]),
    error=st.sampled_from([None, "e"]),
    retry_after=st.sampled_from([None, None, 0.0, 2.0]),
    lease=st.none() | LEASES,
)
REQUESTS: st.SearchStrategy[Write] = st.one_of(
    ENQUEUES,
    st.builds(req.EnqueueMany, tasks=st.lists(ENQUEUES, max_size=3)),
    LEASES,
    LEASES,
    ACKS,
    ACKS,
    ACKS,
    st.builds(
        lambda task_id: req.Renew(
            task_id=task_id, lease_id=f"{task_id}.1.{SALT}", lease_seconds=5.0
        ),
        IDS,
    ),
    st.builds(req.Cancel, task_id=IDS),
    st.builds(req.Retry, task_id=IDS),
    st.just(req.RetryFailed()),
    st.builds(req.Purge, days=st.sampled_from([0.0, 0.00002])),
    st.builds(req.Pause, backend=NAMES),
    st.builds(req.Resume, backend=NAMES),
)
BATCHES = st.lists(st.tuples(st.lists(REQUESTS, max_size=12), st.sampled_from([0, 1, 3])))


@pytest.fixture
def no_salt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let leases have the same ids on both stores."""
    monkeypatch.setattr(os, "urandom", lambda count: b"\x01" * count)


@pytest.mark.usefixtures("no_salt")
@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(batches=BATCHES)
def test_a_batch_is_its_calls_one_after_the_other(
    postgres: PostgresServer, batches: list[tuple[list[Write], int]]
) -> None:
    one_by_one = Queue(SqliteStore(":memory:"))
    postgres.clear()
    at_once = Queue(PostgresStore(postgres.url))
    try:
        for batch, seconds in batches:
            one_by_one.now += seconds
            at_once.now += seconds
            one_by_one.sweep()
            expected = [one_by_one.ask(request) for request in batch]
            at_once.ask(*batch)
            found = at_once.last.answers
            assert [_plain(answer) for answer in found] == [_plain(one) for one in expected]
            assert _all_of(at_once) == _all_of(one_by_one)
            assert at_once.counts() == one_by_one.counts()
    finally:
        one_by_one.store.close()
        at_once.store.close()


def _plain(answer: Answer | list[Attempt]) -> Any:
    return msgspec.to_builtins(answer)


def _all_of(queue: Queue) -> list[Any]:
    listed = queue.store.page(None, None, 2**31, brief=False).tasks
    return [_plain(task) for task in listed] + [
        _plain(whole.attempts) for task in listed if (whole := queue.store.task(task.task_id))
    ]
