"""What the form of settings lists: rows in sections, and each value in words."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from mittelo.config.drafts import Draft, own_source
from mittelo.config.edit import is_about
from mittelo.config.findings import Finding, Gravity, Key, dotted
from mittelo.config.layers import Source
from mittelo.config.load import Configuration
from mittelo.config.schema import Settings
from mittelo.config.shapes import key_kind
from mittelo.harness.registry import BUILT_IN
from mittelo.tui.words import in_words, shortened

ROLES = ("default", "junior", "senior", "ui", "verify", "recovery")
_GRAVEST = (Gravity.ERROR, Gravity.LANE, Gravity.NOTE)


class Section(StrEnum):
    """The sections, in their order."""

    DEFAULTS = "Defaults"
    MODELS = "Models"
    PATHS = "Paths and toggles"
    FREE_RUN = "Free run"
    LAPS = "Laps"
    ROUTES = "Routes"
    REASONING = "Reasoning"
    RELIABILITY = "Reliability"
    BUDGET = "Budget"
    NOTIFY = "Notifications"
    SANDBOX = "Policy and sandbox"
    PROVIDERS = "Providers"
    HARNESSES = "Harnesses and their models"
    UNKNOWN = "Unknown keys"


TABLES = {
    "defaults": Section.DEFAULTS,
    "free_run": Section.FREE_RUN,
    "laps": Section.LAPS,
    "routes": Section.ROUTES,
    "reasoning": Section.REASONING,
    "reliability": Section.RELIABILITY,
    "budget": Section.BUDGET,
    "notify": Section.NOTIFY,
    "sandbox": Section.SANDBOX,
    "providers": Section.PROVIDERS,
    "harness": Section.HARNESSES,
}
_NAMED = {Section.ROUTES, Section.REASONING, Section.PROVIDERS, Section.HARNESSES}


class Row(Struct, frozen=True):
    """One setting: the value in force, where that is from, and what the edited file says.

    `own` is the file's own value, None where it has none; `wins` tells that it is the one in
    force. `source` is None for what is built in or not set.
    """

    key: Key
    value: Any
    own: Any
    source: Source | None
    wins: bool
    findings: list[Finding]

    @property
    def section(self) -> Section:
        """Return the section that it stands in."""
        match self.key:
            case ("defaults", str(name)) if name.endswith("_model"):
                return Section.MODELS
            case (str(name),) if name in Settings.__struct_fields__ and name not in TABLES:
                return Section.PATHS
            case _:
                return TABLES.get(self.key[0], Section.UNKNOWN)

    @property
    def name(self) -> str:
        """Return its key without the table of its section."""
        return dotted(self.key[1:] if self.key[0] in TABLES and self.key[1:] else self.key)

    @property
    def origin(self) -> str:
        """Return the layer that its value comes from."""
        if self.source:
            return self.source.layer
        if self.value is None:
            return "ignored" if self.own is not None else "not set"
        return "built-in"

    @property
    def shown(self) -> str:
        """Return the value in force in words, or else what the file says to no effect."""
        words = in_words(self.key, self.own if self.value is None else self.value)
        return words.replace("\n", "⏎")

    @property
    def editable(self) -> str:
        """Return the words that editing starts from: the file's own, or else those in force."""
        return in_words(self.key, self.value if self.own is None else self.own)

    @property
    def flipped(self) -> str | None:
        """Return the other value of a switch; None for what is not a switch."""
        if key_kind(self.key) is not bool:
            return None
        on = self.own if isinstance(self.own, bool) else self.value
        return in_words(self.key, not on)

    @property
    def gravity(self) -> Gravity | None:
        """Return how grave the worst is that was found about it."""
        found = {finding.gravity for finding in self.findings}
        return next((gravity for gravity in _GRAVEST if gravity in found), None)

    def matches(self, typed: str) -> bool:
        """Tell whether every word that was typed occurs in it."""
        text = f"{dotted(self.key)} {self.section} {self.shown} {self.origin}".casefold()
        return all(word in text for word in typed.casefold().split())


def all_rows(draft: Draft, configuration: Configuration) -> list[Row]:
    """Return the rows of all settings, in order."""
    held = dict(_leaves(draft.table(), ()))
    own = own_source(draft, configuration)
    old_names = own.renamed if own else {}
    values = {**_in_force(configuration), **_unset_roles(configuration)}
    known = {*values, *old_names.values()}
    values |= {key: None for key in held if key not in known}
    rows = []
    for key, value in values.items():
        name = old_names.get(key, key)
        source = configuration.origins.get(key)
        found = [one for one in configuration.findings if is_about(one, key) or is_about(one, name)]
        wins = source is not None and source is own
        rows.append(Row(key, value, held.get(name), source, wins, found))
    return sorted(rows, key=_place)


def in_order(findings: list[Finding], first: list[Finding]) -> list[Finding]:
    """Return findings with some of them first, then by how grave they are."""
    return sorted(findings, key=lambda one: (one not in first, _GRAVEST.index(one.gravity)))


def detail(row: Row, draft: Draft) -> str:
    """Return all that there is to know of a setting."""
    where = f"{row.source.layer}, {row.source.where(row.key)}" if row.source else row.origin
    words = f"{dotted(row.key)} = {row.shown}\n{shortened(where, draft)}"
    if row.own is None or row.wins:
        return words
    return f"{words} · this file says: {in_words(row.key, row.own)}"


def _in_force(configuration: Configuration) -> dict[Key, Any]:
    everything = msgspec.to_builtins(configuration.settings)
    return {
        key: value
        for key, value in _leaves(everything, ())
        if key in configuration.origins or not _means_nothing(key)
    }


def _means_nothing(key: Key) -> bool:
    """Tell whether a setting cannot be made: a built-in harness has nothing but models."""
    return key[0] == "harness" and any(key[1] in (h.name, *h.aliases) for h in BUILT_IN)


def _unset_roles(configuration: Configuration) -> dict[Key, Any]:
    there = {role.strip().casefold() for role in configuration.settings.routes}
    return {("routes", role): None for role in ROLES if role not in there}


def _leaves(table: Mapping[str, Any], at: Key) -> Iterator[tuple[Key, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*at, name))
        else:
            yield (*at, name), value


def _place(row: Row) -> tuple[int, int, str]:
    section = [*Section].index(row.section)
    name = row.key[1].casefold() if row.key[1:] and row.section in _NAMED else ""
    if row.section is Section.ROUTES:
        return section, ROLES.index(name) if name in ROLES else len(ROLES), name
    return section, 0, name
