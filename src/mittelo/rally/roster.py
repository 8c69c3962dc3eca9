"""Which lane of runners serves a relay: from `--agent`, from `[routes]`, or from a mix."""

import shutil
from collections.abc import Iterable, Sequence

from msgspec import Struct

from mittelo.config.findings import Gravity
from mittelo.config.load import Configuration
from mittelo.config.mixing import mix_slots
from mittelo.config.reasoning import prefer
from mittelo.core.mixes import Quota, Spec, parse_entry, split_mix
from mittelo.core.routes import ONE, Entry, Key, Lane, Reference, Runner
from mittelo.core.standings import Bench, Benches
from mittelo.errors import UsageError
from mittelo.log import warn

BUILT_IN_MIX = "cc cx:2"
ROUTES = "__routes__"
OVERRIDE = "__override__:"
DEFAULT = "default"


class Wanted(Struct, frozen=True):
    """What decides on the model or the effort where an entry names none."""

    role: str = ""
    effort: str = ""


def lane_of(stored: str, configuration: Configuration, wanted: Wanted) -> Lane:
    """Return the lane of a relay, from what its record holds of its mix."""
    if stored.startswith(OVERRIDE):
        roster = stored.removeprefix(OVERRIDE)
        try:
            return override_lane(split_mix([roster], "--agent"), configuration, wanted)
        except UsageError as error:
            what = f"--agent {roster!r}: {error.what}"
            raise UsageError(what, f"{error.todo} Or name others with --agent.".strip()) from error
    if stored == ROUTES:
        return lane_for_role(configuration, wanted)
    return mix_lane(stored, configuration, wanted)


def stored_mix(agents: Sequence[str], configuration: Configuration) -> str:
    """Return what goes on record as the mix of a new relay."""
    if agents:
        return OVERRIDE + " ".join(split_mix(agents, "--agent"))
    if configuration.settings.routes:
        return ROUTES
    for finding in configuration.of(Gravity.LANE):
        if finding.key == ("defaults", "mix"):
            raise finding.error()
    return mix_label(configuration.settings.defaults.mix.strip() or BUILT_IN_MIX, configuration)


def shown_mix(stored: str) -> str:
    """Return a stored mix for a person."""
    if stored == ROUTES:
        return "configured routes"
    if stored.startswith(OVERRIDE):
        return stored.removeprefix(OVERRIDE) or "(override)"
    return stored or "(empty)"


def override_lane(words: Sequence[str], configuration: Configuration, wanted: Wanted) -> Lane:
    """Return the lane of `--agent`: each entry serves one run at a time unless it has a count.

    The name of a role stands for its lane: alone for all its entries as they are, with a count
    N for one run by the entry at a cursor that moves on by N.
    """
    roles = {role.strip().casefold(): role for role in configuration.settings.routes}
    entries: list[Entry | Reference] = []
    for word in words:
        spec = parse_entry(word)
        role = roles.get(spec.harness.casefold())
        if role is None:
            entries.append(_entry(spec, configuration, wanted, ONE))
        else:
            entries += _referred(word, spec, role, configuration, wanted)
    return Lane(tuple(entries), "--agent")


def _referred(
    word: str, spec: Spec, role: str, configuration: Configuration, wanted: Wanted
) -> Iterable[Entry | Reference]:
    if spec.model:
        raise UsageError(f"{word!r}: {role!r} is a role, which has no models.", "Write ROLE:N.")
    lane = route_lane(role, configuration, wanted)
    if not spec.quota:
        return lane.entries
    if spec.quota.low != spec.quota.high:
        what = f"{word!r}: a reference to the role {role!r} needs a single count, not a range."
        raise UsageError(what, f"Write {role}, or {role}:{spec.quota.low}.")
    runners = tuple(entry.runners[0] for entry in lane.entries)
    return [Reference(role, spec.quota.low, runners)]


def route_lane(role: str, configuration: Configuration, wanted: Wanted) -> Lane:
    """Return the lane of a role as it is configured; a broken one is an error."""
    for finding in configuration.of(Gravity.LANE):
        if finding.key == ("routes", role):
            raise finding.error()
    words = configuration.settings.routes[role]
    entries = [_entry(parse_entry(word), configuration, wanted, None) for word in words]
    return Lane(tuple(entries), role)


def route_lanes(
    configuration: Configuration, wanted: Wanted
) -> tuple[dict[str, Lane], dict[str, UsageError]]:
    """Return all lanes, as their own roles prefer, and what is wrong with each of the others."""
    lanes: dict[str, Lane] = {}
    broken: dict[str, UsageError] = {}
    for role in sorted(configuration.settings.routes):
        try:
            lanes[role] = route_lane(role, configuration, Wanted(role, wanted.effort))
        except UsageError as error:
            broken[role] = error
    return lanes, broken


def lane_for_role(configuration: Configuration, wanted: Wanted) -> Lane:
    """Return the lane of a role, else the default one."""
    routes = configuration.settings.routes
    if not routes:
        raise UsageError(
            "This relay runs by [routes], and none are configured.",
            "Name agents with --agent, or configure routes: rally init roles",
        )
    names = {role.strip().casefold(): role for role in routes}
    named = names.get(wanted.role.strip().casefold())
    if wanted.role and named is None:
        warn(f"there is no route for the role {wanted.role!r}; the default one is used.")
    role = named or names.get(DEFAULT)
    if role is None:
        wish = f"for the role {wanted.role!r} and no" if wanted.role else "named"
        todo = 'Set one: rally config set routes.default "cc, cx"'
        raise UsageError(f"There is no route {wish} default.", todo)
    return route_lane(role, configuration, wanted)


def everyone(configuration: Configuration) -> list[Key]:
    """Return every runner that a route names."""
    lanes, _ = route_lanes(configuration, Wanted())
    return [*dict.fromkeys(key for lane in lanes.values() for key in lane.everyone)]


def mix_lane(mix: str, configuration: Configuration, wanted: Wanted) -> Lane:
    """Return the lane of a default mix: the slots of each harness, equal neighbours as one."""
    entries: list[Entry | Reference] = []
    for spec in mix_slots(mix, configuration.catalogue):
        entry = _entry(spec, configuration, wanted, ONE)
        last = entries[-1] if entries else None
        if isinstance(last, Entry) and last.quota and last.runner == entry.runner:
            count = last.quota.low + 1
            entries[-1] = Entry(entry.runner, Quota(count, count))
        else:
            entries.append(entry)
    return Lane(tuple(entries), DEFAULT)


def mix_label(mix: str, configuration: Configuration) -> str:
    """Return a mix as it goes on record: a word for each slot, models by their short names."""
    return " ".join(str(spec) for spec in mix_slots(mix, configuration.catalogue))


def _entry(spec: Spec, configuration: Configuration, wanted: Wanted, quota: Quota | None) -> Entry:
    harness, model = configuration.catalogue.resolve(spec)
    runner = Runner(harness.name, model)
    if not spec.model:
        runner = prefer(configuration.catalogue, harness, model, wanted.role or DEFAULT)
    if wanted.effort:
        runner = Runner(runner.harness, runner.model, wanted.effort)
    return Entry(runner, spec.quota or quota)


def never_ready(lane: Lane, configuration: Configuration) -> dict[Key, Bench]:
    """Return the runners of a lane that can serve no run of a relay that starts now."""
    out: dict[Key, Bench] = {}
    disabled = {key: p.name for p in configuration.providers if p.disabled for key in p.members}
    for key in lane.everyone:
        binary = configuration.harnesses[key[0]].binary
        if key in disabled:
            why = f"the provider {disabled[key]} is disabled, check [providers] disabled flags"
            out[key] = Bench(why, for_good=True)
        elif shutil.which(binary) is None:
            out[key] = Bench(f"{binary} is not installed", for_good=True)
    return out


def require_somebody(lane: Lane, out: Benches, configuration: Configuration) -> None:
    """Complain when nobody in a lane can serve; say who is missing, and who stands alone."""
    keys = lane.everyone
    left = [key for key in keys if key not in out]
    whys = list(dict.fromkeys(bench.why for bench in out.values()))
    if not keys:
        raise UsageError("The lane of this relay is empty.", "Name an agent with --agent.")
    if not left:
        disabled = all("provider" in why for why in whys)
        what = "all agents disabled" if disabled else "None of the agents of this mix can run"
        todo = (
            "Enable one, or name another with --agent." if disabled else _installed(configuration)
        )
        raise UsageError(f"{what}: {'; '.join(whys)}.", todo)
    for why in whys:
        warn(f"{why}; the relay goes on without it.")
    if len(left) == 1:
        warn(f"the lane {lane.name} has only {':'.join(filter(None, left[0]))}: no fallback.")


def _installed(configuration: Configuration) -> str:
    names = sorted({h.name for h in configuration.harnesses.values() if shutil.which(h.binary)})
    return f"Install one, or name one that is here with --agent: {', '.join(names)}."
