"""Whether the routes will do: lanes, runners, providers and roles, for `rally routes check`."""

import shutil
from collections.abc import Iterator

from msgspec import Struct

from mittelo.config.findings import Gravity
from mittelo.config.load import Configuration
from mittelo.core.routes import Lane
from mittelo.errors import UsageError
from mittelo.rally.assignees import open_assignees
from mittelo.rally.roles import RoleText, all_roles
from mittelo.rally.roster import BUILT_IN_MIX, DEFAULT, Wanted, mix_lane, route_lanes
from mittelo.repo.workspace import Workspace

RECOVERY = "recovery"
SAID_ALREADY = {
    "laps done": "how to finish a lap",
    "laps handoff": "how to hand a lap off",
    "laps wrapup": "how to wrap a run up",
    "headless": "that nobody answers questions",
}
"""What a role's text need not say, as every prompt that works a queue says it."""


class RunnerReport(Struct):
    """One entry of a lane, resolved."""

    entry: str
    harness: str
    model: str
    effort: str
    quota: str
    installed: bool
    quota_scope: str
    disabled: bool


class LaneReport(Struct):
    """One lane."""

    name: str
    entries: list[RunnerReport]


class ProviderReport(Struct):
    """One provider with its members, as `harness:model`."""

    name: str
    members: list[str]
    disabled: bool


class RoleReport(Struct):
    """The text of one role: about how many tokens, and where it stands."""

    name: str
    tokens: int
    source: str


class Report(Struct):
    """Everything that the check tells; an error among the findings fails it."""

    lanes: list[LaneReport]
    broken: list[str]
    providers: list[ProviderReport]
    roles: list[RoleReport]
    errors: list[str]
    warnings: list[str]
    infos: list[str]
    advisories: list[str]


def check_routes(workspace: Workspace, configuration: Configuration) -> Report:
    """Return the report on a workspace's routes."""
    lanes, broken = route_lanes(configuration, Wanted())
    roles = all_roles(workspace.paths.agents)
    queue_errors: list[str] = []
    assignees: set[str] = set()
    try:
        assignees = open_assignees(workspace.root)
    except UsageError as error:
        queue_errors.append(error.what)
    infos = [*_disabled(configuration), *_unused(configuration, assignees)]
    warnings = [str(finding) for finding in configuration.of(Gravity.NOTE)]
    warnings += [*_lane_doubts(configuration, lanes), *_unserved(configuration, assignees)]
    warnings += _outside_wildcards(configuration, lanes)
    warnings += _without_text(configuration, roles)
    errors = [str(finding) for finding in configuration.of(Gravity.ERROR, Gravity.LANE)]
    return Report(
        lanes=[_lane_report(name, lane, configuration) for name, lane in sorted(lanes.items())],
        broken=sorted(broken),
        providers=[
            ProviderReport(p.name, [":".join(key) for key in p.members], p.disabled)
            for p in configuration.providers
        ],
        roles=[RoleReport(r.role, len(r.text.encode()) // 4, _source(r)) for r in roles],
        errors=errors + queue_errors,
        warnings=warnings,
        infos=infos,
        advisories=[advice for role in roles for advice in _advisories(role)],
    )


def _lane_report(name: str, lane: Lane, configuration: Configuration) -> LaneReport:
    words = configuration.settings.routes.get(name, [])
    disabled = {key for p in configuration.providers if p.disabled for key in p.members}
    entries = []
    for word, entry in zip(words, lane.entries, strict=True):
        runner = entry.runners[0]
        entries.append(
            RunnerReport(
                entry=word,
                harness=runner.harness,
                model=runner.model,
                effort=runner.effort,
                quota=str(entry.quota or ""),
                installed=_is_installed(runner.harness, configuration),
                quota_scope=configuration.quota_scope(runner.key),
                disabled=runner.key in disabled,
            )
        )
    return LaneReport(name, entries)


def _is_installed(harness: str, configuration: Configuration) -> bool:
    return shutil.which(configuration.harnesses[harness].binary) is not None


def _lane_doubts(configuration: Configuration, lanes: dict[str, Lane]) -> Iterator[str]:
    routes = configuration.settings.routes
    if routes and DEFAULT not in {role.strip().casefold() for role in routes}:
        yield "no default route: runs without a role, or with one that has no route, cannot start."
    if not routes:
        lanes = {**lanes, **_mix(configuration)}
    missing: dict[str, list[str]] = {}
    for name, lane in lanes.items():
        if len(lane.everyone) == 1:
            runner = lane.entries[0].runners[0].label
            yield f"route {name!r} has only {runner}: there is no fallback when it fails."
        for harness in dict.fromkeys(harness for harness, _ in lane.everyone):
            if not _is_installed(harness, configuration):
                missing.setdefault(harness, []).append(name)
    for harness, names in missing.items():
        binary = configuration.harnesses[harness].binary
        yield f"{harness} ({binary}) is not installed; needed by: {', '.join(names)}."


def _outside_wildcards(configuration: Configuration, lanes: dict[str, Lane]) -> Iterator[str]:
    """Yield the models of lanes that look like a provider's but are not configured as its."""
    members = {key for provider in configuration.providers for key in provider.members}
    scopes = {
        configuration.catalogue.harnesses[h].quota_scope(m): p.name
        for p in configuration.providers
        for h, m in p.members
    }
    for key in dict.fromkeys(key for lane in lanes.values() for key in lane.everyone):
        scope = configuration.catalogue.harnesses[key[0]].quota_scope(key[1])
        if key not in members and key[1] and ":" in scope and scope in scopes:
            yield (
                f"{':'.join(key)} is no member of provider {scopes[scope]!r}: a wildcard matches "
                "models that [harness.*.models] or [defaults] name; give it an alias there."
            )


def _mix(configuration: Configuration) -> dict[str, Lane]:
    mix = configuration.settings.defaults.mix.strip() or BUILT_IN_MIX
    try:
        return {"(default mix)": mix_lane(mix, configuration, Wanted())}
    except UsageError:
        return {}  # its own finding tells of it


def _disabled(configuration: Configuration) -> Iterator[str]:
    for provider in configuration.providers:
        if provider.disabled:
            members = ", ".join(":".join(key) for key in provider.members)
            yield f"provider {provider.name!r} is disabled; these serve no run: {members}."


def _unused(configuration: Configuration, assignees: set[str]) -> Iterator[str]:
    folded = {name.casefold() for name in assignees} | {DEFAULT, RECOVERY}
    for role in sorted(configuration.settings.routes):
        if role.strip().casefold() not in folded:
            yield f"route {role!r} is not used: no open lap is assigned to it."


def _unserved(configuration: Configuration, assignees: set[str]) -> Iterator[str]:
    routes = {role.strip().casefold() for role in configuration.settings.routes}
    for name in sorted(assignees):
        if routes and name.casefold() not in routes:
            yield f"laps are assigned to {name!r}, which has no route; the default one serves them."


def _without_text(configuration: Configuration, roles: list[RoleText]) -> Iterator[str]:
    known = {role.role.casefold() for role in roles} | {DEFAULT}
    for role in sorted(configuration.settings.routes):
        if role.strip().casefold() not in known:
            yield f"the role {role!r} has no text: write .rally/agents/user/{role}.md."


def _source(role: RoleText) -> str:
    if role.path is None:
        return "embedded"
    return "managed" if role.path.parent.name == "builtin" else "custom"


def _advisories(role: RoleText) -> Iterator[str]:
    """Yield the first thing that a user's own text says although the prompt says it anyway."""
    if _source(role) == "custom":
        text = role.text.casefold()
        for term, what in SAID_ALREADY.items():
            if term in text:
                yield f"the text of {role.role!r} mentions {term!r}; every prompt tells {what}."
                return
