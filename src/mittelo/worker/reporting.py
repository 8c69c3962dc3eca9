"""What a run came to, in the words of the hub and in a line for a person."""

from mittelo.answering.run import Answer
from mittelo.core.clipping import one_line
from mittelo.core.requests import Ack, Task
from mittelo.core.rests import Rest
from mittelo.core.tasks import Usage

ERROR_LINE = 300


def ack_of(task: Task, answer: Answer | None, rest: Rest | None) -> Ack:
    """Return how a task ended; without an answer it was cancelled before it began."""
    if answer is None or answer.stopped:
        words = "It was cancelled, and its run ended."
        return Ack(task_id=task.task_id, lease_id=task.lease_id, status="failed", error=words)
    return Ack(
        task_id=task.task_id,
        lease_id=task.lease_id,
        status="done" if answer.ok else "failed",
        result=answer.text if answer.ok else None,
        error=None if answer.ok else _error(answer),
        category=str(answer.category) if answer.category else None,
        usage=_usage(answer),
        retry_after=rest.again if rest else None,
    )


def story_of(task: Task, answer: Answer | None, rest: Rest | None) -> str:
    """Return the line that tells of a finished task."""
    name = f"task {task.task_id}"
    if answer is None or answer.stopped:
        return f"{name} cancelled"
    if answer.ok:
        where = f", kept whole in {answer.whole}" if answer.whole else ""
        return f"{name} done in {answer.seconds:.1f} s{where}{_left(answer)}"
    said = f"{name} failed in {answer.seconds:.1f} s: {one_line(answer.reason, ERROR_LINE)}"
    resting = f"; no task is taken for {_span(rest.pause)}" if rest and rest.pause else ""
    return f"{said}{_left(answer)}{resting}"


def _error(answer: Answer) -> str:
    errors = answer.errors.strip()
    return f"{answer.reason}\n\n{errors}" if errors else answer.reason


def _left(answer: Answer) -> str:
    return f"; ended what it left behind: {', '.join(answer.left)}" if answer.left else ""


def _usage(answer: Answer) -> Usage | None:
    if not answer.tokens.total and answer.cost is None:
        return None
    return Usage(
        input_tokens=answer.tokens.input,
        output_tokens=answer.tokens.output,
        cost_usd=answer.cost or 0.0,
    )


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.0f} s"
