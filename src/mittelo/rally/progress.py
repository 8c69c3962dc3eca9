"""What agents and hooks tell of a run while it goes on: `rally progress`."""

from datetime import UTC, datetime

from msgspec import Struct

from mittelo.core.clipping import clip
from mittelo.core.records import Handoff, RunState, SummaryRecord
from mittelo.repo.workspace import Workspace, now

SUMMARY_BUDGET = 3000


class Progress(Struct, frozen=True, kw_only=True):
    """One finalization: `handed_off` when the run stops before its task is done."""

    summary: str
    followups: list[str] = []
    classification: str = ""
    handed_off: bool = False


def record_progress(workspace: Workspace, progress: Progress) -> SummaryRecord:
    """Append the digest of a run, and note in its state that it was finalized."""
    summary = clip(progress.summary, SUMMARY_BUDGET)
    followups = [clip(text, SUMMARY_BUDGET) for text in progress.followups]
    with workspace.changing():
        state = workspace.run_state()
        record = SummaryRecord(
            run_id=state.run_id or datetime.now(UTC).strftime("%Y%m%d-%H%M%S"),
            summary=summary,
            classification=progress.classification,
            followups=[] if progress.handed_off else followups,
            handoff=Handoff(summary=summary, followups=followups) if progress.handed_off else None,
            updated_at=now(),
        )
        workspace.summary.append(record)
        if state.run_id:
            state.finalized = True
            workspace.save_run_state(state)
    return record


def record_unfinalized(workspace: Workspace, state: RunState, said: str) -> None:
    """Append a digest for a run whose agent wrote none."""
    with workspace.changing():
        if not workspace.run_state().finalized:
            summary = clip(said, SUMMARY_BUDGET) or "(agent exited without finalizing)"
            workspace.summary.append(
                SummaryRecord(run_id=state.run_id, summary=summary, updated_at=now())
            )
