"""What is wrong with the settings as a whole, once all layers are laid together."""

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import asdict

from mittelo.config.findings import Finding, Gravity, Key
from mittelo.config.limits import timeouts
from mittelo.config.mixing import mix_slots
from mittelo.config.models import Catalogue
from mittelo.config.reasoning import check_preference
from mittelo.config.schema import HarnessTable, SandboxTable, Settings
from mittelo.core.endpoints import endpoints_of
from mittelo.core.mixes import parse_entry
from mittelo.core.notices import Happening
from mittelo.core.policies import Network, Policy
from mittelo.errors import UsageError
from mittelo.harness.registry import BUILT_IN

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\*?", re.ASCII)
_STREAMS = ("stdout", "stderr", "combined")


def check_harnesses(settings: Settings, raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with `[harness.*]`; `raw` are the tables as they were written."""
    for name, table in settings.harness.items():
        at = ("harness", name)
        for key, complaint in _harness_complaints(name, table, raw.get(name, {})):
            yield Finding(Gravity.ERROR, (*at, *key), f"[harness.{name}]: {complaint}")
        yield from _tui_note(name, table.command)


def check_settings(catalogue: Catalogue) -> Iterator[Finding]:
    """Yield what is wrong with numbers, events, roles, reasoning and the default mix."""
    settings = catalogue.settings
    _, notes = timeouts(settings.reliability)
    for name, note in notes.items():
        yield Finding(Gravity.NOTE, ("reliability", name), note)
    yield from _budget(settings)
    yield from _notify(settings)
    yield from _sandbox(settings.sandbox)
    yield from _same_names(settings.routes, "routes", Gravity.LANE)
    yield from _same_names(settings.reasoning, "reasoning", Gravity.ERROR)
    yield from _routes(catalogue)
    yield from _reasoning(catalogue)
    yield from _mix(catalogue)


def _harness_complaints(
    name: str, table: HarnessTable, raw: Mapping[str, Any]
) -> Iterator[tuple[Key, str]]:
    if not _NAME.fullmatch(name):
        yield (), f"invalid harness name {name!r}: letters, digits, - and _, a letter first."
    built_in = {word for harness in BUILT_IN for word in (harness.name, *harness.aliases)}
    if name in built_in:
        for own in sorted({*raw} - {"models", "output_lines"}):
            yield (own,), f"{own} cannot be set for a built-in harness, only models."
    elif not table.command or not table.command[0]:
        yield (), "a harness of your own needs a command."
    if any("$MODEL" in part for part in table.command):
        yield ("command",), "$MODEL is not replaced in a command; use model_flag."
    if table.output_strategy not in {"", "tail"}:
        yield ("output_strategy",), f"unknown output_strategy {table.output_strategy!r}, use tail."
    if table.tail_stream not in _STREAMS:
        streams = ", ".join(_STREAMS)
        yield ("tail_stream",), f"tail_stream {table.tail_stream!r} is none of {streams}."
    for alias, model in table.models.items():
        if not _NAME.fullmatch(alias):
            yield (
                ("models", alias),
                f"model alias {alias!r} needs a letter first, no blanks.",
            )
        if not model.strip():
            yield ("models", alias), f"model alias {alias!r} stands for nothing."


def _tui_note(name: str, command: list[str]) -> Iterator[Finding]:
    if command[:1] == ["opencode"] and command[1:2] != ["run"]:
        what = f"[harness.{name}] starts opencode in TUI mode, which never exits."
        todo = 'Use the built-in agent op, or command = ["opencode", "run", …].'
        yield Finding(Gravity.NOTE, ("harness", name, "command"), what, todo)


def _budget(settings: Settings) -> Iterator[Finding]:
    for name, limit in asdict(settings.budget).items():
        if not 0 <= limit < math.inf:
            what = f"budget.{name} = {limit} is no budget."
            todo = "Give a number above 0, or 0 for no limit."
            yield Finding(Gravity.ERROR, ("budget", name), what, todo)


def _sandbox(table: SandboxTable) -> Iterator[Finding]:
    """Yield what is wrong with the words and places of `[sandbox]`."""
    for key, known in (("policy", ("", *Policy)), ("network", (*Network,))):
        if (word := getattr(table, key)) not in known:
            what = f"sandbox.{key} {word!r} is none of {', '.join(filter(None, known))}."
            yield Finding(Gravity.ERROR, ("sandbox", key), what, "Name one of them.")
    if table.enabled and table.policy == Policy.FULL:
        what = "sandbox.policy full lets a run do anything; a sandbox would not."
        yield Finding(Gravity.ERROR, ("sandbox", "policy"), what, "Name another policy.")
    for key in ("readable", "writable"):
        for word in getattr(table, key):
            if not word.startswith(("/", "~/")) or word == "/":
                what = f"sandbox.{key}: {word!r} is no folder from / or ~/ on."
                todo = "Name a folder in full."
                yield Finding(Gravity.ERROR, ("sandbox", key), what, todo, item=word)
    for word in table.hosts:
        try:
            endpoints_of([word])
        except UsageError as error:
            yield Finding(Gravity.ERROR, ("sandbox", "hosts"), error.what, error.todo, item=word)
    for key in ("home_files", "logins"):
        for word in getattr(table, key):
            if word in {"", "."} or word.startswith(("/", "~")) or ".." in word.split("/"):
                what = f"sandbox.{key}: {word!r} is no path below the home."
                todo = "Write it from the home on: .codex/auth.json"
                yield Finding(Gravity.ERROR, ("sandbox", key), what, todo, item=word)
    for word in table.variables:
        if not _VARIABLE.fullmatch(word):
            what = f"sandbox.variables: {word!r} is no name of a variable, nor NAME_*."
            todo = "Write the name alone; the value is taken from the environment."
            yield Finding(Gravity.ERROR, ("sandbox", "variables"), what, todo, item=word)


def _notify(settings: Settings) -> Iterator[Finding]:
    notify = settings.notify
    if notify.command and not notify.command[0].strip():
        what = "notify.command names no program."
        yield Finding(Gravity.ERROR, ("notify", "command"), what, "Name one, or remove it.")
    for word in notify.events:
        if word not in {*Happening}:
            near = difflib.get_close_matches(word, [*Happening], n=1)
            todo = f"Did you mean {near[0]}?" if near else f"Known are: {', '.join(Happening)}."
            what = f"notify.events: there is no event {word!r}."
            yield Finding(Gravity.ERROR, ("notify", "events"), what, todo, item=word)


def _same_names(names: Iterable[str], table: str, gravity: Gravity) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for name in names:
        folded = name.strip().casefold()
        if not folded:
            yield Finding(gravity, (table, name), f"a role without a name in [{table}].")
        elif folded in first:
            what = f"the roles {first[folded]!r} and {name!r} in [{table}] differ only by case."
            yield Finding(gravity, (table, name), what, "Remove one of them.")
        first.setdefault(folded, name)


def _routes(catalogue: Catalogue) -> Iterator[Finding]:
    routes = catalogue.settings.routes
    roles = {role.strip().casefold(): role for role in routes}
    for role, entries in routes.items():
        at = ("routes", role)
        if not entries:
            todo = "Name an agent in it, or remove it."
            yield Finding(Gravity.LANE, at, f"route {role!r} is empty.", todo)
        for entry in entries:
            try:
                _check_entry(entry, roles, catalogue)
            except UsageError as error:
                what = f"route {role!r}: {entry!r}: {error.what}"
                yield Finding(Gravity.LANE, at, what, error.todo, item=entry)


def _check_entry(entry: str, roles: Mapping[str, str], catalogue: Catalogue) -> None:
    named = roles.get(entry.partition(":")[0].strip().casefold())
    if named is not None:
        raise UsageError(
            f"{named!r} is a role.", "Roles can be named in --agent only; name an agent here."
        )
    catalogue.resolve(parse_entry(entry))


def _reasoning(catalogue: Catalogue) -> Iterator[Finding]:
    for role in catalogue.settings.reasoning:
        at = ("reasoning", role)
        try:
            doubt = check_preference(catalogue, role)
        except UsageError as error:
            what = error.what if error.what.startswith("[") else f"[reasoning] {role}: {error.what}"
            yield Finding(Gravity.ERROR, at, what, error.todo)
        else:
            if doubt:
                yield Finding(Gravity.NOTE, at, f"[reasoning] {role}: {doubt}")


def _mix(catalogue: Catalogue) -> Iterator[Finding]:
    mix = catalogue.settings.defaults.mix
    at = ("defaults", "mix")
    try:
        mix_slots(mix, catalogue)
    except UsageError as error:
        yield Finding(Gravity.LANE, at, f"[defaults].mix {mix!r}: {error.what}", error.todo)
    if mix.strip() and catalogue.settings.routes:
        what = "[defaults].mix is not used, as there are [routes]."
        yield Finding(Gravity.NOTE, at, what, "Remove one of the two.")
