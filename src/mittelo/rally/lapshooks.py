"""What the hooks of `laps` do for a relay: record what its agent did, and tell it what is next."""

import os
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from mittelo.config.load import environment
from mittelo.core.clipping import clip, one_line
from mittelo.core.records import RunState
from mittelo.errors import UsageError
from mittelo.files import append_line
from mittelo.rally.hooks import Hook
from mittelo.rally.progress import MakeLaps, Progress, record_aside, record_laps, record_wrapup
from mittelo.repo.workspace import Workspace, now

ARGS_BUDGET = 2000
WRAPUP = 'laps wrapup --summary "what you did, in a few sentences"'


class Heard(Struct, omit_defaults=True, kw_only=True):
    """That a hook ran, in `.rally/state/hook-audit.jsonl`."""

    ts: str
    hook: str
    lap_id: str = ""
    args: list[str] = []
    session: str = ""
    pid: int


def hear_done(workspace: Workspace, lap: str) -> str:
    """Record that the relay's agent finished a lap; return what it should do next.

    What others finish meanwhile is none of the relay's business.
    """
    _audit(workspace, Hook.DONE, lap=lap)
    state = workspace.run_state()
    if not lap or not _is_from_agent(state):
        return ""
    record_laps(workspace, [lap])
    if state.pinned_lap_id != lap:
        return (
            f"You finished {lap}, but your lap is {state.pinned_lap_id}.\n"
            "Open the other one again with `laps done undo`, then finish yours."
        )
    title = one_line(state.pinned_lap_title, 60) or lap
    return (
        f"Lap {lap} is recorded as done. Commit what belongs to it, if that is not done yet:\n\n"
        f'    git commit -m "{title}: done"\n\n'
        f"Then finish the run with a command in a shell (to print it is not enough):\n\n"
        f"    {WRAPUP}"
    )


def hear_handoff(workspace: Workspace, words: Sequence[str]) -> str:
    """Record that the relay's agent hands its lap off; return what it should do next."""
    _audit(workspace, Hook.HANDOFF, words=words)
    state = workspace.run_state()
    if not _is_from_agent(state):
        return "There is no relay to hand off to: no lap is worked here by this session."
    record_laps(workspace, [], handoff=True)
    title = one_line(state.pinned_lap_title, 60) or state.pinned_lap_id
    return (
        "Commit the changes that are worth keeping, and undo the others:\n\n"
        f'    git commit -m "{title}: in progress (handoff)"\n\n'
        "Then say where things stand: what is done, what blocks, which hypotheses you have and the "
        "evidence\nfor each, which decision is open. Each --followup becomes a lap at the head of "
        "the queue:\n\n"
        '    laps wrapup --summary "…" --followup "the next step" --followup "the one after it"'
    )


def hear_wrapup(
    workspace: Workspace, words: Sequence[str], progress: Progress, make_laps: MakeLaps
) -> str:
    """Finish the run of the relay's agent; return what it should know.

    Whoever else works here meanwhile only leaves a digest.
    """
    _audit(workspace, Hook.WRAPUP, words=words)
    workspace.require_init()
    if not progress.summary.strip():
        raise UsageError("A wrapup needs a summary.", f"Run: {WRAPUP}")
    state = workspace.run_state()
    if state.pinned_lap_id and not _is_from_agent(state):
        record_aside(workspace, progress)
        return "Progress recorded, apart from the run of the relay that works here."
    record = record_wrapup(workspace, progress, make_laps)
    created = record.handoff.created_lap_ids if record.handoff else []
    made = f" Laps for what follows: {', '.join(created)}." if created else ""
    return f"Progress recorded.{made}"


def _is_from_agent(state: RunState) -> bool:
    """Tell whether we were called by the agent that works the lap of the current run."""
    session = environment().get("LAPS_SESSION", "")
    return bool(state.pinned_lap_id) and session == state.laps_session


def _audit(workspace: Workspace, hook: Hook, lap: str = "", words: Sequence[str] = ()) -> None:
    if not workspace.paths.rally.is_dir():
        return
    heard = Heard(
        ts=now(),
        hook=f"laps-{hook}",
        lap_id=lap,
        args=[clip(word, ARGS_BUDGET) for word in words],
        session=environment().get("LAPS_SESSION", ""),
        pid=os.getpid(),
    )
    workspace.paths.state.mkdir(parents=True, exist_ok=True)
    append_line(workspace.paths.hook_audit, msgspec.json.encode(heard))
