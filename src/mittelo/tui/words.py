"""The words of the form of settings: values as they are typed, and what is told of them."""

from pathlib import Path
from typing import get_args, get_origin

from mittelo.config.drafts import Draft, is_named_by_user
from mittelo.config.edit import value_from
from mittelo.config.findings import Key
from mittelo.config.listing import as_toml
from mittelo.config.shapes import key_kind
from mittelo.errors import UsageError

KEYS = """\
Enter     edit the value; a switch changes at once
u, Del    remove the setting from this file
a         add a key: of a route, a provider, a harness, a model
/         show only settings with the words that you type
n         go to the next setting that something is wrong with
s, ^s     save all changes
q, Esc    leave

●  this file sets it
○  this file sets it, but another value is in force
✗  it is wrong, !  it is doubtful: see the lower part of the screen"""

ADDING = """\
routes.NAME = cc, cx:2             reasoning.NAME = high
providers.NAME = cc:opus, cx:*     harness.cc.models.ALIAS = MODEL
harness.NAME.command = my-cli, run"""


def title(draft: Draft) -> str:
    """Return which file is edited, and whether there is something to be saved."""
    whose = "the repository's settings" if draft.file == draft.paths.config else "your settings"
    unsaved = "● NOT SAVED · " if draft.is_changed else ""
    return f"{unsaved}rally config · {whose} · {shortened(str(draft.file), draft)}"


def hint(key: Key) -> str:
    """Return how the value of a setting is typed."""
    kind = key_kind(key)
    if kind is int:
        return "A whole number; when emptied, it stays as it was."
    if kind is float:
        return "A number; when emptied, it stays as it was."
    if kind is bool:
        return "true or false"
    emptied = " When emptied, it is removed." if is_named_by_user(key) else ""
    many = "Several with commas: cc, cx:2." if _takes_list(kind) else "Text."
    return many + emptied


def shortened(text: str, draft: Draft) -> str:
    """Return a text with paths as people know them: inside of the repository, or from home."""
    return text.replace(f"{draft.paths.root}/", "").replace(f"{Path.home()}/", "~/")


def in_words(key: Key, value: object) -> str:
    """Return a value as a person would type it."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        words = ", ".join(value)
        return words if _is_read_back(key, words, value) else as_toml(value)
    return as_toml(value)


def _is_read_back(key: Key, words: str, value: object) -> bool:
    try:
        return value_from(key, words) == value
    except UsageError:
        return False


def _takes_list(kind: object) -> bool:
    return list in {get_origin(kind), *(get_origin(option) for option in get_args(kind))}
