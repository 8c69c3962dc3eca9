"""What requests mean in the words of the rules: a new task, a taker of leases, an ending."""

from collections.abc import Collection

from mittelo.core.requests import Ack, Code, Enqueue, Lease, Refusal
from mittelo.core.tasks import Ending, Head, No, Status, Taker, canonical


def admit(request: Enqueue, task_id: int, owner: str, blocked: int, now: float) -> Head:
    """Return a new task; `blocked` counts the tasks that it waits for."""
    later = request.not_before
    return Head(
        id=task_id,
        status=Status.QUEUED,
        priority=request.priority,
        backend=request.backend or "",
        tags=canonical(request.tags),
        created_at=now,
        updated_at=now,
        not_before=later if later is not None and later > now else None,
        blocked=blocked,
        max_attempts=request.max_attempts,
        timeout_seconds=request.timeout_seconds,
        owner=owner,
        dedupe_key=request.dedupe_key,
    )


def taker(request: Lease, connection: int, default_seconds: float, salt: str) -> Taker:
    """Return who takes a lease."""
    given = request.lease_seconds
    seconds = default_seconds if given is None else given
    return Taker(request.worker_id, connection, seconds, salt)


def ending(request: Ack, connection: int, workers: Collection[str]) -> Ending:
    """Return how a worker says that its lease ended; `workers` are the names it leased under."""
    return Ending(
        status=request.status,
        lease_id=request.lease_id,
        connection=connection,
        workers=[*workers, request.worker_id] if request.worker_id else workers,
        result=request.result,
        error=request.error,
        category=request.category,
        usage=request.usage,
        retry_after=request.retry_after,
    )


def refusal(no: No) -> Refusal:
    """Return a decision against a request as clients see it."""
    return Refusal(no.message, Code(no.why))


def no_task(task_id: int) -> Refusal:
    """Return the refusal of a request about a task that is not there."""
    return Refusal(f"There is no task {task_id}.", Code.NOT_FOUND, "task_id")
