"""What is told of a change: who made it, when, with which command, of which lap."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

from msgspec import Struct, field

from mittelo.core.queues import Lap

Detail = Mapping[str, str | int | list[str]]


class Where(Protocol):
    """A queue or a claim: what has a file and a scope."""

    @property
    def file(self) -> str:
        """Return the file below `.laps`."""

    @property
    def scope(self) -> str:
        """Return the scope."""


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change."""

    ts: str
    event: str
    cmd: str = field(default_factory=lambda: "")
    file: str = field(default_factory=lambda: "")
    lap: str = ""
    title: str = ""
    assignee: str = ""
    scope: str = field(default_factory=lambda: "")
    detail: Detail = field(default_factory=lambda: {})  # noqa: PIE807 - a bare dict is left out
    session: str = field(default_factory=lambda: "")


class Who(Struct, frozen=True):
    """Who does something, and when."""

    session: str
    now: datetime

    def event(
        self,
        cmd: str,
        what: str,
        where: Where,
        lap: Lap | str | None = None,
        detail: Detail | None = None,
    ) -> Event:
        """Return an event of ours; of a lap that cannot be found, its id tells."""
        known = lap if isinstance(lap, Lap) else None
        return Event(
            ts=self.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            event=what,
            cmd=cmd,
            file=where.file,
            lap=known.id if known else str(lap or ""),
            title=known.title if known else "",
            assignee=known.assignee if known else "",
            scope=where.scope,
            detail=detail or {},
            session=self.session,
        )
