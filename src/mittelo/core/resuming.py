"""Where a relay stands that was cut off: the fold of its recorded tries."""

import hashlib
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from mittelo.core.records import LaneMark, TryRecord
from mittelo.core.relays import (
    END_OF_RUN,
    LAP_GONE,
    Relay,
    change_lanes,
    everybody_failed,
    give_back_attempt,
    without_current,
)
from mittelo.core.routes import Lane, Runner, has_served_its_range, new_cycle, pick, stand_at


def resume(fresh: Relay, tries: Iterable[TryRecord]) -> Relay:
    """Return the state of a relay that made these tries, in order, before we were asked again.

    Replays the scheduler, so that quotas go on where they stood. A run that was cut off goes on
    with the next attempt and, where the same runner serves it again, in the same session.
    """
    at = fresh
    for made in tries:
        at = _replay(at, made)
    _, ready = pick(at.lane, at.benches)
    served = has_served_its_range(at.lane, at.benches)
    if at.attempt or served or (ready is not None and not everybody_failed(at)):
        return at
    return replace(at, lane=new_cycle(at.lane), failures=0)


def mark(at: Relay) -> LaneMark | None:
    """Return where the scheduler stands, for the record of a try that begins now."""
    if at.slot is None:
        return None
    return LaneMark(
        of=_signature(at.lane),
        lane=at.lane.name,
        entry=at.slot[0],
        choice=at.slot[1],
        picks=at.lane.picks,
        failed=sorted(at.lane.failed),
        cursors=dict(at.lane.cursors),
        failures=at.failures,
        fruitless=at.fruitless,
        spent=at.spent,
    )


def _signature(lane: Lane) -> str:
    return hashlib.sha256(msgspec.json.encode(lane.entries)).hexdigest()[:12]


def _restore(at: Relay, made: TryRecord) -> Relay | None:
    """Stand where the scheduler stood when the try began; None when the lane is another now."""
    kept = made.mark
    at = change_lanes(at, kept.lane) if kept else at
    if kept is None or kept.of != _signature(at.lane):
        return None
    lane = replace(
        at.lane,
        at=kept.entry,
        picks=kept.picks,
        failed=frozenset(kept.failed),
        cursors=kept.cursors,
    )
    slot = (kept.entry, kept.choice)
    at = replace(at, lane=lane, slot=slot, failures=kept.failures, fruitless=kept.fruitless)
    return replace(at, run=made.run_id, spent=kept.spent)


def _replay(at: Relay, made: TryRecord) -> Relay:
    at = _restore(at, made) or _guess(at, made)
    at = replace(at, attempt=made.attempt_number, reason=made.fail_reason, lap=made.lap_id)
    if made.outcome.succeeded:
        return replace(at, done=at.done + 1, attempt=0, session="", failures=0, fruitless=0)
    if made.cancellation_source == "pause":
        return give_back_attempt(replace(at, session=made.session_id or at.session))
    if made.cancellation_source == LAP_GONE:
        return replace(at, attempt=0, session="")
    if _ended_its_run(at, made):
        return without_current(at)
    return replace(at, session=made.session_id if _is_runner(at.runner, made) else "")


def _guess(at: Relay, made: TryRecord) -> Relay:
    """Stand where a try was made whose place is not known in this lane."""
    if made.run_id != at.run or not _is_runner(at.runner, made):
        at = replace(_replay_pick(replace(at, run=made.run_id), made), spent=0)
    return replace(at, spent=at.spent + 1)


def _ended_its_run(at: Relay, made: TryRecord) -> bool:
    """Tell whether a failed try was the last of its run."""
    if made.decided:
        return made.decided.startswith(END_OF_RUN)
    return at.spent >= at.retry_budget and not made.outcome.open_ended


def _replay_pick(at: Relay, made: TryRecord) -> Relay:
    """Stand where the try was made: at the place that the scheduler gives, else its runner's next.

    A runner that is not of this lane leaves it as it is.
    """
    lane, slot = pick(at.lane, at.benches)
    if slot is None or everybody_failed(at):
        lane, slot = pick(new_cycle(at.lane), at.benches)
        at = replace(at, failures=0)
    if slot and _is_runner(lane.runner(slot), made):
        return replace(at, lane=lane, slot=slot, session="")
    places = [place for place in at.lane.slots() if _is_runner(at.lane.runner(place), made)]
    if not places:
        return replace(at, slot=None, session="")
    ahead = len(at.lane.entries)
    place = min(places, key=lambda place: (place[0] - at.lane.at - 1) % ahead)
    return replace(at, lane=stand_at(at.lane, place), slot=place, session="")


def _is_runner(runner: Runner | None, made: TryRecord) -> bool:
    return runner is not None and runner.key == (made.agent_type, made.model)
