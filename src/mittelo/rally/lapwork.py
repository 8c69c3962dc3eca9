"""The laps of a relay that works a queue: for each run one is claimed, routed, and given back."""

from collections.abc import Sequence

from mittelo.core.lapruns import MAX_HANDOFFS, Standing, standing_of
from mittelo.core.queues import Lap
from mittelo.core.records import TryRecord
from mittelo.core.relays import LapClaimed, LapGone, QueueBroken, QueueEmpty, QueueWaits, Relay
from mittelo.rally.assignment import Assignment, Route, no_lane, route
from mittelo.rally.desk import Count, Desk
from mittelo.rally.hooks import KeptHooks
from mittelo.rally.progress import record_laps
from mittelo.rally.roster import ROUTES
from mittelo.rally.trying import Ground, reopen_others


class LapWork:
    """What a relay does with its queue. `given` is the assignment of the current run.

    `needs_user` says why a person is needed for the lap that was taken last, "" if none is.
    """

    def __init__(self, ground: Ground, state: Relay, tries: Sequence[TryRecord]) -> None:
        if ground.desk is None:
            raise ValueError("there is no queue")
        self.needs_user = ""
        self._desk: Desk = ground.desk
        self._ground = ground
        self._hooks = KeptHooks(ground.workspace, ground.desk.place.folder)
        self._lanes = [state.lane.name, *state.others]
        last = tries[-1].role if tries else ""
        self.given = Assignment(last if state.attempt else "")
        self._notes: list[str] = []

    def take(self) -> LapClaimed | QueueEmpty | QueueWaits | QueueBroken:
        """Claim the next lap and find the lane that serves it, or tell why there is none."""
        self._notes, self.needs_user = [], ""
        self._hooks.bring_back()
        lap = self._desk.take()
        if not isinstance(lap, Lap):
            return lap
        standing = standing_of(lap.id, self._ground.workspace.tries.read(), lap.updated_at)
        if standing.circling:
            return self._give_up(lap)
        found = self._route(lap, standing)
        if not found.lane:
            return QueueBroken(no_lane(lap))
        self.given = Assignment(found.role, lap)
        return LapClaimed(lap.id, found.lane)

    def has_next(self) -> bool:
        """Tell whether a lap may be begun, or whether none is left to wait for."""
        return not self._desk.waits()

    def notes(self) -> list[str]:
        """Return what the user should know of the lap that was taken last."""
        return self._notes

    def keep(self, lap_id: str) -> LapGone | QueueBroken | None:
        """Renew the claim before a try; return why the run cannot go on with its lap."""
        self._hooks.bring_back()
        kept = self._desk.keep(lap_id)
        if isinstance(kept, Lap):
            self.given = Assignment(self.given.role, kept)
            return None
        return kept

    def settle(self, lap_id: str) -> None:
        """Note in the state of a cut-off run what its agent finished; open what was not its own."""
        workspace = self._ground.workspace
        facts = self._desk.facts(lap_id, workspace.run_state().recorded_laps)
        record_laps(workspace, list(facts.finished))
        reopen_others(workspace, self._desk, facts)

    def release(self) -> None:
        """Give the lap back when its run is over."""
        self._desk.release()

    def count(self) -> Count:
        """Return how far the queue is."""
        return self._desk.count()

    def _route(self, lap: Lap, standing: Standing) -> Route:
        serves_all = self._ground.relay.agent_mix != ROUTES
        found = route(lap, standing, self._lanes, serves_all=serves_all)
        if found.note:
            self._notes.append(found.note)
        if standing.capped:
            self.needs_user = found.note
        return found

    def _give_up(self, lap: Lap) -> QueueBroken:
        self.needs_user = (
            f"lap {lap.id} ({lap.line}) was handed off {MAX_HANDOFFS} times with nothing to show "
            "for it; decide what is to become of it (laps edit, laps delete), then go on"
        )
        return QueueBroken(f"needs_user: {self.needs_user}")
