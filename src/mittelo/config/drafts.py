"""Changes to one file of the configuration that are collected first, then written or dropped."""

import tomllib
from functools import reduce
from pathlib import Path
from typing import Any, get_origin

from msgspec import Struct
from msgspec.structs import replace

from mittelo.config.edit import (
    change,
    faults_about,
    read_toml,
    value_from,
    with_value,
    without,
)
from mittelo.config.findings import Key
from mittelo.config.layers import Source
from mittelo.config.load import Configuration, preview
from mittelo.config.paths import WorkspacePaths
from mittelo.config.shapes import key_kind
from mittelo.errors import UsageError


class Change(Struct, frozen=True):
    """A setting gets a value; None, which TOML does not have, removes it."""

    key: Key
    value: object = None


class Draft(Struct, frozen=True):
    """A file as it was read last, what is to be changed in it, and its text with the changes."""

    paths: WorkspacePaths
    file: Path
    before: str
    text: str
    changes: tuple[Change, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Tell whether there is something to be saved."""
        return self.text != self.before

    def configuration(self) -> Configuration:
        """Return the configuration as it would be."""
        return preview(self.paths, self.file, self.text)

    def table(self) -> dict[str, Any]:
        """Return what the file would hold, right or wrong."""
        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError:
            return {}


def open_draft(paths: WorkspacePaths, file: Path) -> Draft:
    """Return a draft of a file without a change; complain when it is not TOML."""
    text = read_toml(file)
    return Draft(paths, file, text, text)


def put(draft: Draft, key: Key, words: str) -> Draft:
    """Return the draft with a setting in it; refused when this file would make it wrong."""
    changes = [Change(key, value_from(key, words))]
    if (older := _written_as(draft, key)) != key:
        changes.insert(0, Change(older))
    after = _with(draft, *changes)
    for fault in faults_about(draft.paths, draft.file, key, after.text):
        raise UsageError(fault.what, fault.todo)
    return after


def amend(draft: Draft, key: Key, words: str) -> Draft:
    """Return the draft after a setting was edited.

    An emptied number or switch stays as it was; an emptied entry of a table whose keys the user
    names, such as a route, is removed.
    """
    if words.strip():
        return put(draft, key, words)
    if key_kind(key) in {int, float, bool}:
        return draft
    if is_named_by_user(key):
        return drop(draft, key)
    return put(draft, key, words)


def is_named_by_user(key: Key) -> bool:
    """Tell whether a setting is one of any number in a table: a route, a model alias."""
    return get_origin(key_kind(key[:-1])) is dict


def drop(draft: Draft, key: Key) -> Draft:
    """Return the draft without a setting, under whichever name the file has it."""
    after = _with(draft, Change(_written_as(draft, key)))
    return after if after.text != draft.text else draft


def own_source(draft: Draft, configuration: Configuration) -> Source | None:
    """Return the layer of the draft's file."""
    return next((one for one in configuration.sources if one.path == str(draft.file)), None)


def save(draft: Draft) -> Draft:
    """Make the changes in the file as it is by now, and return a draft without any."""
    change(draft.file, lambda newest: _applied(draft.file, newest, draft.changes))
    return open_draft(draft.paths, draft.file)


def _written_as(draft: Draft, key: Key) -> Key:
    """Return the name that a setting has in the file, which may be an older one."""
    own = own_source(draft, draft.configuration())
    return own.renamed.get(key, key) if own else key


def _with(draft: Draft, *changes: Change) -> Draft:
    text = _applied(draft.file, draft.text, changes)
    return replace(draft, text=text, changes=(*draft.changes, *changes))


def _applied(file: Path, text: str, changes: tuple[Change, ...]) -> str:
    return reduce(lambda made, one: _apply(file, made, one), changes, text)


def _apply(file: Path, text: str, one: Change) -> str:
    if one.value is None:
        return without(text, file, one.key)
    return with_value(text, file, one.key, one.value)
