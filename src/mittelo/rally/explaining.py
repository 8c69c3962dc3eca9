"""Why a try ended as it did, what was decided because of it, and where to look."""

import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from mittelo.config.limits import retry_budget
from mittelo.config.load import Configuration
from mittelo.config.paths import data_paths
from mittelo.core.faults import Category, Evidence
from mittelo.core.records import Outcome, RelayRecord, TryRecord
from mittelo.core.relays import END_OF_RUN
from mittelo.core.routes import Key
from mittelo.core.standings import Bench, benches_at
from mittelo.core.tries import Stop
from mittelo.errors import MitteloError, UsageError
from mittelo.rally.tailing import STDERR_SUFFIX
from mittelo.rally.unfinished import resumable
from mittelo.repo.workspace import Workspace, instant


class Out(Struct):
    """Who sits out now, why, and until when; `until` is "" when they must be called back."""

    runner: str
    why: str
    until: str


class Follows(Struct):
    """What a try means by now: for its runner, its run and its relay.

    `attempt` of `attempts` is what it was itself; `next_try` went on with its run, 0: none did.
    """

    out: list[Out]
    attempt: int
    attempts: int
    run: str
    next_try: int
    relay: str
    relay_done: int
    relay_target: int


class Trail(Struct):
    """A file that tells more, and whether it is still there."""

    what: str
    path: str
    exists: bool


class Explanation(Struct):
    """A try with all that is known of its end; `label` is its category as people read it."""

    made: TryRecord
    runner: str
    label: str
    quota_scope: str
    resets_at: str
    follows: Follows
    look: list[Trail]


def explain(workspace: Workspace, configuration: Configuration, number: int) -> Explanation:
    """Return what is known of the end of a try; 0 means the newest one."""
    tries = workspace.tries.read()
    made = _find(workspace, tries, number)
    evidence = made.evidence
    key = (made.agent_type, made.model)
    return Explanation(
        made=made,
        runner=_name(key),
        label=_label(made),
        quota_scope=configuration.quota_scope(key) if _is_shared(evidence) else "",
        resets_at=instant(evidence.resets) if evidence else "",
        follows=_follows(workspace, configuration, made, tries),
        look=_look(workspace, configuration, made),
    )


def _find(workspace: Workspace, tries: Sequence[TryRecord], number: int) -> TryRecord:
    running = workspace.run_state().active_try_id if workspace.holder() else 0
    if any(made.id == running for made in tries):
        running = 0  # it is on record, and will be forgotten in a moment
    if running and (number == running or not (number or tries)):
        raise MitteloError(
            f"Try {running} still runs: there is no verdict yet.", "See it with: rally tail"
        )
    if not tries:
        raise MitteloError("No tries are recorded here yet.", "Start one with: rally start")
    if number == 0:
        return tries[-1]
    found = next((made for made in reversed(tries) if made.id == number), None)
    if found is None:
        ids = [made.id for made in tries]
        what = f"There is no try {number}; valid range: {min(ids)}-{max(ids)}."
        raise UsageError(what, "See: rally status")
    return found


def _label(made: TryRecord) -> str:
    """Return the category in words; one of a newer version as it stands."""
    if made.ended_by == Stop.BUDGET:
        return "budget used up"
    try:
        return Category(made.category).label if made.category else ""
    except ValueError:
        return made.category


def _is_shared(evidence: Evidence | None) -> bool:
    """Tell whether it concerns all runners that share a quota."""
    if evidence is None:
        return False
    return evidence.category.is_limit or evidence.category is Category.PROVIDER_OVERLOADED


def _follows(
    workspace: Workspace, configuration: Configuration, made: TryRecord, tries: Sequence[TryRecord]
) -> Follows:
    relays = workspace.relays.read()
    relay = next((held for held in relays if held.id == made.relay_id), None)
    of_run = [t for t in tries if (t.relay_id, t.run_id) == (made.relay_id, made.run_id)]
    after = [later.id for later in of_run if later.id > made.id]
    went_on = any(t.relay_id == made.relay_id and t.run_id > made.run_id for t in tries)
    runs_now = bool(workspace.holder()) and relay is not None and relay is relays[-1]
    return Follows(
        out=_who_sits_out(workspace, configuration, made),
        attempt=made.attempt_number,
        attempts=retry_budget(configuration.settings.reliability),
        run=_run_state(of_run[-1], over=went_on or bool(relay and relay.ended_at)),
        next_try=after[0] if after else 0,
        relay=_relay_state(relay, relays, runs=runs_now),
        relay_done=relay.completed_iterations if relay else 0,
        relay_target=relay.target_iterations if relay else 0,
    )


def _who_sits_out(workspace: Workspace, configuration: Configuration, made: TryRecord) -> list[Out]:
    """Return who shares the try's quota and sits out now, its own runner first."""
    own = (made.agent_type, made.model)
    scope = configuration.quota_scope(own)
    benches = benches_at(workspace.standings.read(), time.time())
    same = [key for key in benches if key == own or configuration.quota_scope(key) == scope]
    return [_out(key, benches[key]) for key in sorted(same, key=lambda key: (key != own, key))]


def _out(key: Key, bench: Bench) -> Out:
    return Out(_name(key), bench.why, instant(bench.until))


def _name(key: Key) -> str:
    return ":".join(filter(None, key))


def _run_state(last: TryRecord, *, over: bool) -> str:
    """Return how it stands with a run, by its last try; `over`: others came after it."""
    if last.outcome.succeeded:
        return "completed"
    if over or last.decided.startswith(END_OF_RUN) or last.outcome is Outcome.HANDOFF_TIMEOUT:
        return "failed"
    return "open"


def _relay_state(relay: RelayRecord | None, relays: Sequence[RelayRecord], *, runs: bool) -> str:
    if relay is None:
        return "unknown"
    if runs:
        return "running"
    if relay.ended_how:
        return relay.ended_how
    return "unfinished" if relay is resumable(relays) else "closed"


def _look(workspace: Workspace, configuration: Configuration, made: TryRecord) -> list[Trail]:
    data = data_paths(workspace.root, configuration.settings.data_dir)
    transcript = Path(made.log_path) if made.log_path else data.transcript(made.id)
    stem = transcript.name.removesuffix(".log")
    found = {
        "transcript": transcript,
        "stderr": transcript.with_name(stem + STDERR_SUFFIX),
        "prompt": transcript.with_name(f"{stem}.prompt.md"),
        "processes": transcript.with_name(f"{stem}.netstat.jsonl"),
        "agent's log": transcript.with_name(f"{stem}.agent.log"),
        "session log": Path(made.session_log) if made.session_log else None,
        "relay log": data.relay_log(made.relay_id),
    }
    trails = [Trail(what, str(path), path.exists()) for what, path in found.items() if path]
    optional = {"prompt", "processes", "stderr", "agent's log"}
    return [trail for trail in trails if trail.exists or trail.what not in optional]
