"""The answer to `list`, page by page, so that a long one is never whole in memory."""

from collections.abc import Callable

from msgspec.structs import replace

from mittelo.core.requests import Answer, List, Listed
from mittelo.hub import lines
from mittelo.hub.engine import Reply

NO_LIMIT = 2**53


class Listing:
    """Writes one answer as fast as the client reads it.

    `begin` is given what to call with the last piece of it, or with None when it broke off.
    """

    __slots__ = ("_ask", "_done", "_first", "_held", "_identity", "_left", "_request", "_write")

    def __init__(
        self,
        request: List,
        identity: bytes,
        write: Callable[[bytes], bool],
        ask: Callable[[List, Reply], None],
    ) -> None:
        self._request = request
        self._identity = identity
        self._write = write
        self._ask = ask
        self._left = request.limit if request.limit > 0 else NO_LIMIT
        self._first = True
        self._held = False
        self._done: Callable[[bytes | None], None] = lambda _last: None

    def begin(self, done: Callable[[bytes | None], None]) -> None:
        """Ask for the first page."""
        self._done = done
        self._ask(self._request, self._page)

    def go_on(self) -> None:
        """Ask for the next page, now that the client has read the last."""
        if self._held:
            self._held = False
            self._ask(self._request, self._page)

    def _page(self, answer: Answer) -> None:
        if not isinstance(answer, Listed):
            self._done(lines.write(self._identity, answer) if self._first else None)
            return
        self._left -= len(answer.tasks)
        part = lines.list_part(answer.tasks, first=self._first)
        if self._first:
            part = lines.list_head(self._identity) + part
            self._first = False
        if answer.next is None or self._left <= 0:
            self._done(part + lines.list_tail(answer.stats, answer.next))
            return
        self._request = replace(self._request, limit=min(self._left, NO_LIMIT), before=answer.next)
        self._held = not self._write(part)
        if not self._held:
            self._ask(self._request, self._page)
