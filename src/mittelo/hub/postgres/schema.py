"""The tables of the hubs on a PostgreSQL database, and how a database comes to have them."""

from psycopg import Connection

from mittelo.hub.store import StoreError

SCHEMA = "mittelo"
VERSION = 1
LOCK = 0x4D49_5445
"""The advisory lock under which the tables are made and changed: MITE."""

UPGRADES: dict[int, str] = {}
"""What makes of the tables of a version those of the next."""

TABLES = """
CREATE TABLE version (number int NOT NULL);
CREATE SEQUENCE task_id;
CREATE TABLE task (
  id bigint PRIMARY KEY,
  status text COLLATE "C" NOT NULL,
  priority int NOT NULL,
  backend text COLLATE "C" NOT NULL,
  tags text COLLATE "C" NOT NULL,
  created_at double precision NOT NULL,
  updated_at double precision NOT NULL,
  not_before double precision,
  blocked int NOT NULL,
  max_attempts int NOT NULL,
  timeout_seconds double precision,
  owner text NOT NULL,
  dedupe_key text COLLATE "C",
  spent int NOT NULL,
  leases int NOT NULL,
  lease_id text,
  worker_id text,
  connection bigint NOT NULL,
  leased_at double precision,
  leased_until double precision,
  cancel_requested boolean NOT NULL,
  note text,
  ending int
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE TABLE body (
  task_id bigint PRIMARY KEY,
  prompt text NOT NULL,
  after text,
  meta text
);
CREATE TABLE attempt (
  task_id bigint NOT NULL,
  number int NOT NULL,
  lease_id text,
  worker_id text NOT NULL,
  began double precision NOT NULL,
  ended double precision NOT NULL,
  how text NOT NULL,
  result text,
  error text,
  category text,
  usage text,
  PRIMARY KEY (task_id, number)
);
CREATE TABLE need (
  needed bigint NOT NULL,
  task_id bigint NOT NULL,
  PRIMARY KEY (needed, task_id)
);
CREATE TABLE paused (backend text COLLATE "C" PRIMARY KEY);
CREATE TABLE hub (
  id text PRIMARY KEY,
  seen double precision NOT NULL,
  marker bigint NOT NULL DEFAULT 0,
  last_event bigint NOT NULL DEFAULT 0,
  queued bigint NOT NULL DEFAULT 0,
  leased bigint NOT NULL DEFAULT 0,
  done bigint NOT NULL DEFAULT 0,
  failed bigint NOT NULL DEFAULT 0,
  cancelled bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
CREATE TABLE feed (last bigint NOT NULL) WITH (fillfactor = 20);
CREATE TABLE event (last bigint PRIMARY KEY, count int NOT NULL, events text NOT NULL);
CREATE INDEX task_ready ON task (backend, priority DESC, id)
  WHERE status = 'queued' AND blocked = 0 AND not_before IS NULL;
CREATE INDEX task_ready_tagged ON task (backend, tags, priority DESC, id)
  WHERE status = 'queued' AND blocked = 0 AND not_before IS NULL;
CREATE INDEX task_leased ON task (leased_until) WHERE status = 'leased';
CREATE INDEX task_waiting ON task (not_before) WHERE status = 'queued' AND not_before IS NOT NULL;
CREATE INDEX task_ended ON task (updated_at) WHERE status IN ('done', 'failed', 'cancelled');
CREATE INDEX task_by_status ON task (status, id);
CREATE UNIQUE INDEX task_dedupe ON task (dedupe_key) WHERE dedupe_key IS NOT NULL;
INSERT INTO feed VALUES ((extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
"""
# `hub` holds the counters, a row for each hub, so that hubs do not wait for each other's; `marker`
# is that of its last transaction. `event` has a row for each transaction, numbered by `feed`.
# Event numbers begin at a microsecond, so that those of an earlier database are all smaller.

LONGEST_ABSENCE = 7 * 86400.0
"""The counters of a hub that was not seen for so long are added to those of the hub ''."""

_COUNTS = ("queued", "leased", "done", "failed", "cancelled")
_SUMS = ", ".join(f"coalesce(sum({name}), 0)" for name in _COUNTS)
_ADDED = ", ".join(f"{name} = hub.{name} + excluded.{name}" for name in _COUNTS)
_GATHER = f"""
WITH gone AS (DELETE FROM hub WHERE seen < %s AND id <> '' RETURNING *)
INSERT INTO hub (id, seen, {", ".join(_COUNTS)}) SELECT '', 0, {_SUMS} FROM gone
ON CONFLICT (id) DO UPDATE SET {_ADDED}
"""  # noqa: S608 - the names of our own columns


def prepare(connection: Connection, name: str) -> None:
    """Give a database our tables: a new one, or one with older tables. One hub does it at a time.

    `name` is what the database is called in messages.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        _bring_up_to_date(connection, name)


def enter(connection: Connection, hub: str, now: float) -> None:
    """Put a hub on the list, and clear the list of those long gone."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        connection.execute(_GATHER, (now - LONGEST_ABSENCE,))
        connection.execute(
            "INSERT INTO hub (id, seen) VALUES (%s, %s)"
            " ON CONFLICT (id) DO UPDATE SET seen = excluded.seen",
            (hub, now),
        )


def _bring_up_to_date(connection: Connection, name: str) -> None:
    version = _version(connection, name)
    if version is None:
        _create(connection, name)
    elif version > VERSION:
        raise StoreError(
            f"{name} was written by a newer mittelo (schema {version}, this one knows {VERSION}).",
            "Update mittelo, or name another database with --db.",
            damaged=True,
        )
    elif version < VERSION:
        connection.execute("SET LOCAL statement_timeout = 0")  # it takes as long as it takes
        for older in range(version, VERSION):
            connection.execute(UPGRADES[older], prepare=False)
        connection.execute("UPDATE version SET number = %s", (VERSION,))


def _version(connection: Connection, name: str) -> int | None:
    """Return the version of the tables that are there, None when there are none."""
    found = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s", (SCHEMA,)
    ).fetchall()
    if not found:
        return None
    if ("version",) not in found or ("task",) not in found:
        raise StoreError(
            f"{name} has a schema {SCHEMA!r} of another program.",
            "Name another database with --db.",
            damaged=True,
        )
    row = connection.execute("SELECT max(number) FROM version").fetchone()
    return int(row[0]) if row else None


def _create(connection: Connection, name: str) -> None:
    row = connection.execute("SELECT current_setting('server_encoding')").fetchone()
    if row and row[0] != "UTF8":
        raise StoreError(
            f"{name} stores text as {row[0]}, which does not hold every prompt.",
            "Make a database for mittelo with: createdb --encoding=UTF8 --template=template0",
        )
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    connection.execute(TABLES, prepare=False)
    connection.execute("INSERT INTO version VALUES (%s)", (VERSION,))
