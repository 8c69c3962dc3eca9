"""Where settings come from: the layers of the configuration, laid one over the other."""

import difflib
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from mittelo.config.findings import Finding, Gravity, Key
from mittelo.config.lines import find_line
from mittelo.config.schema import Settings
from mittelo.errors import UsageError

PREFIX = "RALLY_"
NO_SETTINGS = {"RALLY_TEST_REAL_AGENTS", "RALLY_NO_UPDATE_CHECK", "RALLY_TELEMETRY"}
BYTE_ORDER_MARK = "\ufeff"
DEEPEST = 50


class Source(Struct, frozen=True):
    """One layer: a file, or the environment.

    `renamed` tells under which older key a setting stands in the file.
    """

    layer: str
    path: str = ""
    text: str = ""
    table: dict[str, Any] = {}
    renamed: dict[Key, Key] = {}

    def line(self, key: Key, item: object = None) -> int:
        """Return the line of a key in the file, or of the nearest table around it; else 0."""
        key = self.renamed.get(key, key)
        around = (key[:length] for length in range(len(key), 0, -1))
        lines = (find_line(self.text, part, item) for part in around if self.text)
        return next((line for line in lines if line), 0)

    def where(self, key: Key, item: object = None) -> str:
        """Return where a key stands, for a person."""
        if self.layer == "environment":
            return variable(key)
        line = self.line(key, item)
        return f"{self.path}:{line}" if line else self.path


def read_source(layer: str, path: Path, draft: str | None = None) -> tuple[Source, list[Finding]]:
    """Read a file, or a draft of it; what keeps it from being read is found, it counts as empty."""
    empty = Source(layer, str(path))
    try:
        text = path.read_bytes().decode() if draft is None else draft
        text = text.removeprefix(BYTE_ORDER_MARK)
        table = tomllib.loads(text)
        if _is_deep(table):
            return empty, [_unreadable(path, "nested too deeply")]
        return Source(layer, str(path), text, table), []
    except (FileNotFoundError, NotADirectoryError):
        return empty, []
    except tomllib.TOMLDecodeError as error:
        return empty, [_unreadable(path, f"not valid TOML: {error}")]
    except UnicodeDecodeError as error:
        return empty, [_unreadable(path, f"not valid UTF-8 at byte {error.start}")]
    except ValueError as error:
        return empty, [_unreadable(path, f"not readable: {error}")]
    except RecursionError:
        return empty, [_unreadable(path, "nested too deeply")]
    except OSError as error:
        return empty, [_unreadable(path, f"not readable: {error.strerror}")]


def _is_deep(table: object) -> bool:
    """Tell whether tables and lists lie in each other deeper than anything that is meant."""
    level: list[object] = [table]
    for _ in range(DEEPEST):
        inner = (held.values() if isinstance(held, dict) else held for held in level)
        level = [held for part in inner for held in part if isinstance(held, dict | list)]  # type: ignore[attr-defined]  # only tables and lists are kept
        if not level:
            return False
    return True


def _unreadable(path: Path, why: str) -> Finding:
    return Finding(Gravity.ERROR, (), f"{why}.", repair_word(path), str(path))


def repair_word(path: Path) -> str:
    """Return how a file that cannot be read is mended."""
    repo = " --repo" if path.parent.name == ".rally" else ""
    return f"Mend it with: rally config edit{repo}"


def environment_source(env: Mapping[str, str]) -> tuple[Source, list[Finding]]:
    """Return the settings that stand in variables such as RALLY_DEFAULTS_MIX."""
    table: dict[str, Any] = {}
    known = {variable(key): (key, kind) for key, kind in scalars(Settings)}
    found = [_unknown(name, known) for name in env if _is_misspelt(name, known)]
    for name in known.keys() & env.keys():
        key, kind = known[name]
        if not is_unicode(env[name]):
            found.append(Finding(Gravity.ERROR, key, "not valid UTF-8.", "Set it anew.", name))
            continue
        held = table
        for part in key[:-1]:
            held = held.setdefault(part, {})
        held[key[-1]] = _from_text(env[name], kind)
    return Source("environment", table=table), found


def _is_misspelt(name: str, known: Collection[str]) -> bool:
    return name.startswith(PREFIX) and name not in known and name not in NO_SETTINGS


def _unknown(name: str, known: Collection[str]) -> Finding:
    tables = {variable((field,)) + "_" for field in ("routes", "reasoning", "providers", "harness")}
    if name.startswith(tuple(tables)):
        todo = "Routes, reasoning, providers and harnesses are set in files alone."
    else:
        near = difflib.get_close_matches(name, known, n=1)
        todo = f"Did you mean {near[0]}?" if near else "It is ignored."
    return Finding(Gravity.NOTE, (), f"no setting has the variable {name}.", todo)


def variable(key: Key) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + "_".join(key).upper()


def scalars(kind: type[Struct], at: Key = ()) -> Iterator[tuple[Key, type]]:
    """Yield every setting that is one word, number or switch, with its type."""
    for field in msgspec.structs.fields(kind):
        key = (*at, field.name)
        if field.type in {str, int, bool, float}:
            yield key, field.type
        elif isinstance(field.type, type) and issubclass(field.type, Struct):
            yield from scalars(field.type, key)


def _from_text(value: str, kind: type) -> object:
    """Return a value that a variable holds; one of the wrong kind stays text, and is told of."""
    try:
        return msgspec.convert(value.strip() if kind is not str else value, kind, strict=False)
    except msgspec.ValidationError:
        return value


def merge(sources: list[Source]) -> tuple[dict[str, Any], dict[Key, Source]]:
    """Lay later sources over earlier ones; tells too which source each setting is from.

    Tables merge key by key; everything else is replaced as a whole. Roles that differ by letter
    case are one.
    """
    merged: dict[str, Any] = {}
    origins: dict[Key, Source] = {}
    for source in sources:
        for name in ("routes", "reasoning"):
            _drop_same_roles(merged, origins, name, source.table)
        _lay_over(merged, source.table, (), source, origins)
    return merged, origins


def _lay_over(
    base: dict[str, Any],
    over: Mapping[str, Any],
    at: Key,
    source: Source,
    origins: dict[Key, Source],
) -> None:
    for name, value in over.items():
        key = (*at, name)
        if isinstance(value, dict):
            if not isinstance(base.get(name), dict):
                base[name] = {}
                origins[key] = source
            _lay_over(base[name], value, key, source, origins)
        else:
            base[name] = value
            origins[key] = source


def _drop_same_roles(
    merged: dict[str, Any], origins: dict[Key, Source], name: str, over: Mapping[str, Any]
) -> None:
    held, new = merged.get(name), over.get(name)
    if not isinstance(held, dict) or not isinstance(new, dict):
        return
    folded = {role.strip().casefold() for role in new}
    for role in [role for role in held if role.strip().casefold() in folded]:
        del held[role]
        origins.pop((name, role), None)


def origin_of(key: Key, origins: Mapping[Key, Source]) -> Source | None:
    """Return the source of a setting or of the nearest table around it; None: it is built in."""
    for length in range(len(key), 0, -1):
        if key[:length] in origins:
            return origins[key[:length]]
    return None


def parse_key(text: str) -> Key:
    """Return the parts of a key as a person writes it, quoted where TOML wants it."""
    try:
        plain = "\n" not in text and is_unicode(text)
        held: object = tomllib.loads(f"{text} = 0") if plain else None
    except (ValueError, RecursionError):
        held = None
    parts: list[str] = []
    while isinstance(held, dict) and len(held) == 1:
        part, held = next(iter(held.items()))
        parts.append(part)
    if held != 0 or not parts:
        raise UsageError(f"{text!r} is not a key.", "Write one such as routes.senior.")
    return tuple(parts)


def is_unicode(text: str) -> bool:
    """Tell whether text from outside is whole: bytes that are no UTF-8 come as surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
