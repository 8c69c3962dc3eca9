"""Make the record of a try: of one that ended, and of one that was cut off."""

from collections.abc import Sequence

from mittelo.core.clipping import clip, printable
from mittelo.core.lapruns import RECOVERY, recorded_classification
from mittelo.core.records import Outcome, TryRecord
from mittelo.core.relays import StartTry
from mittelo.proc.ownlog import find_log
from mittelo.proc.transcript import tail
from mittelo.rally.assignment import Assignment
from mittelo.rally.progress import SUMMARY_BUDGET
from mittelo.rally.purse import tokens_before
from mittelo.rally.trying import Ground, Tried
from mittelo.repo.work import Result
from mittelo.repo.workspace import now

SAID_BUDGET = 1000
TITLE_BUDGET = 300
MAX_FILES = 50_000


def summary_of(ground: Ground, start: StartTry, tried: Tried) -> str:
    """Return the words that stand for a try: the agent's own digest comes first.

    Where a CLI writes events, its raw output says nothing to a person.
    """
    if tried.progress:
        return tried.progress.summary
    if answer := tried.supervised.answer.strip():
        return answer
    harness = ground.configuration.harnesses[start.runner.harness]
    raw = printable(tail(ground.data.transcript(tried.try_id)).decode(errors="replace")).strip()
    if raw and not harness.needs_end:
        cut = len(raw) > SAID_BUDGET
        return ("... [tail truncated] ...\n" if cut else "") + raw[-SAID_BUDGET:]
    return tried.verdict.reason or "(agent produced no final summary)"


def record_of(
    ground: Ground,
    given: Assignment,
    start: StartTry,
    tried: Tried,
    result: Result,
    earlier: Sequence[TryRecord],
) -> TryRecord:
    """Return the record of a try that ended; `earlier` are the relay's tries before it."""
    reading = tried.supervised.reading
    harness = ground.configuration.harnesses[start.runner.harness]
    root = str(ground.workspace.root)
    used = reading.tokens - tokens_before(harness, start.session, earlier)
    return TryRecord(
        id=tried.try_id,
        run_id=start.run,
        relay_id=ground.relay.id,
        agent_type=start.runner.harness,
        model=start.runner.model,
        resolved_model=reading.model,
        effort=start.runner.effort,
        completed=tried.verdict.outcome.succeeded,
        outcome=tried.verdict.outcome,
        cancellation_source=tried.verdict.cancelled_by,
        role=given.role,
        lap_id=given.lap.id if given.lap else "",
        lap_title=clip(given.lap.line, TITLE_BUDGET) if given.lap else "",
        assignee=given.lap.assignee if given.lap else "",
        laps_completed=tried.laps,
        created_laps=_created(tried),
        dirty_handoff=bool(given.lap) and result.is_left and _handed_off(tried),
        classification=_classification(given, tried),
        summary=clip(printable(summary_of(ground, start, tried)), SUMMARY_BUDGET),
        remaining_work=clip("\n".join(_followups(tried)), SUMMARY_BUDGET),
        files_changed=result.files[:MAX_FILES],
        commit_hash=result.commit,
        commit_history=result.history,
        started_at=tried.began,
        ended_at=now(),
        attempt_number=start.attempt,
        log_path=str(ground.data.transcript(tried.try_id)),
        session_id=reading.session,
        resumed_session=start.session,
        session_log=find_log(harness, reading.session, root, ground.environment(harness)),
        fail_reason=tried.verdict.reason,
        category=tried.verdict.evidence.category if tried.verdict.evidence else "",
        handoff_only=start.handoff_only,
        evidence=tried.verdict.evidence,
        ended_by=tried.supervised.finish.stop or "",
        exit_code=tried.supervised.finish.code,
        runtime_ms=int(tried.seconds * 1000),
        tool_calls=reading.tool_calls,
        tokens=used if used.total else None,
        cost_usd=reading.cost,
    )


def _handed_off(tried: Tried) -> bool:
    return tried.verdict.outcome is Outcome.HANDOFF_REQUESTED


def _created(tried: Tried) -> list[str]:
    handoff = tried.progress.handoff if tried.progress else None
    return handoff.created_lap_ids if handoff else []


def _classification(given: Assignment, tried: Tried) -> str:
    """Return what a recovery run found."""
    if given.role != RECOVERY or not tried.progress:
        return ""
    return recorded_classification(tried.progress.classification)


def _followups(tried: Tried) -> list[str]:
    if not tried.progress:
        return []
    return tried.progress.handoff.followups if tried.progress.handoff else tried.progress.followups
