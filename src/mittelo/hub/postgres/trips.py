"""Several statements in one trip to the server: sent in one piece, answered in one piece.

psycopg's own pipelines send each statement by itself, and the server wakes up for each: that takes
three times as long. So this uses the pipeline mode of libpq as psycopg passes it on.
"""

import select
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import Connection, pq
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result

Rows = list[tuple[Any, ...]]
Value = str | int | float | None

BINARY = 1
_DONE = {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}


class Statement:
    """A statement with its values. Its text holds `%s` for each of them, as elsewhere."""

    __slots__ = ("text", "values")

    def __init__(self, text: str, *values: Value) -> None:
        self.text = text
        self.values = values


class Trips:
    """Makes trips over one connection; each text is prepared once.

    A ROLLBACK goes this way, too: after one of its own, psycopg drops everything that is prepared.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._pgconn = connection.pgconn
        self._transformer = Transformer(connection)
        self._names: dict[str, bytes] = {}
        self._poll = select.poll()

    def make(self, statements: Sequence[Statement]) -> list[Rows]:
        """Carry out statements and return what each found; raises the first error.

        What comes after a statement that failed is not carried out.
        """
        prepared = [
            (self._name(statement.text), [_written(value) for value in statement.values])
            for statement in statements
        ]
        try:
            results = self._exchange(prepared)
        except Exception as error:  # what went through, nobody knows now
            self.connection.close()
            raise psycopg.OperationalError("the connection broke off") from error
        for result in results:
            if result.status not in _DONE:
                raise error_from_result(result)
        return [self._rows(result) for result in results]

    def _exchange(
        self, prepared: Sequence[tuple[bytes, list[bytes | None]]]
    ) -> list[pq.abc.PGresult]:
        self._pgconn.enter_pipeline_mode()
        for name, values in prepared:
            self._pgconn.send_query_prepared(name, values, result_format=BINARY)
        self._pgconn.pipeline_sync()
        self._send()
        results = self._receive()
        self._pgconn.exit_pipeline_mode()
        return results

    def find(self, text: str, *values: Value) -> Rows:
        """Carry out one statement and return what it found."""
        return self.make([Statement(text, *values)])[0]

    def _name(self, text: str) -> bytes:
        name = self._names.get(text)
        if name is None:
            name = f"mittelo_{len(self._names)}".encode()
            result = self._pgconn.prepare(name, _numbered(text).encode())
            if result.status not in _DONE:
                raise error_from_result(result)
            self._names[text] = name
        return name

    def _send(self) -> None:
        """Send everything; what comes meanwhile is taken in, so that nobody waits for the other."""
        while self._pgconn.flush():
            if self._wait(select.POLLIN | select.POLLOUT) & select.POLLIN:
                self._pgconn.consume_input()

    def _receive(self) -> list[pq.abc.PGresult]:
        results: list[pq.abc.PGresult] = []
        while True:
            while self._pgconn.is_busy():
                self._wait(select.POLLIN)
                self._pgconn.consume_input()
            result = self._pgconn.get_result()
            if result is None:  # between the results of two statements
                if self.connection.closed:
                    raise psycopg.OperationalError("the connection is lost")
                continue
            if result.status == pq.ExecStatus.PIPELINE_SYNC:
                return results
            results.append(result)

    def _wait(self, what: int) -> int:
        self._poll.register(self._pgconn.socket, what)
        ((_, heard),) = self._poll.poll()
        return heard

    def _rows(self, result: pq.abc.PGresult) -> Rows:
        if not result.nfields:
            return []
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, result.ntuples, tuple)


def _written(value: Value) -> bytes | None:
    return None if value is None else str(value).encode()


def _numbered(text: str) -> str:
    """Return a statement as the server wants it: with `$1` for its first value."""
    first, *others = text.split("%s")
    return first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))
