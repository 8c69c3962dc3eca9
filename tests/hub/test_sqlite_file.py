"""The file of a hub: whose it is, how old it may be, and what is said when it cannot be used."""

import os
import resource
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hubs import Queue

from mittelo.core.requests import Ack, Enqueue, Lease
from mittelo.core.tasks import Status
from mittelo.hub.sqlite.schema import APPLICATION, VERSION
from mittelo.hub.sqlite.store import SqliteStore
from mittelo.hub.store import StoreError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hub.db"


def refused(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        SqliteStore(str(path))
    assert caught.value.todo
    return caught.value.what


def old_file(path: Path, columns: str, *rows: tuple[object, ...]) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"CREATE TABLE tasks ({columns})")
    for row in rows:
        marks = ", ".join("?" for _ in row)
        connection.execute(f"INSERT INTO tasks VALUES ({marks})", row)  # noqa: S608 - question marks
    connection.commit()
    connection.close()


def test_what_was_stored_is_there_after_opening_again(path: Path) -> None:
    store = SqliteStore(str(path))
    Queue(store).ask(Enqueue(prompt="kept"))
    store.close()
    store = SqliteStore(str(path))
    task = store.task(1)
    assert task
    assert task.prompt == "kept"
    assert Queue(store).ask(Enqueue(prompt="next")).task_id == 2
    store.close()


def test_a_second_owner_is_refused_also_by_another_name(path: Path, tmp_path: Path) -> None:
    store = SqliteStore(str(path))
    assert "Another hub owns" in refused(path)
    (tmp_path / "link.db").symlink_to(path)
    assert "Another hub owns" in refused(tmp_path / "link.db")
    store.close()
    SqliteStore(str(path)).close()


def test_every_write_waits_for_the_disk(path: Path) -> None:
    store = SqliteStore(str(path))
    found = [
        store._writer.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("synchronous", "journal_mode")
    ]
    assert found == [2, "wal"]
    store.close()


OLD_COLUMNS = (
    "id INTEGER PRIMARY KEY AUTOINCREMENT, prompt TEXT, status TEXT, created_at REAL,"
    " updated_at REAL, leased_until REAL, worker_id TEXT, result TEXT, error TEXT"
)


def test_a_file_of_the_first_implementation_is_taken_over(path: Path) -> None:
    old_file(
        path,
        OLD_COLUMNS,
        (3, "q", "queued", 10.0, 11.0, None, None, None, None),
        (4, "l", "leased", 10.0, 12.0, 99.0, "w1", None, None),
        (7, "d", "done", 10.0, 13.0, None, "w2", "answer", None),
        (9, "f", "failed", 10.0, 14.0, None, "w2", None, "broke"),
    )
    queue = Queue(SqliteStore(str(path)))
    queue.now = 50.0
    assert queue.counts() == {"queued": 1, "leased": 1, "done": 1, "failed": 1}
    done, failed = queue.store.task(7), queue.store.task(9)
    assert done
    assert failed
    assert (done.result, done.worker_id, done.updated_at) == ("answer", "w2", 13.0)
    assert failed.error == "broke"
    said = Ack(task_id=4, status="done", worker_id="w1")
    queue.ask(said)
    assert queue.counts()["done"] == 2
    assert [task.task_id for task in queue.ask(Lease(worker_id="w")).tasks] == [3]
    assert queue.ask(Enqueue(prompt="new")).task_id == 10
    queue.store.close()
    SqliteStore(str(path)).close()


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ("task_id INTEGER PRIMARY KEY, prompt TEXT, status TEXT", (5, "p", "queued")),
        ("prompt TEXT, status TEXT, created_at TEXT", ("p", "queued", "2024-05-01T10:00:00")),
        ("id INTEGER, prompt BLOB, status TEXT, created_at TEXT", (5, b"p", "queued", "17.5")),
        ("id INTEGER, prompt TEXT, status TEXT, created_at REAL", (5, "p", "queued", None)),
        ("id TEXT, prompt TEXT, status TEXT", ("abc", "p", "queued")),
    ],
)
def test_whichever_columns_an_old_file_has(
    path: Path, columns: str, row: tuple[object, ...]
) -> None:
    old_file(path, columns, row)
    queue = Queue(SqliteStore(str(path)))
    (task,) = queue.ask(Lease(worker_id="w")).tasks
    assert task.prompt == "p"
    queue.store.close()


def test_a_status_that_nobody_knows_is_a_failure_that_says_so(path: Path) -> None:
    old_file(path, "id INTEGER, prompt TEXT, status TEXT", (1, "p", "weird"))
    store = SqliteStore(str(path))
    task = store.task(1)
    assert task
    assert task.status is Status.FAILED
    assert "'weird'" in (task.error or "")
    store.close()


def test_an_upgrade_that_breaks_off_leaves_the_file_as_it_was(path: Path) -> None:
    old_file(path, "id INTEGER, prompt TEXT", (1, "a"), (1, "the same id"))
    with pytest.raises(StoreError):
        SqliteStore(str(path))
    connection = sqlite3.connect(path)
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert names == {"tasks"}
    connection.close()


VERSION_1 = """
CREATE TABLE task (id INTEGER PRIMARY KEY, status TEXT NOT NULL, priority INTEGER NOT NULL,
  backend TEXT NOT NULL, tags TEXT NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL,
  not_before REAL, blocked INTEGER NOT NULL, max_attempts INTEGER NOT NULL, timeout_seconds REAL,
  owner TEXT NOT NULL, dedupe_key TEXT, spent INTEGER NOT NULL DEFAULT 0,
  leases INTEGER NOT NULL DEFAULT 0, lease_id TEXT, worker_id TEXT,
  connection INTEGER NOT NULL DEFAULT 0, leased_at REAL, leased_until REAL,
  cancel_requested INTEGER NOT NULL DEFAULT 0, note TEXT, ending INTEGER) STRICT;
CREATE TABLE body (task_id INTEGER PRIMARY KEY, prompt TEXT NOT NULL, after TEXT, meta TEXT) STRICT;
CREATE TABLE attempt (id INTEGER PRIMARY KEY, task_id INTEGER NOT NULL, number INTEGER NOT NULL,
  lease_id TEXT, worker_id TEXT NOT NULL, began REAL NOT NULL, ended REAL NOT NULL,
  how TEXT NOT NULL, result TEXT, error TEXT, category TEXT, usage TEXT) STRICT;
CREATE TABLE need (needed INTEGER NOT NULL, task_id INTEGER NOT NULL,
  PRIMARY KEY (needed, task_id)) STRICT, WITHOUT ROWID;
CREATE TABLE paused (backend TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE counter (name TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX task_ready ON task (backend, priority DESC, id) WHERE status = 'queued';
CREATE INDEX task_by_status ON task (status, id);
CREATE UNIQUE INDEX task_dedupe ON task (dedupe_key) WHERE dedupe_key IS NOT NULL;
CREATE INDEX attempt_of ON attempt (task_id, number);
INSERT INTO task VALUES (1, 'done', 0, '', '', 1, 2, NULL, 0, 3, NULL, '', 'key', 1, 1, '1.1.x',
  'w', 7, 1, NULL, 0, NULL, 41);
INSERT INTO task VALUES (2, 'leased', 0, '', '', 1, 2, NULL, 0, 3, NULL, '', NULL, 2, 2, '2.2.x',
  'w', 7, 1, 99, 0, NULL, NULL);
INSERT INTO task VALUES (3, 'queued', 5, '', 'gpu', 1, 2, NULL, 0, 3, NULL, '', NULL, 0, 0, NULL,
  NULL, 0, NULL, NULL, 0, NULL, NULL);
INSERT INTO task VALUES (4, 'queued', 0, '', '', 1, 2, NULL, 1, 3, NULL, '', NULL, 0, 0, NULL,
  NULL, 0, NULL, NULL, 0, NULL, NULL);
INSERT INTO body VALUES (1, 'one', NULL, NULL), (2, 'two', NULL, NULL),
  (3, 'three', NULL, '{"a":1}'), (4, 'four', '[2]', NULL);
INSERT INTO attempt VALUES (40, 2, 1, '2.1.x', 'w', 1, 2, 'expired', NULL, 'e', NULL, NULL),
  (41, 1, 1, '1.1.x', 'w', 1, 2, 'done', 'answer', NULL, NULL, NULL);
INSERT INTO need VALUES (2, 4);
INSERT INTO paused VALUES ('slow');
INSERT INTO counter VALUES ('queued', 2), ('leased', 1), ('done', 1), ('failed', 0),
  ('cancelled', 0), ('last_id', 9), ('needs', 1);
PRAGMA user_version = 1;
"""


def test_a_file_of_an_older_version_is_brought_up_to_date(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(f"{VERSION_1}PRAGMA application_id = {APPLICATION};")
    connection.close()
    for _ in range(2):
        queue = Queue(SqliteStore(str(path)))
        queue.now = 50.0
        done, leased = queue.store.task(1), queue.store.task(2)
        assert done
        assert leased
        assert (done.result, leased.attempts[0].error, leased.attempt) == ("answer", "e", 2)
        assert queue.counts() == {"queued": 2, "leased": 1, "done": 1}
        assert queue.store.counted(50.0).paused == ["slow"]
        assert [
            task.task_id for task in queue.store.page(Status.DONE, None, 9, brief=True).tasks
        ] == [1]
        queue.store.close()
    queue = Queue(SqliteStore(str(path)))
    queue.now = 50.0
    assert queue.ask(Enqueue(prompt="again", dedupe_key="key")).task_id == 1
    assert queue.ask(Enqueue(prompt="new")).task_id == 10
    queue.ask(Ack(task_id=2, status="done", lease_id="2.2.x"))
    found = queue.ask(Lease(worker_id="w", max_tasks=9)).tasks
    assert [task.task_id for task in found] == [3, 4, 10]
    names = queue.store._writer.execute("SELECT name FROM sqlite_master")  # type: ignore[attr-defined]
    assert not [name for (name,) in names if name.startswith("old_")]
    queue.store.close()


def test_a_newer_file_is_refused(path: Path) -> None:
    SqliteStore(str(path)).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    assert f"newer mittelo (schema {VERSION + 1}" in refused(path)


def test_a_file_of_another_program_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (name TEXT)")
    connection.close()
    assert "another program" in refused(path)


@pytest.mark.parametrize("content", [b"no database at all\n" * 100, b"SQLite format 3\x00" * 64])
def test_a_damaged_file_is_told_of(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert "is damaged or no database" in refused(path)
    assert path.read_bytes() == content


def test_a_file_that_another_program_holds_is_told_of(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mittelo.hub.sqlite.file.BUSY_SECONDS", 0.05)
    SqliteStore(str(path)).close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    assert "Another program holds" in refused(path)
    connection.close()


def test_a_place_that_cannot_be_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "file" in refused(tmp_path / "file" / "hub.db")
    assert "cannot be written" in refused(tmp_path)


def test_a_full_disk_refuses_calls_and_keeps_what_was_there(path: Path) -> None:
    queue = Queue(SqliteStore(str(path)))
    queue.ask(Enqueue(prompt="small"))
    (pages,) = queue.store._writer.execute("PRAGMA page_count").fetchone()  # type: ignore[attr-defined]
    queue.store._writer.execute(f"PRAGMA max_page_count = {pages + 2}")  # type: ignore[attr-defined]
    small, large = queue.ask(Enqueue(prompt="a"), Enqueue(prompt="x" * 1_000_000))
    assert small.task_id == 2
    assert (large.code, "is full; nothing was stored" in large.message) == ("unavailable", True)
    assert queue.counts() == {"queued": 2}
    queue.store.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everything")
def test_a_file_that_may_not_be_written_is_told_of(path: Path) -> None:
    SqliteStore(str(path)).close()
    path.chmod(0o400)
    assert "cannot be written" in refused(path)


def test_a_file_system_that_is_full_is_told_of(path: Path) -> None:
    program = f"""
        import resource, signal
        from mittelo.errors import MitteloError
        from mittelo.hub.sqlite.store import SqliteStore
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, {resource.RLIM_INFINITY}))
        try:
            SqliteStore({str(path)!r})
        except MitteloError as error:
            print(error.what)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert "full" in done.stdout or "failed" in done.stdout


def test_leases_live_on_over_a_restart_for_a_while(path: Path) -> None:
    queue = Queue(SqliteStore(str(path)))
    queue.ask(Enqueue(prompt="x"))
    (task,) = queue.ask(Lease(worker_id="w", lease_seconds=5)).tasks
    queue.store.close()
    queue.store = SqliteStore(str(path))
    queue.now += 100
    queue.store.recover(queue.now, 30.0)
    queue.ask(Ack(task_id=1, status="done", lease_id=task.lease_id))
    assert queue.counts() == {"done": 1}
    queue.store.close()
