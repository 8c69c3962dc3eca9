"""What is written down: one Struct for each kind of line under `.rally/`.

Fields that a reader may rely on are always written; the rest is left out when empty. `v` is the
version of the line's shape. Instants are RFC 3339 in UTC with seconds.
"""

from enum import StrEnum

from msgspec import Struct, field

from mittelo.core.faults import Evidence
from mittelo.core.signs import Tokens

VERSION = 1


def _version() -> int:
    """Return the version as a factory: a plain default would be left out when written."""
    return VERSION


class Outcome(StrEnum):
    """How a try ended."""

    COMPLETED = "completed"
    HANDOFF_REQUESTED = "handoff_requested"
    RUN_TIMEOUT = "run_timeout"
    HANDOFF_TIMEOUT = "handoff_timeout"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"

    @property
    def succeeded(self) -> bool:
        """Tell whether a run that ends so counts towards its relay's target."""
        return self in {Outcome.COMPLETED, Outcome.HANDOFF_REQUESTED}

    @property
    def open_ended(self) -> bool:
        """Tell whether the run was cut off from outside and may go on in a later relay."""
        return self in {Outcome.INTERRUPTED, Outcome.CANCELLED}


class LaneMark(Struct, omit_defaults=True, kw_only=True):
    """Where the scheduler stood when a try began.

    `lane` names the lane, `of` stands for its entries: for others this does not hold.
    """

    of: str
    lane: str = ""
    entry: int
    choice: int = 0
    picks: int = 1
    failed: list[tuple[int, int]] = []
    cursors: dict[int, int] = {}
    failures: int = 0
    fruitless: int = 0
    spent: int = 1


class TryRecord(Struct, omit_defaults=True, kw_only=True):
    """One invocation of an agent CLI, in `.rally/state/tries.jsonl`.

    `ended_by` tells why we ended it ourselves, "" when it exited. `lap_id` is the lap that its run
    worked, `laps_completed` are those that the agent finished, `created_laps` those that its
    handoff made. `dirty_handoff`: it left changes of its own uncommitted. `classification` is what
    a recovery run found.
    """

    v: int = field(default_factory=_version)
    id: int
    run_id: int
    relay_id: int
    agent_type: str
    model: str = ""
    resolved_model: str = ""
    effort: str = ""
    completed: bool
    outcome: Outcome
    cancellation_source: str = ""
    role: str = ""
    summary: str
    remaining_work: str
    files_changed: list[str]
    commit_hash: str
    commit_history: list[str] = []
    started_at: str
    ended_at: str
    attempt_number: int
    log_path: str = ""
    session_id: str = ""
    resumed_session: str = ""
    session_log: str = ""
    fail_reason: str = ""
    category: str = ""
    evidence: Evidence | None = None
    decided: str = ""
    ended_by: str = ""
    handoff_only: bool = False
    lap_id: str = ""
    lap_title: str = ""
    assignee: str = ""
    laps_completed: list[str] = []
    created_laps: list[str] = []
    dirty_handoff: bool = False
    classification: str = ""
    tree: str = ""
    mark: LaneMark | None = None
    exit_code: int | None = None
    runtime_ms: int = 0
    tool_calls: int = 0
    tokens: Tokens | None = None
    cost_usd: float | None = None


class RelayRecord(Struct, omit_defaults=True, kw_only=True):
    """One relay, in `.rally/state/relays.jsonl`; the file is rewritten when one changes.

    `queue`: its runs work the laps of the repository. `policy`: what they may do, if asked for.
    """

    v: int = field(default_factory=_version)
    id: int
    target_iterations: int
    completed_iterations: int
    agent_mix: str
    prompt: str = ""
    role: str = ""
    effort: str = ""
    require_changes: bool = True
    queue: bool = False
    policy: str = ""
    sandboxed: bool = False
    started_at: str
    ended_at: str = ""
    ended_how: str = ""
    ended_why: str = ""
    first_try_id: int = 0
    last_try_id: int = 0
    consumed_message_ids: list[int] = []


class MessageRecord(Struct, omit_defaults=True, kw_only=True):
    """One message of the inbox, in `.rally/state/messages.jsonl`."""

    v: int = field(default_factory=_version)
    id: int
    body: str
    status: str = field(default_factory=lambda: "pending")
    position: int
    scope: str = field(default_factory=lambda: "run")
    created_at: str
    updated_at: str
    relay_id: int = 0
    consumed_by_run_id: int = 0
    consumed_by_relay_id: int = 0


class Handoff(Struct, kw_only=True):
    """What a run hands to the next: why it stopped, and what should follow."""

    summary: str
    followups: list[str] = []
    created_lap_ids: list[str] = []


class SummaryRecord(Struct, omit_defaults=True, kw_only=True):
    """The digest of one finalized run, in `.rally/summary.jsonl`, which git tracks.

    `laps_completed` are the laps that a run of a queue finished, or the word `none`.
    """

    v: int = field(default_factory=_version)
    run_id: str
    summary: str
    classification: str = ""
    followups: list[str] = []
    laps_completed: list[str] | str = ""
    handoff: Handoff | None = None
    updated_at: str


class LapAttempt(Struct, kw_only=True):
    """That a run's agent finished a lap, or began to hand it off, and when."""

    lap: str
    at: str


class RunState(Struct, omit_defaults=True, kw_only=True):
    """The run that is going on, in `.rally/state/run-state.json`; shared by processes.

    `pinned_lap_id` is the lap that the run works, and `laps_session` the session that claimed it.
    `recorded_laps` are those that its agent finished; `handoff_state` is 1 from `laps handoff`
    until the wrapup.
    """

    v: int = field(default_factory=_version)
    run_id: str = ""
    session_id: str = ""
    finalized: bool = False
    pinned_lap_id: str = ""
    pinned_lap_title: str = ""
    pinned_assignee: str = ""
    laps_session: str = ""
    recorded_laps: list[str] = []
    laps_attempted: list[LapAttempt] = []
    handoff_state: int = 0
    active_relay_id: int = 0
    active_run_id: int = 0
    active_try_id: int = 0
    active_attempt: int = 0
    active_agent: str = ""
    active_model: str = ""
    active_effort: str = ""
    active_role: str = ""
    active_resumed_session: str = ""
    active_head: str = ""
    active_mark: LaneMark | None = None
    active_log_path: str = ""
    active_started_at: str = ""


class CommitRecord(Struct, kw_only=True):
    """A commit that rally made, in `.rally/state/commits.jsonl`: only those are ever amended."""

    v: int = field(default_factory=_version)
    hash: str
    made_at: str
