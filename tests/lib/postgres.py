"""A PostgreSQL server for tests: of their own, in a folder of its own, gone when they end."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import psycopg
from ports import kept_port
from support import wait_until

from mittelo.hub.postgres.store import PostgresStore

PROGRAMS = ("initdb", "postgres")
USER = "tester"
PASSWORD = "p@ss/word"
_URL_PASSWORD = "p%40ss%2Fword"
_LETS_IN = """
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""

_EMPTY = """
DELETE FROM mittelo.task;
DELETE FROM mittelo.body;
DELETE FROM mittelo.attempt;
DELETE FROM mittelo.need;
DELETE FROM mittelo.paused;
DELETE FROM mittelo.hub;
DELETE FROM mittelo.event;
SELECT setval('mittelo.task_id', 1, false);
"""


class PostgresServer:
    """Runs a server, as somebody without rights when we are the superuser."""

    def __init__(self) -> None:
        self._programs = _programs()
        self._folder = Path(tempfile.mkdtemp(prefix="mittelo-pg-"))
        self._data = self._folder / "data"
        self._user = _somebody()
        self._process: subprocess.Popen[bytes] | None = None
        self._filled: Path | None = None
        self._kept = ExitStack()
        self.port = self._kept.enter_context(kept_port())
        self.url = f"postgresql:///postgres?host={self._folder}&port={self.port}&user={USER}"

    def __enter__(self) -> Self:
        if self._user:
            shutil.chown(self._folder, self._user)
        secret = self._folder / "secret"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run(
            *(self._programs / "initdb", "-D", self._data, "-U", USER, f"--pwfile={secret}"),
            *("--encoding=UTF8", "--locale=C", "--no-sync"),
        )
        (self._data / "pg_hba.conf").write_text(_LETS_IN)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGINT)
        self._kept.close()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start it, and wait until it lets us in."""
        settings = {
            "unix_socket_directories": self._folder,
            "listen_addresses": "127.0.0.1",
            "port": self.port,
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, *words],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._as_somebody(),
            )
        wait_until(self._lets_in, "PostgreSQL")

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it; without a word, as if it had crashed, unless it is told how."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def restart(self) -> None:
        """Let it crash and come back."""
        self.stop()
        self.start()

    def open_store(self, folder: Path) -> PostgresStore:
        """Open what is stored for a folder; in one that is new, nothing is."""
        if folder != self._filled:
            self.clear()
            self._filled = folder
        return PostgresStore(self.url)

    def clear(self) -> None:
        """Empty our tables, if they are there: faster than to make them anew."""
        self._filled = None
        if self.execute("SELECT to_regclass('mittelo.version')") == [(None,)]:
            return
        self.execute(_EMPTY)

    def drop(self) -> None:
        """Take our tables away."""
        self._filled = None
        self.execute("DROP SCHEMA IF EXISTS mittelo CASCADE")

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return what a statement finds."""
        with self.connect() as connection:
            connection.autocommit = True
            connection.execute("SET client_min_messages = warning")
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def connect(self) -> psycopg.Connection:
        """Return a connection that has nothing to do with our stores."""
        return psycopg.connect(self.url)

    def tcp_url(self, *, user: str = USER, password: str = _URL_PASSWORD, name: str = "") -> str:
        """Return the address of a database that needs a password."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{name or 'postgres'}"

    def _lets_in(self) -> bool:
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, *words: object) -> None:
        done = subprocess.run(
            [str(word) for word in words],
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
            **self._as_somebody(),
        )
        assert done.returncode == 0, done.stderr

    def _as_somebody(self) -> dict[str, Any]:
        if not self._user:
            return {}
        return {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []}


class NoServerError(Exception):
    """The server's programs are not here."""


def _programs() -> Path:
    """Return the folder of the server's programs."""
    places = [Path(found).parent for program in PROGRAMS if (found := shutil.which(program))]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if all((place / program).exists() for program in PROGRAMS):
            return place
    raise NoServerError("PostgreSQL's server (initdb, postgres) is not installed here")


def _somebody() -> str | None:
    """Return who runs the server when we are the superuser, whom it refuses."""
    if os.geteuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)
