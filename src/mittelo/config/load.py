"""Read the user's and the repository's configuration into settings, with clear complaints."""

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from mittelo.config.paths import WorkspacePaths, user_config
from mittelo.config.schema import SCHEMA_VERSION, HarnessTable, Settings
from mittelo.errors import UsageError
from mittelo.harness.base import Harness
from mittelo.harness.registry import BUILT_IN, all_harnesses

Kind = TypeVar("Kind")
MIN_TIMEOUT_SECONDS = 300
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_STREAMS = ("stdout", "stderr", "combined")
_TABLES = ("defaults", "free_run", "reliability")
_ALL_KEYS = {
    key: f"{table}.{key}"
    for table in _TABLES
    for key in type(getattr(Settings(), table)).__struct_fields__
}


class Configuration(Struct, frozen=True):
    """The settings, every harness by name and alias, and notes that the user should see."""

    settings: Settings
    harnesses: dict[str, Harness]
    notes: list[str]

    def model_of(self, harness: Harness, word: str) -> str:
        """Return the model that a word names for a harness; "" names its default model.

        A word that no `models` table of the harness holds is the model's own name.
        """
        if not word:
            return str(getattr(self.settings.defaults, f"{harness.name}_model", ""))
        for name in (harness.name, *harness.aliases):
            if (table := self.settings.harness.get(name)) and word in table.models:
                return table.models[word]
        return word


def load_configuration(paths: WorkspacePaths) -> Configuration:
    """Load both files; tables merge key by key, everything else is replaced as a whole."""
    notes: list[str] = []
    merged: dict[str, Any] = {}
    for path in (user_config(), paths.config):
        table = _read(path)
        _check(table, path)
        notes += [f"{path}: {note}" for note in _unknown_keys(table)]
        notes += _version_note(table, path)
        merged = _merge(merged, table)
    settings = msgspec.convert(merged, Settings)
    limits = settings.reliability
    if 0 < limits.try_timeout_secs < MIN_TIMEOUT_SECONDS:
        notes.append(
            f"reliability.try_timeout_secs = {limits.try_timeout_secs} is too short; "
            f"{MIN_TIMEOUT_SECONDS} is used."
        )
    declared = {n: t.declaration() for n, t in settings.harness.items() if t.command}
    notes += [note for name, made in declared.items() for note in _tui_note(name, made.command)]
    return Configuration(settings, all_harnesses(declared), notes)


def try_seconds(settings: Settings) -> float:
    """Return how long a try may take; nothing sensible asked for means the default."""
    asked = settings.reliability.try_timeout_secs
    default = Settings().reliability.try_timeout_secs
    return max(asked, MIN_TIMEOUT_SECONDS) if asked > 0 else default


def retry_budget(settings: Settings) -> int:
    """Return how many attempts a run has; nothing sensible asked for means the default."""
    asked = settings.reliability.retry_budget
    return asked if asked > 0 else Settings().reliability.retry_budget


def editor() -> str:
    """Return the user's editor, which may carry arguments."""
    return os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"


def environment() -> dict[str, str]:
    """Return a copy of our environment, for a process that we start."""
    return dict(os.environ)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}.", "Mend the file.") from error


def _check(table: dict[str, Any], path: Path) -> None:
    for name, declared in _harness_tables(table).items():
        _convert(declared, HarnessTable, path, f"harness.{name}.")
    settings = _convert(table, Settings, path, "")
    for name, declared in settings.harness.items():
        for complaint in _harness_complaints(name, declared, table["harness"][name]):
            raise UsageError(f"{path}: [harness.{name}]: {complaint}", "Mend the file.")


def _harness_tables(table: Mapping[str, Any]) -> dict[str, Any]:
    found = table.get("harness")
    return found if isinstance(found, dict) else {}


def _convert(table: object, kind: type[Kind], path: Path, prefix: str) -> Kind:
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        key = prefix + where.rstrip("`") or "the file"
        raise UsageError(f"{path}: {key}: {what}.", "Mend the file.") from error


def _harness_complaints(name: str, table: HarnessTable, raw: Mapping[str, Any]) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield "invalid harness name; letters, digits, - and _, a letter first."
    built_in = {word for harness in BUILT_IN for word in (harness.name, *harness.aliases)}
    if name in built_in and (own := sorted({*raw} - {"models", "output_lines"})):
        yield f"{', '.join(own)} cannot be set for a built-in harness, only models."
    if name not in built_in and not table.command:
        yield "a harness of your own needs a command."
    if any("$MODEL" in part for part in table.command):
        yield "$MODEL is not replaced in a command; use model_flag."
    if table.output_strategy not in {"", "tail"}:
        yield f"output_strategy {table.output_strategy!r} is unknown; only tail is."
    if table.tail_stream not in _STREAMS:
        yield f"tail_stream {table.tail_stream!r} is none of {', '.join(_STREAMS)}."
    for alias, model in table.models.items():
        if not _NAME.fullmatch(alias) or not model:
            yield f"model {alias!r} needs a name that starts with a letter, and a value."


def _tui_note(name: str, command: list[str]) -> Iterator[str]:
    if command[0] == "opencode" and command[1:2] != ["run"]:
        yield (
            f"[harness.{name}] starts opencode in TUI mode, which never exits; "
            'use the built-in agent op, or command = ["opencode", "run", …].'
        )


def _version_note(table: Mapping[str, Any], path: Path) -> Iterator[str]:
    found = table.get("schema_version", SCHEMA_VERSION)
    if found not in {0, SCHEMA_VERSION}:
        yield f"{path}: schema_version is {found}, this mittelo knows {SCHEMA_VERSION}."


def _unknown_keys(table: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown(table, Settings, "")
    for name in _TABLES:
        kind = type(getattr(Settings(), name))
        yield from _unknown(table.get(name, {}), kind, f"{name}.")
    for name, harness in _harness_tables(table).items():
        yield from _unknown(harness, HarnessTable, f"harness.{name}.")


def _unknown(table: Mapping[str, Any], kind: type[Struct], prefix: str) -> Iterator[str]:
    known = kind.__struct_fields__
    for key in table:
        if key not in known:
            near = [f"{prefix}{word}" for word in difflib.get_close_matches(key, known, n=1)]
            elsewhere = difflib.get_close_matches(key, _ALL_KEYS, n=1)
            near += [_ALL_KEYS[word] for word in elsewhere]
            meant = f"; did you mean {near[0]}?" if near else "."
            yield f"unknown key {prefix}{key}{meant}"


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged
