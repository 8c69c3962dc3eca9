"""Talk to a hub from a program: one connection, one request at a time, made anew when it breaks.

A worker in ten lines:

    from mittelo.hub.client import HubClient

    with HubClient("127.0.0.1", 8765) as hub:
        while True:
            for task in hub.lease("my-worker", wait_seconds=60):
                try:
                    hub.ack(task, "done", result=answer(task.prompt))
                except Exception as error:
                    hub.ack(task, "failed", error=str(error))

What takes longer than a lease calls `hub.renew(task)` now and then, from a client of its own in
another thread, and stops when that raises `LeaseLostError`.
"""

import contextlib
import socket
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import msgspec
from msgspec import UNSET, Struct

from mittelo.core import requests as req
from mittelo.core.requests import Code, Enqueue, Task
from mittelo.core.tasks import Status, Usage
from mittelo.errors import MitteloError

if TYPE_CHECKING:
    import ssl

HOST = "127.0.0.1"
PORT = 8765
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
"""So long an answer may take beyond what the request itself waits for."""

PAUSES = (0.05, 0.2, 0.5, 1.0)
"""Between the tries of one request, when the hub is away for a moment."""

T = TypeVar("T")
_METHOD_OF = {kind: name for name, kind in req.METHODS.items()}
_ONCE_ONLY = (Enqueue, req.EnqueueMany)
"""Asked again after a lost answer, these might add tasks twice."""


class HubError(MitteloError):
    """The hub refused; `code` says what kind of refusal it is, `path` which field is wrong."""

    def __init__(self, what: str, code: str, path: str = "") -> None:
        super().__init__(what if what.endswith(".") else f"{what}.", _TODO.get(code, ""))
        self.code = code
        self.path = path


class LeaseLostError(HubError):
    """The task is somebody else's now: drop the run."""


class HubAwayError(MitteloError):
    """The hub does not answer. `sent`: it may have done what it was asked all the same."""

    def __init__(self, what: str, todo: str, *, sent: bool = False) -> None:
        super().__init__(what, todo)
        self.sent = sent


_TODO: dict[str, str] = {
    Code.UNAUTHORIZED: "Give a token of the right role: --token or MITTELO_TOKEN.",
    Code.UNAVAILABLE: "Try again in a while.",
}


class _Error(Struct):
    message: str
    code: str = ""
    path: str = ""


class _Reply(Struct):
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None


class HubClient:
    """A connection to a hub, for one thread.

    A request whose answer was lost is asked again where that can do no harm: all but an `enqueue`
    without a `dedupe_key`, and acks without a lease id.
    """

    def __init__(
        self,
        host: str = HOST,
        port: int = PORT,
        *,
        token: str = "",
        tls: "ssl.SSLContext | None" = None,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self._address = (host, port)
        self._token = token
        self._tls = tls
        self._pauses = pauses
        self._socket: socket.socket | None = None
        self._tail = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._socket:
            with contextlib.suppress(OSError):
                self._socket.close()
        self._socket = None
        self._tail = b""

    # What can be asked

    def enqueue(self, task: Enqueue | str) -> int:
        """Add a task, or a prompt, and return its id."""
        task = Enqueue(prompt=task) if isinstance(task, str) else task
        return self.call(task, req.Enqueued).task_id

    def enqueue_many(self, tasks: Sequence[Enqueue]) -> list[int]:
        """Add all of these tasks, or none, and return their ids."""
        return self.call(req.EnqueueMany(tasks=[*tasks]), req.EnqueuedMany).task_ids

    def lease(
        self,
        worker_id: str,
        *,
        max_tasks: int = 1,
        lease_seconds: float | None = None,
        wait_seconds: float = 0.0,
        backends: Sequence[str] = (),
        tags: Sequence[str] | None = None,
    ) -> list[Task]:
        """Take tasks; wait for one so long if there is none."""
        lease = req.Lease(
            worker_id=worker_id,
            max_tasks=max_tasks,
            lease_seconds=lease_seconds,
            wait_seconds=wait_seconds,
            backends=[*backends],
            tags=None if tags is None else [*tags],
        )
        return self.call(lease, req.Leased, wait_seconds).tasks

    def renew(self, task: Task, lease_seconds: float | None = None) -> req.Renewed:
        """Keep a task for longer; look whether its run should be ended."""
        renew = req.Renew(
            task_id=task.task_id, lease_id=task.lease_id or "", lease_seconds=lease_seconds
        )
        return self.call(renew, req.Renewed)

    def ack(  # noqa: PLR0913 - the fields of an ack
        self,
        task: Task,
        status: str,
        *,
        result: str | None = None,
        error: str | None = None,
        category: str | None = None,
        usage: Usage | None = None,
        retry_after: float | None = None,
        lease: req.Lease | None = None,
    ) -> list[Task]:
        """End a lease: done, failed or released; return the next tasks when `lease` asks for."""
        ack = req.Ack(
            task_id=task.task_id,
            status=status,  # type: ignore[arg-type]  # the hub looks at it
            result=result,
            error=error,
            lease_id=task.lease_id,
            category=category,
            usage=usage,
            retry_after=retry_after,
            lease=lease,
        )
        tasks = self.call(ack, req.Acked).tasks
        return [] if tasks is UNSET else tasks

    def cancel(self, task_id: int) -> req.Cancelled:
        """Cancel a task."""
        return self.call(req.Cancel(task_id=task_id), req.Cancelled)

    def retry(self, task_id: int) -> None:
        """Queue a task again that failed or was cancelled."""
        self.call(req.Retry(task_id=task_id), req.Done)

    def retry_failed(self) -> int:
        """Queue all failed tasks again, and return how many."""
        return self.call(req.RetryFailed(), req.Retried).retried

    def purge(self, days: float) -> int:
        """Forget tasks that ended more than so many days ago, and return how many."""
        return self.call(req.Purge(days=days), req.Purged).purged

    def pause(self, backend: str | None = None) -> None:
        """Hand out no more leases, or none for a backend."""
        self.call(req.Pause(backend=backend), req.Done)

    def resume(self, backend: str | None = None) -> None:
        """Hand out leases again."""
        self.call(req.Resume(backend=backend), req.Done)

    def get(self, task_id: int) -> Task:
        """Return all of a task, with its attempts."""
        return self.call(req.Get(task_id=task_id), Task)

    def list(
        self,
        status: Status | None = None,
        *,
        limit: int = req.LIST_LIMIT,
        before: int | None = None,
        brief: bool = False,
    ) -> req.Listed:
        """Return tasks, newest first; `before` the `next` of the page before."""
        asked = req.List(status=status, limit=limit, before=before, brief=brief)
        return self.call(asked, req.Listed)

    def stats(self) -> req.Counted:
        """Count the tasks."""
        return self.call(req.Stats(), req.Counted)

    def events(
        self, after: int | None = None, *, limit: int = 100, wait_seconds: float = 0.0
    ) -> req.Events:
        """Return what happened after an event number."""
        asked = req.Follow(after=after, limit=limit, wait_seconds=wait_seconds)
        return self.call(asked, req.Events, wait_seconds)

    def workers(self) -> "Sequence[req.Worker]":
        """Return who works."""
        return self.call(req.Workers(), req.Working).workers

    def shutdown(self) -> None:
        """End the hub."""
        self.call(req.Shutdown(), req.Done)

    # How it is asked

    def call(self, request: req.Request, kind: type[T], wait_seconds: float = 0.0) -> T:
        """Ask the hub, and return its answer; raises `HubError` or `HubAwayError`."""
        line = _line(request)
        for pause in self._pauses:
            try:
                return self._ask(line, kind, wait_seconds)
            except HubAwayError as error:
                if error.sent and not _is_harmless(request):
                    raise
            time.sleep(pause)
        return self._ask(line, kind, wait_seconds)

    def _ask(self, line: bytes, kind: type[T], wait_seconds: float) -> T:
        if self._socket and not self._tls and _is_stale(self._socket):
            self.close()
        if self._socket is None:
            self._connect()
        return self._exchange(line, kind, ANSWER_SECONDS + wait_seconds)

    def _connect(self) -> None:
        host, port = self._address
        try:
            raw = socket.create_connection((_name(host), port), timeout=CONNECT_SECONDS)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wrap = self._tls.wrap_socket if self._tls else None
            self._socket = wrap(raw, server_hostname=host) if wrap else raw
        except OSError as error:
            if self._tls and _is_distrust(error):
                raise MitteloError(
                    f"The hub at {host}:{port} is not to be trusted: {error}.",
                    "Name the certificate that it must show, or whose signature, with --tls-ca.",
                ) from error
            raise HubAwayError(
                f"No hub answers at {host}:{port} ({error.strerror or error}).",
                "Start one with `mittelo hub`, or name another with --host and --port.",
            ) from error
        if self._token:
            hello = msgspec.json.encode(req.Hello(token=self._token, client="mittelo"))
            line = b'{"id":0,"method":"hello","params":%b}\n' % hello
            self._exchange(line, req.Greeting, ANSWER_SECONDS)

    def _exchange(self, line: bytes, kind: type[T], patience: float) -> T:
        sent = False
        try:
            if self._socket is None:
                raise ConnectionResetError
            self._socket.settimeout(patience)
            self._socket.sendall(line)
            sent = True
            answer = self._read_line()
        except OSError as error:
            self.close()
            raise HubAwayError(
                f"The connection to the hub broke ({error.strerror or 'closed'}).",
                "It may have done what it was asked: look with `mittelo stats`.",
                sent=sent,
            ) from error
        return self._understand(answer, kind)

    def _read_line(self) -> bytes:
        pieces = [self._tail]
        while b"\n" not in pieces[-1]:
            piece = self._socket.recv(1 << 18) if self._socket else b""
            if not piece:
                raise ConnectionResetError
            pieces.append(piece)
        line, _, self._tail = b"".join(pieces).partition(b"\n")
        return line

    def _understand(self, line: bytes, kind: type[T]) -> T:
        try:
            reply = msgspec.json.decode(line, type=_Reply)
            if reply.error is None:
                return msgspec.json.decode(reply.result, type=kind)
        except (ValueError, RecursionError) as error:
            self.close()
            host, port = self._address
            raise MitteloError(
                f"What answers at {host}:{port} is no hub, or one of another kind: {error}.",
                "Name the hub with --host and --port.",
            ) from error
        failed = reply.error
        raise_as = LeaseLostError if failed.code == Code.LEASE_LOST else HubError
        raise raise_as(failed.message, failed.code, failed.path)


def _name(host: str) -> str:
    """Return a host as bytes where they say all: as text it costs the codec of foreign names."""
    return cast("str", host.encode()) if host.isascii() else host


def _line(request: req.Request) -> bytes:
    method, params = _METHOD_OF[type(request)].encode(), msgspec.json.encode(request)
    return b'{"id":1,"method":"%b","params":%b}\n' % (method, params)


def _is_harmless(request: Any) -> bool:  # noqa: ANN401 - any request
    """Tell whether asking twice changes no more than asking once."""
    if isinstance(request, req.Ack):
        return request.lease_id is not None
    return not isinstance(request, _ONCE_ONLY) or bool(getattr(request, "dedupe_key", None))


def _is_stale(connection: socket.socket) -> bool:
    """Tell whether the hub has closed a connection, as far as one can see without asking."""
    try:
        connection.setblocking(False)
        return not connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _is_distrust(error: OSError) -> bool:
    import ssl  # noqa: PLC0415 - it takes longer than all the rest, and few need it

    return isinstance(error, ssl.SSLError)


def client_tls(authorities: str | None) -> "ssl.SSLContext":
    """Return how to look at a hub's certificate: by the system's authorities, or those named."""
    import ssl  # noqa: PLC0415 - as above

    try:
        return ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise MitteloError(
            f"{authorities}: {error.strerror or error}.", "Name a PEM file with --tls-ca."
        ) from error
