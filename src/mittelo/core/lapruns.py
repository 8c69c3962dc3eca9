"""Runs that work a lap: the verdict on their tries, and when a lap needs recovery or a person."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from mittelo.core.faults import Category, Evidence, Source
from mittelo.core.instants import moment
from mittelo.core.records import Outcome, TryRecord
from mittelo.core.relays import LAP_GONE
from mittelo.core.verdicts import Facts, Verdict, judge

RECOVERY = "recovery"
MAX_RECOVERIES = 2
"""So many runs in a row try to recover a lap; then it is served as usual, and a person told."""

MAX_HANDOFFS = 3
"""So many runs in a row may hand a lap off without a change or a lap that follows."""

_MARKERS = ("laps done", "laps handoff")


class Classification(StrEnum):
    """What a recovery run finds of the work that was left."""

    CONTINUE = "continue"
    DISCARD = "discard"
    COURSE_CORRECT = "course_correct"
    REPAIR_PLAN = "repair_plan"
    NEEDS_USER = "needs_user"


class LapFacts(Struct, frozen=True):
    """What became of the lap of a run while its agent worked.

    `done` and `gone` tell of the queue now: the lap is finished, or is not there any more.
    `broken` says what is wrong with the queue itself. `finished` are the laps that the agent
    finished; `handoff_begun`: it ran `laps handoff`. `said` are its last words.
    """

    id: str
    done: bool = False
    gone: bool = False
    broken: str = ""
    finished: tuple[str, ...] = ()
    handoff_begun: bool = False
    said: str = ""

    @property
    def others(self) -> tuple[str, ...]:
        """Return the laps that the agent finished though they were not its own."""
        return tuple(lap for lap in dict.fromkeys(self.finished) if lap != self.id)


def judge_lap(facts: Facts, lap: LapFacts) -> Verdict:
    """Return the verdict on a try that worked a lap: only `laps done` makes it a success.

    A lap that was finished or durably handed off counts, even when the CLI failed after it; the
    evidence of that failure is kept.
    """
    verdict = judge(replace(facts, require_changes=False, handed_off=False))
    if verdict.outcome.open_ended:
        return verdict
    if lap.broken:
        reason = f"the queue is broken: {lap.broken}"
        return Verdict(Outcome.FAILED, reason, retryable=False, stuck=True)
    if (lap.done or lap.gone) and lap.id in lap.finished:  # what is done may be pruned
        return _finished(verdict, lap)
    if facts.handed_off:
        return _in_spite_of(verdict, Outcome.HANDOFF_REQUESTED)
    if lap.done and facts.changed:
        return _finished(verdict, lap)
    if lap.done or lap.gone:
        what = "finished by someone else" if lap.done else "removed from the queue"
        why = f"lap {lap.id} was {what} during the run"
        return Verdict(Outcome.CANCELLED, why, cancelled_by=LAP_GONE)
    if lap.others:
        return _wrong(lap)
    if not verdict.outcome.succeeded:
        return verdict
    return _unfinished(facts, lap)


def _in_spite_of(verdict: Verdict, outcome: Outcome, reason: str = "") -> Verdict:
    """Return a success, with what went wrong after it."""
    failed = "" if verdict.outcome.succeeded else f"after it: {verdict.reason}"
    why = "; ".join(filter(None, [reason, failed]))
    return Verdict(outcome, why, evidence=verdict.evidence)


def _finished(verdict: Verdict, lap: LapFacts) -> Verdict:
    reason = f"multi_lap_consumed: {', '.join(lap.others)} reopened" if lap.others else ""
    return _in_spite_of(verdict, Outcome.COMPLETED, reason)


def _wrong(lap: LapFacts) -> Verdict:
    others = ", ".join(lap.others)
    reason = f"wrong_lap_consumed: finished {others} (reopened) instead of {lap.id}"
    evidence = Evidence(Category.AGENT_ERROR, Source.REPOSITORY, reason, reason)
    return Verdict(Outcome.FAILED, reason, evidence=evidence)


def _unfinished(facts: Facts, lap: LapFacts) -> Verdict:
    """Return the verdict on an agent that ended well, but left its lap open."""
    marker = "" if lap.finished or lap.handoff_begun else marker_in(lap.said)
    if marker:
        reason = f"{marker} emitted as text, hook never ran"
        evidence = Evidence(Category.AGENT_ERROR, Source.REPOSITORY, reason, reason)
        return Verdict(Outcome.FAILED, reason, evidence=evidence)
    if facts.changed:
        what = "handoff without wrapup" if lap.handoff_begun else "changes without finalization"
        return Verdict(Outcome.INCOMPLETE, f"incomplete: {what}, lap {lap.id} is not done")
    reason = f"no changes made, and lap {lap.id} is not done"
    evidence = Evidence(Category.NO_CHANGES, Source.REPOSITORY, reason, reason)
    return Verdict(Outcome.FAILED, reason, evidence=evidence)


def marker_in(said: str) -> str:
    """Return the command that an agent printed as a line of its own, "" if it did not."""
    for line in said.splitlines():
        words = line.strip().strip("`").casefold()
        for marker in _MARKERS:
            if words == marker or words.startswith(f"{marker} "):
                return marker
    return ""


def recorded_classification(said: str) -> str:
    """Return what a recovery run found, "" where it says nothing known."""
    word = said.strip().casefold()
    return word if word in {*Classification} else ""


class Standing(Struct, frozen=True):
    """How it stands with a lap by the tries that worked it.

    `recover`: its next run is to be one of recovery. `capped`: there were enough of those.
    `circling`: it was handed off again and again with nothing to show for it.
    """

    recover: bool = False
    capped: bool = False
    circling: bool = False


def standing_of(lap: str, tries: Iterable[TryRecord], edited: str = "") -> Standing:
    """Return how it stands with a lap, from all tries on record; others of its group count too.

    Laps that a dirty handoff created are of one group with the lap that was handed off. `edited`
    tells when it was changed last: if that was after all tries, it does not go round in circles.
    """
    known = [made for made in tries if made.lap_id]
    group = _group(lap, known)
    runs = _last_tries(made for made in known if made.lap_id in group)
    if not runs:
        return Standing()
    if not _left_a_mess(runs[-1]):
        mine = [made for made in runs if made.lap_id == lap]
        return Standing(circling=_circles(mine) and not _is_later(edited, mine[-1].ended_at))
    tail = runs[-MAX_RECOVERIES:]
    capped = len(tail) == MAX_RECOVERIES and all(made.role == RECOVERY for made in tail)
    return Standing(recover=not capped, capped=capped)


def _left_a_mess(made: TryRecord) -> bool:
    return made.outcome is Outcome.HANDOFF_TIMEOUT or made.dirty_handoff


def _circles(runs: Sequence[TryRecord]) -> bool:
    tail = runs[-MAX_HANDOFFS:]
    return len(tail) == MAX_HANDOFFS and all(
        made.outcome is Outcome.HANDOFF_REQUESTED
        and not (made.created_laps or made.commit_hash or made.files_changed)
        for made in tail
    )


def _is_later(edited: str, ended: str) -> bool:
    """Tell whether an edit came after a try, to the second."""
    return bool(edited and ended) and moment(edited).replace(microsecond=0) > moment(ended)


def _last_tries(tries: Iterable[TryRecord]) -> list[TryRecord]:
    """Return the try that decided each run, in the order of the runs."""
    last: dict[tuple[int, int], TryRecord] = {}
    for made in tries:
        run = (made.relay_id, made.run_id)
        held = last.get(run)
        if held is None or (held.attempt_number, held.id) < (made.attempt_number, made.id):
            last[run] = made
    return sorted(last.values(), key=lambda made: made.id)


def _group(lap: str, tries: Sequence[TryRecord]) -> set[str]:
    """Return the laps that dirty handoffs connect with one."""
    pairs = [(t.lap_id, other) for t in tries if t.dirty_handoff for other in t.created_laps]
    group, size = {lap}, 0
    while len(group) > size:
        size = len(group)
        group |= {end for pair in pairs if group & {*pair} for end in pair}
    return group
