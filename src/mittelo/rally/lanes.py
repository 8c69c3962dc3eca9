"""The lanes that serve a relay: one, or for a queue one for each role."""

from collections.abc import Callable, Mapping

from mittelo.config.load import Configuration
from mittelo.core.records import RelayRecord
from mittelo.core.relays import Track
from mittelo.core.routes import Key, Lane
from mittelo.core.standings import Bench, Benches
from mittelo.errors import MitteloError
from mittelo.log import warn
from mittelo.rally.roster import (
    DEFAULT,
    ROUTES,
    Wanted,
    lane_of,
    never_ready,
    require_somebody,
    route_lanes,
)


def relay_lanes(
    relay: RelayRecord, configuration: Configuration, go_on: Callable[[str], bool]
) -> tuple[Lane, Mapping[str, Track]]:
    """Return the lane that serves a relay at first, and those of other roles, by their names.

    Where some routes are broken, or laps have no default one, `go_on` asks whether it runs.
    """
    wanted = Wanted(relay.role, relay.effort)
    if relay.agent_mix != ROUTES or not configuration.settings.routes:
        return lane_of(relay.agent_mix, configuration, wanted), {}
    lanes, broken = route_lanes(configuration, wanted)
    if broken and not lanes:
        raise next(iter(broken.values()))
    has_default = any(name.casefold() == DEFAULT for name in lanes)
    alone = relay.queue and not has_default
    lane = next(iter(lanes.values())) if alone else lane_of(ROUTES, configuration, wanted)
    for error in broken.values():
        warn(f"{error.what} {error.todo}".rstrip())
    if alone:
        warn(f"there is no default route: laps must be assigned to {', '.join(lanes)}.")
    why = "Some routes are broken." if broken else "There is no default route." if alone else ""
    if why and not go_on(why):
        raise MitteloError("aborted.", "Mend the routes, then check: rally routes check")
    others = lanes.values() if relay.queue else ()
    return lane, {other.name: Track(other) for other in others if other.name != lane.name}


def ready_lanes(
    lane: Lane, others: Mapping[str, Track], configuration: Configuration
) -> dict[Key, Bench]:
    """Return who cannot serve in this relay at all; complain if nobody is left anywhere."""
    out = never_ready(lane, configuration)
    if not others:
        require_somebody(lane, out, configuration)
        return out
    for track in others.values():
        out |= never_ready(track.lane, configuration)
    everyone = [lane, *(track.lane for track in others.values())]
    keys = [key for each in everyone for key in each.everyone]
    if all(key in out for key in keys):
        require_somebody(lane, out, configuration)
    for each in everyone:
        _tell_of(each, out)
    return out


def _tell_of(lane: Lane, out: Benches) -> None:
    """Warn of a lane that nobody serves, or only one."""
    left = [key for key in lane.everyone if key not in out]
    for why in dict.fromkeys(out[key].why for key in lane.everyone if key in out):
        warn(f"the lane {lane.name}: {why}; the relay goes on without it.")
    if not left:
        warn(f"nobody can serve the lane {lane.name}: its laps will wait.")
    elif len(left) == 1:
        warn(f"the lane {lane.name} has only {':'.join(filter(None, left[0]))}: no fallback.")


def harnesses_of(lane: Lane, others: Mapping[str, Track]) -> set[str]:
    """Return the names of all harnesses that may serve."""
    lanes = [lane, *(track.lane for track in others.values())]
    return {harness for each in lanes for harness, _ in each.everyone}
