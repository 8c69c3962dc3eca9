"""PostgreSQL as the store: who may come in, what its tables are, and what becomes of a commit."""

import sys
import threading
from collections.abc import Iterator

import pytest
from cutting import Cable
from hubs import Queue
from postgres import PASSWORD, PostgresServer

from mittelo.core.requests import Ack, Enqueue, EnqueueMany, Lease, Refusal
from mittelo.core.tasks import Status
from mittelo.errors import MitteloError, UsageError
from mittelo.hub.postgres import schema
from mittelo.hub.postgres.store import PostgresStore
from mittelo.hub.serve import open_store
from mittelo.hub.store import StoreError


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    postgres.clear()
    return postgres.url


@pytest.fixture
def bare_url(postgres: PostgresServer) -> Iterator[str]:
    postgres.drop()
    yield postgres.url
    postgres.drop()


@pytest.fixture
def cable(postgres: PostgresServer) -> Iterator[Cable]:
    with Cable(postgres.port) as cable:
        yield cable


def through(cable: Cable, postgres: PostgresServer) -> str:
    return postgres.tcp_url().replace(f":{postgres.port}/", f":{cable.port}/")


def refused(url: str) -> MitteloError:
    with pytest.raises(MitteloError) as caught:
        PostgresStore(url)
    assert caught.value.what.endswith(".")
    assert caught.value.todo
    assert "secret" not in str(caught.value)
    return caught.value


# Coming in


def test_what_keeps_us_out_is_said(postgres: PostgresServer) -> None:
    assert (
        "does not answer: Connection refused." in refused("postgresql://u:secret@127.0.0.1:1").what
    )
    assert "does not answer" in refused("postgresql:///x?host=/nowhere&password=secret").what
    wrong = refused(postgres.tcp_url(password="secret"))
    assert "refuses us: password authentication failed for user" in wrong.what
    missing = refused(postgres.tcp_url(name="missing"))
    assert 'refuses us: database "missing" does not exist.' in missing.what
    assert "createdb" in missing.todo
    assert PASSWORD not in str(missing)
    PostgresStore(postgres.tcp_url()).close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:secret@x@127.0.0.1/d",
        "postgresql://u:secret/x@127.0.0.1/d",
        "postgresql://u:se cret secret@127.0.0.1/d",
        "postgresql://u:secret@127.0.0.1/d?nothing=secret",
        "mysql://u:secret@127.0.0.1/d",
    ],
)
def test_an_address_that_is_none_is_not_repeated(url: str) -> None:
    assert isinstance(refused(url), UsageError)


def test_the_library_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mittelo.hub.postgres.store", None)
    with pytest.raises(UsageError) as caught:
        open_store("postgresql://localhost/x", 60)
    assert "pip install 'mittelo[postgres]'" in caught.value.todo


def test_the_clock_is_that_of_the_database(url: str, postgres: PostgresServer) -> None:
    store = PostgresStore(url)
    ((now,),) = postgres.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
    assert abs(store.clock() - now) < 2
    store.close()


# Tables


def test_hubs_that_start_at_once_make_the_tables_once(bare_url: str) -> None:
    stores: list[PostgresStore] = []
    threads = [
        threading.Thread(target=lambda: stores.append(PostgresStore(bare_url))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores) == 4
    for store in stores:
        Queue(store).ask(Enqueue(prompt="x"))
    assert Queue(stores[0]).counts() == {"queued": 4}
    for store in stores:
        store.close()


def test_newer_tables_are_refused(bare_url: str, postgres: PostgresServer) -> None:
    PostgresStore(bare_url).close()
    postgres.execute("UPDATE mittelo.version SET number = number + 1")
    assert f"newer mittelo (schema {schema.VERSION + 1}" in refused(bare_url).what


def test_tables_of_another_program_are_refused(bare_url: str, postgres: PostgresServer) -> None:
    postgres.execute("CREATE SCHEMA mittelo; CREATE TABLE mittelo.songs (name text)")
    assert "another program" in refused(bare_url).what


def test_older_tables_are_brought_up_to_date_or_left_alone(
    bare_url: str, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = PostgresStore(bare_url)
    Queue(store).ask(Enqueue(prompt="kept"))
    store.close()
    first = schema.VERSION
    monkeypatch.setattr(schema, "VERSION", first + 2)
    changes = {first: "ALTER TABLE task ADD COLUMN extra int", first + 1: "DROP TABLE nothing"}
    monkeypatch.setattr(schema, "UPGRADES", changes)
    assert "nothing" in refused(bare_url).what
    assert postgres.execute("SELECT number FROM mittelo.version") == [(first,)]
    changes[first + 1] = "UPDATE task SET extra = 7; ALTER TABLE task DROP COLUMN extra"
    store = PostgresStore(bare_url)
    assert store.task(1)
    store.close()
    assert postgres.execute("SELECT number FROM mittelo.version") == [(first + 2,)]


def test_a_database_that_cannot_hold_every_text_is_refused(postgres: PostgresServer) -> None:
    postgres.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    assert "stores text as LATIN1" in refused(postgres.tcp_url(name="latin")).what
    postgres.execute("DROP DATABASE latin")


def test_the_counters_of_hubs_long_gone_are_kept(url: str, postgres: PostgresServer) -> None:
    for _ in range(3):
        store = PostgresStore(url)
        Queue(store).ask(Enqueue(prompt="x"))
        store.close()
    postgres.execute("UPDATE mittelo.hub SET seen = 0")
    store = PostgresStore(url)
    assert Queue(store).counts() == {"queued": 3}
    assert postgres.execute("SELECT count(*) FROM mittelo.hub") == [(2,)]
    store.close()


# Commits, and a database that goes away


def test_a_commit_that_was_not_answered_is_found_out_and_not_done_twice(
    url: str, cable: Cable, postgres: PostgresServer
) -> None:
    queue = Queue(PostgresStore(through(cable, postgres)))
    assert url
    for number in range(3):
        cable.lose_next_commit()
        assert queue.ask(Enqueue(prompt="x")).task_id == number + 1
        assert cable.lost.is_set()
        assert [event.kind for event in queue.last.events] == ["enqueued"]
        assert queue.last.events[0].number > 0
    assert queue.counts() == {"queued": 3}
    cable.lose_next_commit()
    (task,) = queue.ask(Lease(worker_id="w")).tasks
    cable.lose_next_commit()
    queue.ask(Ack(task_id=task.task_id, status="done", lease_id=task.lease_id))
    whole = queue.store.task(task.task_id)
    assert whole
    assert [made.how for made in whole.attempts] == ["done"]
    queue.store.close()


def test_a_connection_that_broke_before_the_commit_is_no_matter(
    url: str, cable: Cable, postgres: PostgresServer
) -> None:
    queue = Queue(PostgresStore(through(cable, postgres)))
    assert url
    for number in range(3):
        cable.cut()
        assert queue.store.page(None, None, 9, brief=True).stats.total == number
        assert queue.ask(Enqueue(prompt="x")).task_id
    assert queue.counts() == {"queued": 3}
    queue.store.close()


def test_a_commit_of_which_nobody_hears_for_long_is_refused_and_its_leases_given_back(
    url: str, cable: Cable, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mittelo.hub.postgres.link.PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr("mittelo.hub.postgres.link.REST_SECONDS", 0.0)
    queue = Queue(PostgresStore(through(cable, postgres)))
    assert url
    queue.ask(EnqueueMany(tasks=[Enqueue(prompt="x")] * 2))
    cable.lose_next_commit(stay_cut=True)
    with pytest.raises(StoreError, match="does not answer"):
        queue.ask(Lease(worker_id="w", max_tasks=2))
    with pytest.raises(StoreError, match="does not answer"):
        queue.ask(Enqueue(prompt="y"))
    cable.mend()
    assert queue.ask(Enqueue(prompt="y")).task_id
    assert queue.counts() == {"queued": 3}
    assert sum(queue.last.ready.values()) == 3
    (task,) = queue.ask(Lease(worker_id="w")).tasks
    assert (task.task_id, task.attempt) == (1, 1)
    queue.store.close()


def test_leases_live_on_while_the_database_is_away(
    url: str, cable: Cable, postgres: PostgresServer
) -> None:
    queue = Queue(PostgresStore(through(cable, postgres)))
    assert url
    queue.store.recover(queue.now, 30.0)
    queue.ask(Enqueue(prompt="x"))
    (task,) = queue.ask(Lease(worker_id="w", lease_seconds=5)).tasks
    cable.cut()
    queue.now += 100
    queue.sweep()
    queue.ask(Ack(task_id=1, status="done", lease_id=task.lease_id))
    assert queue.counts() == {"done": 1}
    queue.store.close()


def test_a_task_that_somebody_else_holds_does_not_sink_the_others(
    url: str, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "mittelo.hub.postgres.address._SESSION",
        "SET search_path = mittelo; SET lock_timeout = '50ms'",
    )
    queue = Queue(PostgresStore(url))
    queue.ask(EnqueueMany(tasks=[Enqueue(prompt="x")] * 2))
    first, second = queue.ask(Lease(worker_id="w", max_tasks=2)).tasks
    with postgres.connect() as other:
        other.execute("SELECT * FROM mittelo.task WHERE id = 1 FOR UPDATE")
        answers = queue.ask(
            *(
                Ack(task_id=task.task_id, status="done", lease_id=task.lease_id)
                for task in (first, second)
            )
        )
    assert isinstance(answers[0], Refusal)
    assert answers[0].code == "unavailable"
    assert queue.counts() == {"leased": 1, "done": 1}
    task = queue.store.task(2)
    assert task
    assert task.status is Status.DONE
    queue.store.close()
