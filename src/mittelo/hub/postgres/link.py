"""A connection that is made anew when it breaks: waited for a while, then not any more."""

import time
from collections.abc import Callable

from psycopg import Connection

from mittelo.hub.postgres.address import Address
from mittelo.hub.store import StoreError

PATIENCE_SECONDS = 5.0
"""So long a database that just went away is waited for before anybody is told so."""

PAUSE_SECONDS = 0.1
REST_SECONDS = 0.5
"""So long after a try that failed nothing is tried: who asks hears the same again."""


class Link:
    """The way to a database for one thread. `on_connect` is given each new connection."""

    def __init__(self, address: Address, on_connect: Callable[[Connection], None]) -> None:
        self._address = address
        self._on_connect = on_connect
        self._connection: Connection | None = None
        self._trouble: StoreError | None = None
        self._tried = 0.0
        self._was_there = False

    def connection(self) -> Connection:
        """Return the connection, a new one if it is broken."""
        if self._connection and not self._connection.closed:
            return self._connection
        patience = PATIENCE_SECONDS if self._was_there else 0.0
        deadline = time.monotonic() + patience
        while True:
            try:
                self._connection = self._connect()
            except StoreError as error:
                if error.damaged or time.monotonic() + PAUSE_SECONDS >= deadline:
                    self._was_there = False
                    raise
                time.sleep(PAUSE_SECONDS)
            else:
                self._was_there = True
                return self._connection

    def close(self) -> None:
        """Close the connection."""
        if self._connection:
            self._connection.close()

    def _connect(self) -> Connection:
        if self._trouble and not self._was_there and time.monotonic() - self._tried < REST_SECONDS:
            raise self._trouble
        try:
            connection = self._address.connect()
            try:
                with self._address.in_words():
                    self._on_connect(connection)
            except BaseException:
                connection.close()
                raise
        except StoreError as error:
            self._trouble, self._tried = error, time.monotonic()
            raise
        self._trouble = None
        return connection
