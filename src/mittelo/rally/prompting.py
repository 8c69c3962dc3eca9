"""Gather what a prompt is made of."""

from collections.abc import Sequence
from pathlib import Path

from mittelo.config.load import Configuration
from mittelo.config.schema import Settings
from mittelo.core.prompts import GENERIC_TASK, RecentLimits, Sources, assemble, assemble_handoff
from mittelo.core.records import MessageRecord, Outcome, RelayRecord, TryRecord
from mittelo.core.relays import StartTry
from mittelo.errors import UsageError
from mittelo.harness.base import Harness
from mittelo.log import warn
from mittelo.rally.assignment import Assignment
from mittelo.rally.inbox import Inbox
from mittelo.rally.roles import role_text
from mittelo.repo.work import Work
from mittelo.repo.workspace import Workspace

MAX_TASK_BYTES = 1_000_000
HEADROOM = 4_000
"""Bytes that a prompt needs around its task, where a harness takes few."""


class PromptMaker:
    """Writes the prompts of one relay; instructions and role are read once, at its start."""

    def __init__(self, workspace: Workspace, settings: Settings, relay: RelayRecord) -> None:
        self._relay = relay
        self._limits = _recent_limits(settings)
        self._inbox = Inbox(workspace)
        self._instructions = _instructions(workspace, settings, queue=relay.queue)
        self._agents = workspace.paths.agents
        self._role_texts: dict[str, str] = {}
        self._task = (
            ""
            if relay.queue
            else relay.prompt or _prompt_file(workspace.root, settings) or GENERIC_TASK
        )
        self._relay_message = self._inbox.serve_relay(relay.id)
        self._run_message: MessageRecord | None = None

    def begin_run(self, run: int) -> None:
        """Take the message of a new run; it stays the same for all its attempts."""
        self._run_message = self._inbox.serve_run(self._relay.id, run)

    def make(
        self,
        start: StartTry,
        given: Assignment,
        harness: Harness,
        tries: Sequence[TryRecord],
        work: Work,
    ) -> str:
        """Return the prompt of a try."""
        mine = [made for made in tries if made.relay_id == self._relay.id]
        same_run = [made for made in mine if made.run_id == start.run]
        message = self._run_message
        put_together = assemble_handoff if start.handoff_only else assemble
        return put_together(
            Sources(
                agent=harness.name,
                task=self._task,
                run=start.run,
                target=self._relay.target_iterations,
                instructions=self._instructions,
                role=given.role,
                role_text=self._role_text(given.role),
                leftover=work.leftover,
                relay_message=self._message_for_relay(),
                run_message=message.body if message else "",
                run_message_id=message.id if message else 0,
                previous=_previous(same_run),
                recent=mine,
                recent_limits=self._limits,
                resumed=bool(start.session),
                require_changes=self._relay.require_changes,
                budget=harness.prompt_limit,
                lap=given.lap,
                incomplete=bool(same_run) and same_run[-1].outcome is Outcome.INCOMPLETE,
            )
        )

    def _message_for_relay(self) -> str:
        """Return what goes with every run; where those work laps, the prompt of the relay too."""
        message = self._relay_message.body if self._relay_message else ""
        prompt = self._relay.prompt if self._relay.queue else ""
        return "\n\n".join(filter(None, [prompt, message]))

    def _role_text(self, role: str) -> str:
        if role not in self._role_texts:
            self._role_texts[role] = role_text(self._agents, role) if role else ""
        return self._role_texts[role]


def check_task(text: str, source: str) -> str:
    """Return a task's text, or complain of what no agent could be given."""
    if "\0" in text:
        raise UsageError(
            f"{source} contains a NUL character at position {text.index(chr(0))}.",
            "Take it out: no agent CLI takes one.",
        )
    broken = next((i for i, letter in enumerate(text) if "\ud800" <= letter <= "\udfff"), None)
    if broken is not None:
        raise UsageError(
            f"{source} is not valid Unicode: there is half a character at position {broken}.",
            "Save it as UTF-8, then try again.",
        )
    size = len(text.encode())
    if size > MAX_TASK_BYTES:
        raise UsageError(
            f"{source} has {size:,} bytes; agents take at most {MAX_TASK_BYTES:,}.",
            "Put the long part into a file in the repository, and name the file in the prompt.",
        )
    return text


def check_fits(task: str, harness: Harness) -> None:
    """Complain of a task that a harness of the mix cannot be given whole."""
    size = len(task.encode())
    if size + HEADROOM > harness.prompt_limit:
        raise UsageError(
            f"The prompt has {size:,} bytes; {harness.name} takes it as an argument of at most "
            f"{harness.prompt_limit - HEADROOM:,}.",
            "Put the long part into a file in the repository, and name the file in the prompt.",
        )


def check_lane(task: str, names: set[str], configuration: Configuration) -> None:
    """Complain of a task that does not fit every harness of a mix."""
    for name in sorted(names):
        check_fits(task, configuration.harnesses[name])


def _task(workspace: Workspace, settings: Settings, prompt: str) -> str:
    return prompt or _prompt_file(workspace.root, settings) or GENERIC_TASK


def _instructions(workspace: Workspace, settings: Settings, *, queue: bool) -> str:
    """Return the project's instructions; for laps, `[laps] instructions_file` takes their place."""
    own = _read(workspace.paths.instructions)
    if not queue or not settings.laps.instructions_file:
        return own
    path = workspace.root / Path(settings.laps.instructions_file).expanduser()
    try:
        return path.read_text(encoding="utf-8", errors="replace").replace("\0", "")
    except OSError as error:
        warn(f"{path} cannot be read ({error.strerror}); .rally/instructions.md is used.")
        return own


def _recent_limits(settings: Settings) -> RecentLimits:
    given = settings.reliability
    count = given.recent_try_count if given.recent_try_count > 0 else RecentLimits().count
    return RecentLimits(count, given.recent_try_char_limit, given.recent_context_char_limit)


def _previous(same_run: list[TryRecord]) -> str:
    if not same_run:
        return ""
    last = same_run[-1]
    why = last.fail_reason or last.outcome
    return f"How it ended: {why}. Its last words:\n\n{last.summary}"


def _prompt_file(root: Path, settings: Settings) -> str:
    if not settings.free_run.prompt_file:
        return ""
    path = root / Path(settings.free_run.prompt_file).expanduser()
    text = _read(path)
    if not text.strip():
        raise UsageError(
            f"free_run.prompt_file {path} is missing or empty.",
            "Write the task into it, give one on the command line, or unset it.",
        )
    return check_task(text, str(path))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").replace("\0", "")
    except FileNotFoundError:
        return ""
