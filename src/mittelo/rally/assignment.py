"""What a run is given to do: its role, the lap that it works, and the lane that serves it."""

from collections.abc import Collection, Mapping

from msgspec import Struct

from mittelo.core.lapruns import RECOVERY, Standing
from mittelo.core.queues import Lap
from mittelo.rally.roster import DEFAULT


class Assignment(Struct, frozen=True):
    """The role of a run, "" for none, and its lap where it works a queue."""

    role: str = ""
    lap: Lap | None = None


class Route(Struct, frozen=True):
    """The lane that serves a lap, "" if there is none; `note` is what the user should know."""

    role: str
    lane: str
    note: str = ""


def route(lap: Lap, standing: Standing, lanes: Collection[str], *, serves_all: bool) -> Route:
    """Return who serves a lap: the lane of its role, else the default one.

    `serves_all`: there is one lane, a roster or a mix, for every role. What broke off is
    recovered first.
    """
    role = RECOVERY if standing.recover else lap.assignee.strip()
    if serves_all:
        return Route(role, next(iter(lanes)), _capped(lap) if standing.capped else "")
    names = {name.strip().casefold(): name for name in lanes}
    if standing.recover and RECOVERY not in names:
        told = f"there is no route for {RECOVERY}, which lap {lap.id} needs; it is served as usual"
        return Route(role, _lane(lap.assignee, names), told)
    lane = _lane(role, names)
    if standing.capped:
        return Route(role, lane, _capped(lap))
    if role and lane.casefold() != role.casefold():
        told = f"there is no route for {role!r}; the default one serves lap {lap.id}"
        return Route(role, lane, told)
    return Route(role, lane)


def no_lane(lap: Lap) -> str:
    """Return why nobody serves a lap."""
    whose = f"is for {lap.assignee!r}, which has no route" if lap.assignee else "is for nobody"
    return f"lap {lap.id} {whose}, and there is no default route"


def _lane(role: str, names: Mapping[str, str]) -> str:
    return names.get(role.strip().casefold()) or names.get(DEFAULT, "")


def _capped(lap: Lap) -> str:
    return f"needs_user: lap {lap.id} was recovered often enough, and is still left in a mess"
