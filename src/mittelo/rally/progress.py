"""What agents and hooks tell of a run while it goes on: `rally progress`."""

from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct

from mittelo.core.clipping import clip
from mittelo.core.records import Handoff, LapAttempt, RunState, SummaryRecord
from mittelo.errors import MitteloError
from mittelo.log import warn
from mittelo.repo.workspace import Workspace, now

SUMMARY_BUDGET = 3000
NO_LAPS = "none"

MakeLaps = Callable[[list[str]], list[str]]
"""Makes laps of follow-ups at the head of the queue, in their order, and returns their ids."""


class Progress(Struct, frozen=True, kw_only=True):
    """One finalization: `handed_off` when the run stops before its task is done."""

    summary: str
    followups: list[str] = []
    classification: str = ""
    handed_off: bool = False


def record_laps(workspace: Workspace, laps: list[str], *, handoff: bool = False) -> None:
    """Note in the state of the run which laps its agent finished, or that it hands its own off."""
    with workspace.changing():
        state = workspace.run_state()
        state.recorded_laps = [*dict.fromkeys([*state.recorded_laps, *laps])]
        state.laps_attempted += [LapAttempt(lap=lap, at=now()) for lap in laps]
        if state.pinned_lap_id in laps:  # it was finished after all
            state.handoff_state = 0
        if handoff:
            state.handoff_state = 1
            state.laps_attempted.append(LapAttempt(lap=state.pinned_lap_id, at=now()))
        workspace.save_run_state(state)


def record_aside(workspace: Workspace, progress: Progress) -> SummaryRecord:
    """Append a digest of what somebody else does while a run goes on, which it leaves alone."""
    with workspace.changing():
        record = _summary(RunState(), progress, [])
        workspace.summary.append(record)
    return record


def record_wrapup(workspace: Workspace, progress: Progress, make_laps: MakeLaps) -> SummaryRecord:
    """Finish a run that works a lap: as a handoff if one was begun, else as complete."""
    handed_off = progress.handed_off or workspace.run_state().handoff_state == 1
    if not handed_off:
        return record_progress(workspace, progress)
    made = _make_laps(progress.followups, make_laps)
    given = Progress(
        summary=progress.summary,
        followups=progress.followups,
        classification=progress.classification,
        handed_off=True,
    )
    return record_progress(workspace, given, made)


def _make_laps(followups: list[str], make_laps: MakeLaps) -> list[str]:
    """Make laps of follow-ups; what cannot be made is still told in the summary."""
    if not followups:
        return []
    try:
        return make_laps(followups)
    except MitteloError as error:
        warn(f"the follow-ups are not in the queue: {error.what} {error.todo}".rstrip())
        return []


def record_progress(
    workspace: Workspace, progress: Progress, created: list[str] | None = None
) -> SummaryRecord:
    """Append the digest of a run, and note in its state that it was finalized.

    `created` are the laps that were made of its follow-ups.
    """
    with workspace.changing():
        state = workspace.run_state()
        record = _summary(state, progress, created or [])
        workspace.summary.append(record)
        if state.run_id:
            state.finalized = True
            state.handoff_state = 0
            workspace.save_run_state(state)
        else:
            workspace.forget_run_state()
    return record


def _summary(state: RunState, progress: Progress, created: list[str]) -> SummaryRecord:
    summary = clip(progress.summary, SUMMARY_BUDGET)
    followups = [clip(text, SUMMARY_BUDGET) for text in progress.followups]
    handoff = Handoff(summary=summary, followups=followups, created_lap_ids=created)
    return SummaryRecord(
        run_id=state.run_id or datetime.now(UTC).strftime("%Y%m%d-%H%M%S"),
        summary=summary,
        classification=progress.classification,
        followups=[] if progress.handed_off else followups,
        laps_completed=_laps_completed(state),
        handoff=handoff if progress.handed_off else None,
        updated_at=now(),
    )


def record_unfinalized(workspace: Workspace, state: RunState, said: str) -> None:
    """Append a digest for a run whose agent wrote none."""
    with workspace.changing():
        known = workspace.run_state()
        if not known.finalized:
            summary = clip(said, SUMMARY_BUDGET) or "(agent exited without finalizing)"
            workspace.summary.append(
                SummaryRecord(
                    run_id=state.run_id,
                    summary=summary,
                    laps_completed=_laps_completed(known),
                    updated_at=now(),
                )
            )
            known.finalized = True
            if known.run_id:
                workspace.save_run_state(known)


def _laps_completed(state: RunState) -> list[str] | str:
    """Return the laps that a run finished, the word for none, "" where it works no queue."""
    if not state.pinned_lap_id:
        return list(state.recorded_laps) or ""
    return list(state.recorded_laps) or NO_LAPS
