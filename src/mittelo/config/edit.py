"""Change one setting in a file of the configuration; comments and unknown keys survive."""

import contextlib
import shlex
import tomllib
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import tomlkit
from filelock import FileLock
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable, Table

from mittelo.config.findings import Finding, Gravity, Key, dotted
from mittelo.config.layers import BYTE_ORDER_MARK, is_unicode, repair_word
from mittelo.config.load import load_configuration, preview
from mittelo.config.paths import WorkspacePaths, crash_folder, user_config
from mittelo.config.schema import SCHEMA_VERSION
from mittelo.config.shapes import key_kind, require_setting, table_kind
from mittelo.core.mixes import split_unquoted
from mittelo.errors import UsageError
from mittelo.files import write_whole

LOCK_SECONDS = 10.0


def set_value(paths: WorkspacePaths, path: Path, key: Key, words: str) -> object:
    """Set a setting from a word as a person types it, and return its value.

    Refused, with the file as it was, when the setting would be wrong.
    """
    value = value_from(key, words)

    def edit(text: str) -> str:
        after = with_value(text, path, key, value)
        for finding in [
            *faults_about(paths, path, key, after),
            *new_faults(paths, path, text, after),
        ]:
            raise UsageError(finding.what, finding.todo or "Nothing was changed.")
        return after

    change(path, edit)
    return value


def unset_value(path: Path, key: Key) -> bool:
    """Remove a setting, and tables that it leaves empty; tell whether it was there."""
    return change(path, lambda text: without(text, path, key))


def with_value(text: str, path: Path, key: Key, value: object) -> str:
    """Return the text of a file with a setting in it; `path` is for what is complained of."""
    document = _parse(text, path)
    wanted = document.unwrap()
    _put(wanted, key, value)
    wanted.setdefault("schema_version", SCHEMA_VERSION)
    held: MutableMapping[str, Any] = document
    for depth in range(1, len(key)):
        held = _table_in(held, key[:depth], path)
    held[key[-1]] = value
    document.setdefault("schema_version", SCHEMA_VERSION)
    return _checked([tomlkit.dumps(document), _with_line(text, key, value)], wanted, path)


def without(text: str, path: Path, key: Key) -> str:
    """Return the text of a file without a setting and the tables that it leaves empty."""
    document = _parse(text, path)
    way: list[MutableMapping[str, Any]] = [document]
    for part in key[:-1]:
        inner = way[-1].get(part)
        if not isinstance(inner, MutableMapping):
            return text
        way.append(inner)
    if key[-1] not in way[-1]:
        return text
    wanted = document.unwrap()
    _drop(wanted, key)
    del way[-1][key[-1]]
    for held, part in zip(reversed(way[:-1]), reversed(key[:-1]), strict=True):
        if held[part] or _has_comments(held[part]):
            break
        del held[part]
    return _checked([tomlkit.dumps(document)], wanted, path)


def _checked(texts: list[str], wanted: dict[str, Any], path: Path) -> str:
    """Return the first text that holds what is wanted, and nothing else."""
    for text in texts:
        with contextlib.suppress(tomllib.TOMLDecodeError):
            if _filled(tomllib.loads(text.removeprefix(BYTE_ORDER_MARK))) == _filled(wanted):
                return text
    raise UsageError(f"{path} is written in a way that is not safe to edit.", repair_word(path))


def _with_line(text: str, key: Key, value: object) -> str:
    """Return a text with a line of its own for a setting, before the first table."""
    lines = text.splitlines(keepends=True)
    at = next((n for n, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    made = [f"{dotted(key)} = {tomlkit.item(value).as_string()}\n"]
    if not any(line.startswith("schema_version") for line in lines):
        made.insert(0, f"schema_version = {SCHEMA_VERSION}\n")
    return "".join([*lines[:at], *made, *lines[at:]])


def _put(table: dict[str, Any], key: Key, value: object) -> None:
    for part in key[:-1]:
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            return
        table = inner
    table[key[-1]] = value


def _drop(table: dict[str, Any], key: Key) -> None:
    for part in key[:-1]:
        table = table[part]
    table.pop(key[-1], None)


def _filled(table: dict[str, Any]) -> dict[str, Any]:
    """Return a table without empty tables in it: they mean nothing."""
    kept = {k: _filled(v) if isinstance(v, dict) else v for k, v in table.items()}
    return {name: value for name, value in kept.items() if value != {}}


def _has_comments(table: MutableMapping[str, Any]) -> bool:
    """Tell whether an emptied table still holds words of the user's; what follows it, too."""
    if not isinstance(table, Table | InlineTable):
        return False
    return "#" in table.as_string() or "#" in table.trivia.comment


def faults_about(paths: WorkspacePaths, path: Path, key: Key, text: str) -> Iterator[Finding]:
    """Yield what would be wrong with a setting if a file held this text."""
    for finding in preview(paths, path, text, on_top=True).of(Gravity.ERROR, Gravity.LANE):
        if is_about(finding, key) and (not finding.where or finding.where.startswith(str(path))):
            yield finding


def new_faults(paths: WorkspacePaths, path: Path, before: str, after: str) -> list[Finding]:
    """Return what would be wrong anywhere with a new text of a file and is right with the old."""
    old = {finding.what for finding in preview(paths, path, before).findings}
    graver = preview(paths, path, after).of(Gravity.ERROR, Gravity.LANE)
    return [finding for finding in graver if finding.what not in old]


def is_about(finding: Finding, key: Key) -> bool:
    """Tell whether a finding is about a setting, something in it, or a table around it."""
    return finding.key[: len(key)] == key or key[: len(finding.key)] == finding.key != ()


def value_from(key: Key, words: str) -> object:
    """Return the value that words stand for in a setting: a number, a switch, a list, text.

    A list is given as a TOML array, or with commas.
    """
    if not is_unicode(words):
        raise UsageError(f"{dotted(key)} cannot be {words!r}: it is not valid UTF-8.", "")
    require_setting(key)
    kind = key_kind(key)
    if get_origin(kind) is dict or (table_kind(kind) and list not in _origins(kind)):
        raise UsageError(f"{dotted(key)} is a table.", f"Set one of its keys: {dotted(key)}.NAME")
    if list in _origins(kind):
        return _list_from(key, words)
    try:
        return msgspec.convert(words, kind, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{dotted(key)} cannot be {words!r}: {_wanted(kind)} is wanted.", ""
        ) from error


def _origins(kind: object) -> set[object]:
    return {get_origin(kind), *(get_origin(option) for option in get_args(kind))}


def _wanted(kind: object) -> str:
    if kind is float:
        return "a number"
    return "a whole number" if kind is int else "true or false"


def _list_from(key: Key, words: str) -> list[str]:
    text = words.strip()
    if not text.startswith("["):
        parts = _split_commas(text)
        return _split_command(key, text) if key[-1] == "command" and len(parts) == 1 else parts
    try:
        value = tomllib.loads(f"value = {text}")["value"]
        return msgspec.convert(value, list[str])
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UsageError(
            f"{dotted(key)} cannot be {words!r}.", 'Write cc, cx:2 or ["cc", "cx:2"].'
        ) from error


def _split_command(key: Key, text: str) -> list[str]:
    """Split a command as a shell would, which it never reaches."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{dotted(key)} cannot be {text!r}: {error}.", "Write a list.") from error


def _split_commas(text: str) -> list[str]:
    return [part.strip() for part in split_unquoted(text, ",") if part.strip()]


def as_spelled(paths: WorkspacePaths, path: Path | None, key: Key) -> Key:
    """Return the key of a role as a file spells it, or as any does: letter case does not count."""
    if len(key) != 2 or key[0] not in {"routes", "reasoning"}:
        return key
    configuration = load_configuration(paths)
    own = [source for source in configuration.sources if source.path == str(path)]
    for source in [*own, *reversed(configuration.sources)] if path is None else own:
        for name in source.table.get(key[0], {}):
            if name.strip().casefold() == key[1].strip().casefold():
                return key[0], name
    return key


def file_for(paths: WorkspacePaths, *, repo: bool) -> Path:
    """Return the file to edit: the repository's, or the user's."""
    return paths.config if repo else user_config()


def _table_in(held: MutableMapping[str, Any], key: Key, path: Path) -> MutableMapping[str, Any]:
    fresh = tomlkit.inline_table() if isinstance(held, InlineTable) else tomlkit.table()
    inner = held.setdefault(key[-1], fresh)
    if isinstance(inner, MutableMapping):
        return inner
    name = dotted(key)
    repo = " --repo" if path.parent.name == ".rally" else ""
    raise UsageError(
        f"{path}: {name} is not a table.", f"Remove it: rally config unset{repo} {name}"
    )


def change(path: Path, edit: Callable[[str], str]) -> bool:
    """Write what `edit` makes of a file's text, with nobody in between; tell if it differs."""
    path = _followed(path)
    crash_folder().mkdir(parents=True, exist_ok=True)
    with FileLock(crash_folder() / "config.lock", timeout=LOCK_SECONDS):
        before = _read(path)
        after = edit(before)
        if after != before:
            path.parent.mkdir(parents=True, exist_ok=True)
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
            write_whole(path, _with_line_ends(after, before).encode(), mode)
    return after != before


def _followed(path: Path) -> Path:
    """Return the file that links lead to, so that they stay links."""
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{path}: it links to itself.", "Remove the link.") from error


def _with_line_ends(text: str, before: str) -> str:
    """Return a text with the line ends that it had all over before."""
    if "\r\n" in before and "\n" not in before.replace("\r\n", ""):
        return text.replace("\r\n", "\n").replace("\n", "\r\n")
    return text


def read_toml(path: Path) -> str:
    """Return the text of a file, "" where there is none; complain when it is not TOML."""
    text = _read(path)
    _parse(text, path)
    return text


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}.", "Put a file there.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not valid UTF-8.", repair_word(path)) from error


def _parse(text: str, path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text.removeprefix(BYTE_ORDER_MARK))
    except TOMLKitError as error:
        raise UsageError(f"{path}: not valid TOML: {error}.", repair_word(path)) from error
