"""What stands at which address: each route is a request of the hub's, and nothing more."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from mittelo.core import requests as req
from mittelo.core.requests import Code, Refusal, Request, Result
from mittelo.core.tasks import task_of
from mittelo.hub.rest.problems import Refused

ID = "{id:str}"
_NAME_OF = {kind: name for name, kind in req.METHODS.items()}


def _nothing(_id: str) -> dict[str, Any]:
    return {}


def _task(given: str) -> dict[str, Any]:
    return {"task_id": given}


def _lease(given: str) -> dict[str, Any]:
    task_id = task_of(given)
    if task_id is None:
        raise Refused(Refusal("There is no such lease.", Code.NOT_FOUND, "id"))
    return {"task_id": task_id, "lease_id": given}


class Health(Struct, frozen=True):
    """How the hub is. `store` is `ok` or `unavailable`."""

    ok: bool
    version: str
    store: str


class Route(Struct, frozen=True):
    """An address, what is asked there, and what is answered.

    `also` is asked instead when the body holds `tasks`. `of_id` says what the id in the address
    stands for. `renamed` gives fields another name in the query. `codes` may be refused with.
    """

    method: Literal["GET", "POST"]
    path: str
    asks: type[Request]
    answers: type[Result]
    status: int = 200
    also: type[Request] | None = None
    also_answers: type[Result] | None = None
    of_id: Callable[[str], dict[str, Any]] = _nothing
    in_path: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = {}
    codes: tuple[Code, ...] = ()

    @property
    def name(self) -> str:
        """Return the name of the method that it stands for."""
        return _NAME_OF[self.asks]

    @property
    def fields(self) -> tuple[msgspec.structs.FieldInfo, ...]:
        """Return what is given in the query or in the body."""
        return tuple(f for f in msgspec.structs.fields(self.asks) if f.name not in self.in_path)

    @property
    def has_body(self) -> bool:
        """Tell whether a body is read."""
        return self.method == "POST" and bool(self.fields)

    @property
    def needs_body(self) -> bool:
        """Tell whether an empty body is not enough."""
        return self.has_body and any(field.required for field in self.fields)


_OF_TASK: dict[str, Any] = {"of_id": _task, "in_path": frozenset({"task_id"})}
_OF_LEASE: dict[str, Any] = {"of_id": _lease, "in_path": frozenset({"task_id", "lease_id"})}
_GONE = (Code.NOT_FOUND,)
_TOO_LATE = (Code.NOT_FOUND, Code.CONFLICT)
_LOST = (Code.NOT_FOUND, Code.CONFLICT, Code.LEASE_LOST)

ROUTES: tuple[Route, ...] = (
    Route("GET", "/stats", req.Stats, req.Counted),
    Route("GET", "/tasks", req.List, req.Listed, renamed={"before": "cursor"}),
    Route(
        "POST",
        "/tasks",
        req.Enqueue,
        req.Enqueued,
        status=201,
        also=req.EnqueueMany,
        also_answers=req.EnqueuedMany,
        codes=_GONE,
    ),
    Route("GET", f"/tasks/{ID}", req.Get, req.Task, codes=_GONE, **_OF_TASK),
    Route("POST", f"/tasks/{ID}/cancel", req.Cancel, req.Cancelled, codes=_TOO_LATE, **_OF_TASK),
    Route("POST", f"/tasks/{ID}/retry", req.Retry, req.Done, codes=_TOO_LATE, **_OF_TASK),
    Route("POST", "/tasks/retry_failed", req.RetryFailed, req.Retried),
    Route("POST", "/tasks/purge", req.Purge, req.Purged),
    Route("POST", "/leases", req.Lease, req.Leased),
    Route("POST", f"/leases/{ID}/renew", req.Renew, req.Renewed, codes=_LOST, **_OF_LEASE),
    Route("POST", f"/leases/{ID}/ack", req.Ack, req.Acked, codes=_LOST, **_OF_LEASE),
    Route("GET", "/workers", req.Workers, req.Working),
    Route("POST", "/pause", req.Pause, req.Done),
    Route("POST", "/resume", req.Resume, req.Done),
    Route("POST", "/shutdown", req.Shutdown, req.Done),
)

EVENTS = Route("GET", "/events", req.Follow, req.Events)
"""It is answered by a stream, unless somebody asks for JSON."""
