"""Whether the settings of one source have the right names and types; those that do not are left.

A broken setting is told of and left out, so that everything else can still be used.
"""

import difflib
import re
import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin

import msgspec
from msgspec import Struct

from mittelo.config.findings import Finding, Gravity, Key, dotted
from mittelo.config.layers import Source
from mittelo.config.schema import SCHEMA_VERSION, UNUSED, Settings
from mittelo.errors import UsageError

_LEFT_OUT = object()
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "bool": "true or false",
    "float": "a number",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


def shaped(source: Source) -> tuple[dict[str, Any], list[Finding]]:
    """Return the settings of a source that have the right shape, and what was found."""
    found: list[Finding] = []
    table = _struct(source.table, Settings, (), found)
    found += _worth_a_word(table)
    placed = [msgspec.structs.replace(f, where=source.where(f.key, f.item)) for f in found]
    return table, placed


def key_kind(key: Key) -> object:
    """Return the type of a setting; None where no setting has this key."""
    kind: object = Settings
    for part in key:
        kind = _inner(kind, part)
        if kind is None:
            return None
    return kind


def require_setting(key: Key) -> None:
    """Complain of a key that no setting has, with the one that was probably meant."""
    if key_kind(key) is None:
        near = nearest_key(key)
        todo = f"Did you mean {near}?" if near else "See all: rally config show"
        raise UsageError(f"There is no setting {dotted(key)}.", todo)


def nearest_key(key: Key) -> str:
    """Return the setting that was probably meant by a key that there is not; "" if none is near."""
    *before, last = key
    everywhere = {path[-1]: path for path in _all_keys(Settings, ())}
    if not before and last in everywhere:
        return dotted(everywhere[last])
    kind = key_kind(tuple(before))
    table = table_kind(kind) if before else Settings
    siblings = [field.name for field in msgspec.structs.fields(table)] if table else []
    if near := difflib.get_close_matches(last, siblings, n=1):
        return dotted((*before, near[0]))
    near = difflib.get_close_matches(last, everywhere, n=1, cutoff=0.75)
    return dotted(everywhere[near[0]]) if near else ""


def table_kind(kind: object) -> type[Struct] | None:
    """Return the Struct that a type is or may be."""
    options = get_args(kind) if get_origin(kind) in {Union, types.UnionType} else (kind,)
    found = (o for o in options if isinstance(o, type) and issubclass(o, Struct))
    return next(found, None)


def _inner(kind: object, part: str) -> object:
    if get_origin(kind) is dict:
        return get_args(kind)[1]
    if struct := table_kind(kind):
        found = (f.type for f in msgspec.structs.fields(struct) if f.name == part)
        return next(found, None)
    return None


def _all_keys(kind: type[Struct], at: Key) -> Iterator[Key]:
    for field in msgspec.structs.fields(kind):
        key = (*at, field.name)
        yield key
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            yield from _all_keys(field.type, key)


def _struct(
    table: dict[str, Any], kind: type[Struct], at: Key, found: list[Finding]
) -> dict[str, Any]:
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    kept: dict[str, Any] = {}
    for name, value in table.items():
        if name not in fields:
            found.append(_unknown((*at, name)))
            continue
        if (shape := _value(value, fields[name], (*at, name), found)) is not _LEFT_OUT:
            kept[name] = shape
    return kept


def _value(value: object, kind: object, key: Key, found: list[Finding]) -> object:
    struct = table_kind(kind)
    if struct and isinstance(value, dict):
        return _struct(value, struct, key, found)
    if get_origin(kind) is dict and isinstance(value, dict):
        inner = get_args(kind)[1]
        shapes = {name: _value(v, inner, (*key, name), found) for name, v in value.items()}
        return {name: shape for name, shape in shapes.items() if shape is not _LEFT_OUT}
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        what = f"{dotted(key)}: {_in_words(error)}."
        found.append(Finding(_gravity(key), key, what, item=_wrong_item(value, kind)))
        return _LEFT_OUT
    return value


def _wrong_item(value: object, kind: object) -> object:
    """Return the first item of a list that is no text, where texts are wanted."""
    if not isinstance(value, list) or kind is str:
        return None
    return next((item for item in value if not isinstance(item, str)), None)


def _gravity(key: Key) -> Gravity:
    return Gravity.LANE if key[0] == "routes" else Gravity.ERROR


def _in_words(error: msgspec.ValidationError) -> str:
    """Return what msgspec complains of, without its own names of types."""
    what, _, where = str(error).partition(" - at `$")
    what = re.sub(r"`([^`]*)`", _kinds_in_words, what)
    where = where.rstrip("`")
    return f"{what[:1].lower()}{what[1:]}" + (f" at {where}" if where else "")


def _kinds_in_words(match: re.Match[str]) -> str:
    kinds = [kind for kind in match[1].split(" | ") if kind != "null"]
    return " or ".join(_WORDS.get(kind, kind) for kind in sorted(kinds))


def _unknown(key: Key) -> Finding:
    near = nearest_key(key)
    otherwise = "Remove it." if key[0] == "providers" else "It is ignored."
    todo = f"Did you mean {near}?" if near else otherwise
    gravity = Gravity.ERROR if key[0] == "providers" else Gravity.NOTE
    return Finding(gravity, key, f"unknown key {dotted(key)}.", todo)


def _worth_a_word(table: dict[str, Any]) -> Iterator[Finding]:
    version = table.get("schema_version", SCHEMA_VERSION)
    if version not in {0, SCHEMA_VERSION}:
        what = f"schema_version is {version}, this rally knows {SCHEMA_VERSION}."
        yield Finding(Gravity.NOTE, ("schema_version",), what, "It is read as well as it can be.")
    for (section, name), why in UNUSED.items():
        if name in table.get(section, {}):
            what = f"{section}.{name} has no effect in this version: {why}."
            yield Finding(Gravity.NOTE, (section, name), what)
