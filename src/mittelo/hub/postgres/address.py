"""Where a PostgreSQL database is, how we connect to it, and in words what is wrong with it."""

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict

from mittelo.errors import UsageError
from mittelo.hub.postgres.schema import SCHEMA
from mittelo.hub.store import StoreError

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30
LOCK_SECONDS = 10
IDLE_SECONDS = 30

_DEFAULTS: dict[str, object] = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "fallback_application_name": "mittelo hub",
}
"""What holds unless the address says otherwise: a server that is cut off is noticed."""

_SESSION = f"""
SET search_path = {SCHEMA};
SET client_encoding = 'UTF8';
SET timezone = 'UTC';
SET default_transaction_isolation = 'read committed';
SET statement_timeout = '{STATEMENT_SECONDS}s';
SET lock_timeout = '{LOCK_SECONDS}s';
SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s';
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SET enable_sort = off;
SET enable_incremental_sort = off;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
SELECT set_config('synchronous_commit', 'on', false)
 WHERE current_setting('synchronous_commit') = 'off';
"""
# A queue's tables are empty when its statements are first planned and large soon after, and their
# statistics always lag. Planning each statement anew (force_custom_plan) would cost more than to
# carry it out. But for each of ours one index is right at any size: so plans are made once, and all
# is forbidden but to read an index in its order, and to look up rows one by one.

_START_IT = "Start it, or name another database with --db."
_MISSING = "Make it with `createdb`, or name another database with --db."
_RIGHTS = "Correct the user or password of --db; PGPASSWORD and ~/.pgpass are read, too."
_SAID = {
    "password authentication failed": _RIGHTS,
    "no password supplied": _RIGHTS,
    "no pg_hba.conf entry": "Let this host in with a line in the server's pg_hba.conf.",
    "role ": _RIGHTS,
    "database ": _MISSING,
}
"""What to do about what a server says when it refuses a connection."""

_TODO = {
    "42501": "Give the role of --db the right to it, or name another.",
    "42P01": "Start the hub again: it makes its tables.",
    "53100": "Make room on its disk.",
    "53300": "Let it take more connections: each hub needs three.",
    "55P03": "Something else holds our tables: end it.",
    "57014": f"Look what keeps the server busy: no statement of ours takes {STATEMENT_SECONDS} s.",
    "25006": "Name the server that can be written with --db.",
}


class Address:
    """The address of a database. `name` is fit to be shown: it has no password in it."""

    def __init__(self, url: str) -> None:
        parts = _parse(url)
        self._parts: dict[str, Any] = {**_DEFAULTS, **parts}
        host = parts.get("host") or parts.get("hostaddr") or "localhost"
        port = f":{parts['port']}" if parts.get("port") else ""
        database = parts.get("dbname") or parts.get("user") or ""
        self.name = f"The PostgreSQL database {database!r} at {host}{port}"

    def connect(self) -> Connection:
        """Return a new connection on which each statement is a transaction of its own."""
        try:
            connection = psycopg.connect(**self._parts, autocommit=True, prepare_threshold=0)
        except psycopg.OperationalError as error:
            raise self._refused(str(error)) from error
        try:
            with self.in_words():
                connection.execute(_SESSION, prepare=False)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def in_words(self) -> Iterator[None]:
        """Turn what PostgreSQL says into what happened and what to do."""
        try:
            yield
        except psycopg.Error as error:
            raise self.trouble(error) from error

    def trouble(self, error: psycopg.Error) -> StoreError:
        """Return in words what PostgreSQL says."""
        said = error.diag.message_primary or str(error).strip().partition("\n")[0]
        todo = _TODO.get(error.sqlstate or "", "Look at the server's log, then try again.")
        return StoreError(f"{self.name} failed: {said}.", todo)

    def _refused(self, said: str) -> StoreError:
        """Return in words why there is no connection."""
        _, fatal, reason = said.partition("FATAL:")
        if not fatal:
            why = _first_line(said).rpartition("failed: ")[2]
            return StoreError(f"{self.name} does not answer: {why}.", _START_IT)
        reason = _first_line(reason)
        todo = next((todo for start, todo in _SAID.items() if reason.startswith(start)), "")
        return StoreError(
            f"{self.name} refuses us: {reason}.", todo or "Try again when it lets us in."
        )


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip(".")


def _parse(url: str) -> dict[str, Any]:
    """Take an address apart. What is wrong in it is not shown: it may be the password."""
    scheme, _, rest = url.partition("://")
    if scheme not in {"postgresql", "postgres"}:
        raise UsageError(
            f"There is no store for {scheme}:// addresses.",
            "Name a file or a postgresql:// address with --db.",
        )
    plain = rest.partition("?")[0]
    one_at = "@" not in plain.partition("/")[2] and plain.count("@") <= 1
    try:
        if one_at:
            return conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        pass
    raise UsageError(
        "The address in --db is no PostgreSQL address.",
        "Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, signs like @ : / % in a password"
        " as %40 %3A %2F %25.",
    )
