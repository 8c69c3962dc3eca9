"""On which line of a TOML file a key stands."""

import functools
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Key = tuple[str, ...]


def find_line(text: str, key: Sequence[str], item: object = None) -> int:
    """Return the number of the line that sets a key, from 1; 0 when none does.

    With `item`, the line of that item inside of its statement, where a list has many lines.
    """
    try:
        first, last = _places(text).get(tuple(key), (0, 0))
    except (ValueError, RecursionError):
        return 0
    if item is None or not first:
        return first
    lines = text.split("\n")
    written = _written(item)
    inside = (n for n in range(first, last + 1) if written.search(_uncommented(lines[n - 1])))
    return next(inside, first)


def _written(item: object) -> re.Pattern[str]:
    if isinstance(item, str):
        plain = re.escape(item)
        escaped = re.escape(item.replace("\\", "\\\\").replace('"', '\\"'))
        return re.compile(f"\"(?:{plain}|{escaped})\"|'{plain}'")
    return re.compile(rf"(?<![\w.+-]){re.escape(str(item).lower())}(?![\w.+-])")


def _uncommented(line: str) -> str:
    """Return a line without its comment, as far as quotes on the same line tell."""
    return re.sub(r"""^((?:[^#"']|"(?:[^"\\]|\\.)*"|'[^']*')*)#.*$""", r"\1", line)


@functools.lru_cache(maxsize=8)
def _places(text: str) -> dict[Key, tuple[int, int]]:
    """Return the first and the last line of the statement that first sets each key."""
    found: dict[Key, tuple[int, int]] = {}
    within: Key = ()
    for first, last, statement in _statements(text.split("\n")):
        table = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            within = max(_keys(table, ()), key=len, default=())
            keys = [within[:length] for length in range(1, len(within) + 1)]
        else:
            keys = [(*within, *key) for key in _keys(table, ())]
        for key in keys:
            found.setdefault(key, (first, last))
    return found


def _statements(lines: list[str]) -> Iterator[tuple[int, int, str]]:
    """Yield each header and each `key = value`, which goes on until it parses by itself."""
    first, begun = 0, ""
    for number, line in enumerate(lines, 1):
        if not begun:
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            first = number
        begun += line + "\n"
        try:
            tomllib.loads(begun)
        except tomllib.TOMLDecodeError:
            continue
        yield first, number, begun
        begun = ""


def _keys(table: Mapping[str, Any], at: Key) -> Iterator[Key]:
    for name, value in table.items():
        key = (*at, name)
        yield key
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = value[0]  # noqa: PLW2901 - an array of tables has the keys of its first
        if isinstance(value, dict):
            yield from _keys(value, key)
