"""What a rule works with: a connection, and tasks that nobody else is given."""

import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mittelo.conformance.talk import BrokenRuleError, Place, Talk, expect

FIRST = 999_999_000
"""The priority of our tasks: above whatever else lies in the queue."""


class SkipError(Exception):
    """A rule cannot be tried on this hub; the message says why."""


@dataclass(frozen=True)
class Hub:
    """The hub as we found it. `quiet`: nobody else has tasks there that wait, or works."""

    place: Place
    mark: str
    quiet: bool
    failed: int

    def talk(self) -> Talk:
        """Open another connection."""
        return Talk(self.place)


@dataclass
class Bench:
    """One rule's own corner of the hub: a backend, and a worker of its own."""

    hub: Hub
    talk: Talk
    added: list[int] = field(default_factory=list)
    given: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.backend = f"{self.hub.mark}-{secrets.token_hex(3)}"
        self.worker = f"{self.backend}-worker"

    def must_be_alone(self) -> None:
        """Skip the rule where a lease may bring tasks of others, and end what waits for ours."""
        if not self.hub.quiet:
            raise SkipError("the hub has other tasks or workers")

    def fields(self, prompt: str = "conformance", **fields: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return the params of an enqueue of ours; priorities count from ours."""
        priority = FIRST + fields.pop("priority", 0)
        own = {"prompt": prompt, "backend": self.backend, "tags": [self.hub.mark]}
        return {**own, "priority": priority, **fields}

    def add(self, prompt: str = "conformance", **fields: Any) -> int:  # noqa: ANN401 - any field
        """Enqueue a task of ours, and return its id."""
        found = self.talk.call("enqueue", **self.fields(prompt, **fields))
        return self.note(found)

    def note(self, enqueued: Any) -> int:  # noqa: ANN401 - whatever the hub said
        """Remember a task to be ended afterwards."""
        task_id = enqueued.get("task_id") if isinstance(enqueued, dict) else None
        if type(task_id) is not int:
            raise BrokenRuleError(f"the task_id of an enqueue is {task_id!r}, no integer")
        self.added.append(task_id)
        return task_id

    def take(self, talk: Talk | None = None, **params: Any) -> list[dict[str, Any]]:  # noqa: ANN401
        """Lease as our worker."""
        if "wait_seconds" in params:
            self.must_be_alone()
        asked = {"worker_id": self.worker, "backends": [self.backend], **params}
        return self.keep((talk or self.talk).call("lease", **asked))

    def keep(self, leased: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - whatever the hub said
        """Remember what was leased; what is not ours goes back at once."""
        tasks = self.remember(leased)
        for task in tasks:
            if task.get("task_id") not in self.added:
                self._release(task)
        return [task for task in tasks if task.get("task_id") in self.added]

    def remember(self, leased: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - as above
        """Remember what was leased, so that it is given back afterwards."""
        tasks = leased.get("tasks") if isinstance(leased, dict) else None
        if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
            raise BrokenRuleError(f"the tasks of a lease are {str(tasks)[:80]}, no list of tasks")
        self.given += tasks
        return tasks

    def one(self, **params: Any) -> dict[str, Any]:  # noqa: ANN401 - any param
        """Lease exactly one task."""
        tasks = self.take(**params)
        expect(len(tasks) == 1, f"a lease of one task brought {len(tasks)}")
        return tasks[0]

    def new(self, prompt: str = "conformance", **fields: Any) -> dict[str, Any]:  # noqa: ANN401
        """Enqueue a task and lease it."""
        seconds = fields.pop("lease_seconds", 60)
        self.add(prompt, **fields)
        return self.one(lease_seconds=seconds)

    def ack(self, task: dict[str, Any], status: str, **params: Any) -> Any:  # noqa: ANN401
        """End a lease."""
        lease = {"task_id": task["task_id"], "lease_id": task["lease_id"]}
        return self.talk.call("ack", status=status, **lease, **params)

    def get(self, task_id: int) -> Any:  # noqa: ANN401 - any JSON
        """Return a task."""
        return self.talk.call("get", task_id=task_id)

    def is_now(self, task_id: int, status: str) -> None:
        """Expect a status of a task."""
        found = self.get(task_id)["status"]
        expect(found == status, f"the task is {found}, not {status}")

    def clear(self) -> None:
        """End what is left of our tasks."""
        with suppress(OSError, BrokenRuleError, KeyError, TypeError), self.hub.talk() as talk:
            self.talk = talk
            for task_id in self.added:
                if self.get(task_id)["status"] == "failed":  # so that `retry_failed` leaves it be
                    self._try("retry", task_id)
                self._try("cancel", task_id)
            for task in self.given:
                self._release(task)

    def _try(self, method: str, task_id: int) -> None:
        self.talk.ask(method, task_id=task_id)
        self.talk.reply()

    def _release(self, task: dict[str, Any]) -> None:
        lease = {"task_id": task.get("task_id"), "lease_id": task.get("lease_id")}
        self.talk.ask("ack", status="released", **lease)
        self.talk.reply()
