"""Put on record what a relay that was killed could not: the try that was running then."""

import shutil
import time

from mittelo.config.load import Configuration
from mittelo.config.paths import DataPaths
from mittelo.core.clipping import clip
from mittelo.core.records import Handoff, Outcome, RunState, TryRecord
from mittelo.core.relays import END_OF_RUN
from mittelo.core.signs import Reading
from mittelo.harness.base import Job, Stream
from mittelo.proc.listening import Listener
from mittelo.proc.ownlog import find_log
from mittelo.proc.survey import end_marked, wait_for_keeper
from mittelo.rally.permitting import environment_for, permit_for
from mittelo.rally.progress import SUMMARY_BUDGET
from mittelo.rally.trying import mark_of
from mittelo.repo.work import Result, Work
from mittelo.repo.workspace import Workspace, now

SETTLE_SECONDS = 0.2
"""What was written so shortly after the agent was gone is still its own."""

REASON = "rally ended during this try"


def recover(workspace: Workspace, configuration: Configuration, data: DataPaths) -> None:
    """Record an unfinished try as interrupted, with the session that its transcript names."""
    state = workspace.run_state()
    if not state.active_try_id:
        return
    mark = mark_of(data, state.active_try_id)
    ended_by_us = end_marked(mark)
    wait_for_keeper(mark)
    seen_alive = time.time() if ended_by_us else 0.0
    if all(made.id != state.active_try_id for made in workspace.tries.read()):
        reading = _reread(state, configuration, data)
        until = max(seen_alive, _last_sign_of_life(data, state)) + SETTLE_SECONDS
        work = Work(workspace, data)
        result = work.adopt(state.run_id, state.active_head, until)
        made = _record(workspace, configuration, data, state, reading, result)
        if handoff := _handoff(workspace, state):
            _hand_off(made, handoff, result)
            work.owe()
        workspace.tries.append(made)
        if handoff:
            workspace.forget_run_state()
            return
    with workspace.changing():
        state.active_try_id, state.active_log_path, state.active_started_at = 0, "", ""
        workspace.save_run_state(state)


def _handoff(workspace: Workspace, state: RunState) -> Handoff | None:
    """Return how the agent of a try that was cut off handed off its lap, None if it did not."""
    if state.pinned_lap_id in {"", *state.recorded_laps}:
        return None
    entries = [entry for entry in workspace.summary.read() if entry.run_id == state.run_id]
    since = state.active_started_at
    handoffs = [entry.handoff for entry in entries if entry.updated_at >= since]
    return next((handoff for handoff in reversed(handoffs) if handoff), None)


def _hand_off(made: TryRecord, handoff: Handoff, result: Result) -> None:
    """Let a try that was cut off count as handed off."""
    made.outcome, made.completed, made.decided = Outcome.HANDOFF_REQUESTED, True, END_OF_RUN
    made.created_laps, made.dirty_handoff = handoff.created_lap_ids, result.is_left


def _reread(state: RunState, configuration: Configuration, data: DataPaths) -> Reading:
    harness = configuration.harnesses.get(state.active_agent)
    if not harness:
        return Reading()
    number = state.active_try_id
    paths = {
        Stream.OUT: str(data.transcript(number)),
        Stream.ERR: str(data.errors(number)),
        Stream.LOG: harness.command(Job(prompt="", scratch=str(data.scratch(number)))).log,
    }
    listener = Listener(harness, paths)
    listener.read_rest()
    shutil.rmtree(data.scratch(number), ignore_errors=True)
    return listener.reading


def _own_log(
    workspace: Workspace,
    configuration: Configuration,
    data: DataPaths,
    state: RunState,
    session: str,
) -> str:
    """Return where the CLI's own log of the try lies, which may be in a home of its own."""
    harness = configuration.harnesses.get(state.active_agent)
    relays = [relay for relay in workspace.relays.read() if relay.id == state.active_relay_id]
    if not harness or not relays:
        return ""
    permit = permit_for(relays[0], configuration.settings.sandbox)
    env = environment_for(permit, harness, data, workspace.repository)
    return find_log(harness, session, str(workspace.root), env)


def _last_sign_of_life(data: DataPaths, state: RunState) -> float:
    try:
        return data.transcript(state.active_try_id).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _record(
    workspace: Workspace,
    configuration: Configuration,
    data: DataPaths,
    state: RunState,
    reading: Reading,
    result: Result,
) -> TryRecord:
    session = reading.session or state.session_id
    return TryRecord(
        id=state.active_try_id,
        run_id=state.active_run_id,
        relay_id=state.active_relay_id,
        agent_type=state.active_agent,
        model=state.active_model,
        resolved_model=reading.model,
        effort=state.active_effort,
        role=state.active_role,
        lap_id=state.pinned_lap_id,
        lap_title=state.pinned_lap_title,
        assignee=state.pinned_assignee,
        laps_completed=state.recorded_laps,
        mark=state.active_mark,
        completed=False,
        outcome=Outcome.INTERRUPTED,
        summary=clip(reading.final or REASON, SUMMARY_BUDGET),
        remaining_work="",
        files_changed=result.files if workspace.repository else [*reading.files],
        commit_hash=result.commit,
        commit_history=result.history,
        started_at=state.active_started_at,
        ended_at=now(),
        attempt_number=state.active_attempt,
        log_path=state.active_log_path,
        session_id=session,
        session_log=_own_log(workspace, configuration, data, state, session),
        resumed_session=state.active_resumed_session,
        fail_reason=REASON,
        tool_calls=reading.tool_calls,
        tokens=reading.tokens if reading.tokens.total else None,
        cost_usd=reading.cost,
    )
