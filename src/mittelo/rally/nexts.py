"""Who runs next in a lane, and why: the scheduler's own answer, entry by entry."""

import time

from msgspec import Struct
from msgspec.structs import replace

from mittelo.config.limits import retry_budget
from mittelo.config.load import Configuration
from mittelo.config.paths import data_paths
from mittelo.core.lapruns import standing_of
from mittelo.core.records import RelayRecord, TryRecord
from mittelo.core.relays import ClaimLap, Relay, Started, StartTry, Track, change_lanes, step
from mittelo.core.resuming import resume
from mittelo.core.routes import Lane, Slot
from mittelo.core.standings import Bench, benches_at
from mittelo.rally.assignment import no_lane, route
from mittelo.rally.desk import Desk, find_desk, session_name
from mittelo.rally.roster import (
    DEFAULT,
    ROUTES,
    Wanted,
    lane_of,
    never_ready,
    route_lanes,
    shown_mix,
    stored_mix,
)
from mittelo.rally.unfinished import resumable
from mittelo.repo.workspace import Workspace, instant


class Candidate(Struct):
    """One place of the lane: who stands there, and how it stands with it."""

    entry: str
    runner: str
    harness: str
    model: str
    effort: str
    quota: str
    state: str
    why: str
    until: str = ""


class Next(Struct):
    """Who serves the next run of a relay, and the lap that it works, if any.

    `runner` is "" when nobody can now.
    """

    lane: str
    mix: str
    relay: int
    run: int
    lap: str
    runner: str
    why: str
    candidates: list[Candidate]


def find_next(workspace: Workspace, configuration: Configuration, wanted: Wanted) -> Next:
    """Return who comes next in the unfinished relay, else in one that would start now.

    Where it works a queue, that is decided by the lap that comes next, unless a role is asked for.
    """
    relay = None if wanted.role else resumable(workspace.relays.read())
    mix = relay.agent_mix if relay else stored_mix([], configuration)
    if relay:
        wanted = Wanted(relay.role, relay.effort)
    desk = _desk(workspace, configuration, relay, wanted)
    others: dict[str, Track] = {}
    if desk and mix == ROUTES:
        lanes, _ = route_lanes(configuration, wanted)
        others = {name: Track(lane) for name, lane in lanes.items()}
    lane = _lane(mix, configuration, wanted, others)
    others.pop(lane.name, None)
    benches = benches_at(workspace.standings.read(), time.time())
    for each in (lane, *(track.lane for track in others.values())):
        benches = {**benches, **never_ready(each, configuration)}
    number = relay.id if relay else 0
    tries = workspace.tries.read()
    budget = retry_budget(configuration.settings.reliability)
    target = relay.target_iterations if relay else 1
    fresh = Relay(target, budget, lane, benches=benches, queue=desk is not None, others=others)
    at = resume(fresh, [made for made in tries if made.relay_id == number])
    trouble = ""
    if desk and not at.attempt:
        at, trouble = _with_lap(at, desk, tries, serves_all=mix != ROUTES)
    return _answer(at, shown_mix(mix), number, trouble)


def _desk(
    workspace: Workspace, configuration: Configuration, relay: RelayRecord | None, wanted: Wanted
) -> Desk | None:
    if wanted.role and not relay:
        return None
    key = data_paths(workspace.root, configuration.settings.data_dir).key
    desk = find_desk(workspace.root, session_name(key))
    return desk if relay is None or relay.queue else None


def _lane(mix: str, configuration: Configuration, wanted: Wanted, others: dict[str, Track]) -> Lane:
    """Return the lane that stands for the relay; laps may do without a default one."""
    has_default = any(name.casefold() == DEFAULT for name in others)
    if others and not has_default:
        return next(iter(others.values())).lane
    return lane_of(mix, configuration, wanted)


def _with_lap(
    at: Relay, desk: Desk, tries: list[TryRecord], *, serves_all: bool
) -> tuple[Relay, str]:
    """Stand in the lane that serves the next lap, or tell why none does.

    The relay asks for a lap where there is none.
    """
    lap = desk.peek()
    if lap is None:
        return at, ""
    lanes = [at.lane.name, *at.others]
    found = route(lap, standing_of(lap.id, tries), lanes, serves_all=serves_all)
    if not found.lane:
        return replace(at, lap=lap.id), no_lane(lap)
    return replace(change_lanes(at, found.lane), queue=False, lap=lap.id), ""


def _answer(at: Relay, mix: str, relay: int, trouble: str) -> Next:
    after, effects = step(replace(at, now=time.time()), Started())
    start = next((effect for effect in effects if isinstance(effect, StartTry)), None)
    slot = after.slot if start else None
    states = [_candidate(at, place, slot) for place in at.lane.slots()]
    if start:
        why = _why(at, after.lane, slot) if not at.attempt else _why_goes_on(at, start)
    elif trouble:
        why = trouble
    elif any(isinstance(effect, ClaimLap) for effect in effects):
        why = "no lap can be begun now, see: laps status"
    else:
        why = "; ".join(str(getattr(effect, "why", "")) for effect in effects)
    return Next(
        lane=at.lane.name,
        mix=mix,
        relay=relay,
        run=start.run if start else at.run + 1,
        lap=at.lap,
        runner=start.runner.label if start else "",
        why=why,
        candidates=states,
    )


def _why_goes_on(at: Relay, start: StartTry) -> str:
    if at.runner and at.runner.key == start.runner.key:
        return "the run goes on with its runner"
    return "the run goes on with another, as its runner cannot serve"


def _why(at: Relay, after: Lane, slot: Slot | None) -> str:
    """Return why the scheduler chose this place."""
    if slot is None:
        return ""
    entry = after.entries[slot[0]]
    if slot[0] == at.lane.at and after.picks > 1:
        return (
            f"it stays: run {after.picks} of {entry.quota or 'as many as it can without failing'}"
        )
    if at.lane.at < 0:
        return "it is the first that can serve"
    if slot[0] > at.lane.at:
        return "its turn comes after the last one"
    return "a new cycle begins"


def _candidate(at: Relay, place: Slot, chosen: Slot | None) -> Candidate:
    entry, runner = at.lane.entries[place[0]], at.lane.runner(place)
    bench = at.benches.get(runner.key)
    state, why = _state(at, place, bench)
    if place == chosen:
        state = "next"
    return Candidate(
        entry=str(entry),
        runner=runner.label,
        harness=runner.harness,
        model=runner.model,
        effort=runner.effort,
        quota=str(entry.quota or ""),
        state=state,
        why=why,
        until=instant(bench.until if bench else None),
    )


def _state(at: Relay, place: Slot, bench: Bench | None) -> tuple[str, str]:
    if bench:
        return ("out" if bench.for_good else "benched"), bench.why
    if place in at.lane.failed:
        return "failed", "its last run of this cycle failed"
    return "ready", ""
