"""Read lines of `key=value` pairs, as some CLIs write them to their logs."""

import re
from collections.abc import Mapping

_PAIR = re.compile(r'([\w.]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)')
_ESCAPED = re.compile(r"\\(.)")
_MEANT = {"n": "\n", "t": "\t", "r": "\r"}


def parse_logfmt(line: bytes) -> Mapping[str, str]:
    """Return the pairs of a line; of a key that stands twice, the last."""
    pairs = _PAIR.findall(line.decode(errors="replace"))
    return {key: _unquoted(value) for key, value in pairs}


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    return _ESCAPED.sub(lambda found: _MEANT.get(found[1], found[1]), value[1:-1])
