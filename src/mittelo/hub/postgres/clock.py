"""The database's clock: the only one that counts where several hubs share it."""

import time

from psycopg import Connection

_NOW = "SELECT extract(epoch FROM clock_timestamp())::double precision"


class DatabaseClock:
    """Tells the time of the database, from our own steady clock and how far the two differ.

    Somebody sets our clock: nothing happens. It is compared again now and then.
    """

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def now(self) -> float:
        """Return the time of the database, as an epoch second."""
        return time.monotonic() + self._ahead

    def compare(self, connection: Connection) -> None:
        """Look at the database's clock; the answer is taken to be half its way old."""
        asked = time.monotonic()
        row = connection.execute(_NOW).fetchone()
        heard = time.monotonic()
        if row:
            self._ahead = row[0] - (asked + heard) / 2
