"""The grammar of a mix: entries such as `cc`, `cc:2`, `op:provider/model:2-4`, `ag:"a model":3`."""

import re
from collections.abc import Iterable

from msgspec import Struct

from mittelo.errors import UsageError

_QUOTA = re.compile(r"(?P<low>\d{1,9})(?:-(?P<high>\d{1,9}))?", re.ASCII)
_ALMOST_QUOTA = re.compile(r"[-\d]+", re.ASCII)
_PLAIN = re.compile(r'[^\s,:"\\]+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)+)"', re.DOTALL)
_HOW = "Write AGENT, AGENT:MODEL, AGENT:COUNT or AGENT:MODEL:COUNT, with a count of N or N-M."
_QUOTE = 'A model with a colon, a blank or the look of a count goes in quotes: op:"a:b":2.'


class Quota(Struct, frozen=True):
    """How many runs in a row an entry serves: at least `low`, at most `high`."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low}" if self.low == self.high else f"{self.low}-{self.high}"


class Spec(Struct, frozen=True):
    """One entry of a mix, taken apart: who, which model, how many runs in a row.

    `exact`: the model is no plain word or stood in quotes: its own name, and never an alias.
    """

    harness: str
    model: str = ""
    quota: Quota | None = None
    exact: bool = False

    def __str__(self) -> str:
        parts = [_quoted(self.harness)]
        parts += [_quoted(self.model, always=self.exact)] if self.model else []
        parts += [str(self.quota)] if self.quota else []
        return ":".join(parts)


def split_mix(values: Iterable[str], source: str) -> list[str]:
    """Split mix values on commas and blanks outside of quotes; `source` names them in an error."""
    words: list[str] = []
    for value in values:
        for part in split_unquoted(value, ","):
            found = [word for word in split_unquoted(part, " \t\r\n") if word]
            if not found:
                raise UsageError(
                    f"{source} {value!r} contains an empty entry.",
                    'Name at least one agent, for example: --agent "cc cx:2".',
                )
            words += found
    return words


def parse_entry(text: str) -> Spec:
    """Take one entry apart. A last part of digits, or of two numbers with a dash, is its quota."""
    parts = split_unquoted(text, ":")
    quota = None
    if len(parts) > 1 and (match := _QUOTA.fullmatch(parts[-1])):
        quota = _quota(text, match)
        parts = parts[:-1]
    if len(parts) > 2:
        raise UsageError(f"{text!r} names {len(parts)} things beside its count.", _QUOTE)
    if not all(parts):
        raise UsageError(f"{text!r} is not an agent entry: a part of it is empty.", _HOW)
    if len(parts) == 2 and _ALMOST_QUOTA.fullmatch(parts[1]):
        raise UsageError(f"{parts[1]!r} in {text!r} is neither a count nor a model.", _QUOTE)
    model = _unquoted(parts[1], text) if len(parts) == 2 else ""
    exact = len(parts) == 2 and not _PLAIN.fullmatch(parts[1])
    return Spec(_unquoted(parts[0], text), model, quota, exact)


def _quota(text: str, match: re.Match[str]) -> Quota:
    low = int(match["low"])
    high = int(match["high"] or low)
    if not 1 <= low <= high:
        raise UsageError(
            f"The count of {text!r} is not positive or runs backwards.",
            "Write a count from 1, or a range such as 2-4.",
        )
    return Quota(low, high)


def split_unquoted(text: str, separators: str) -> list[str]:
    """Split text at separators that stand outside of double quotes, which stay."""
    parts = [""]
    inside = escaped = False
    for letter in text:
        if letter in separators and not inside:
            parts.append("")
            continue
        parts[-1] += letter
        inside ^= letter == '"' and not escaped
        escaped = letter == "\\" and inside and not escaped
    return parts


def _quoted(word: str, *, always: bool = False) -> str:
    """Return a word as it can stand in an entry."""
    if not always and _PLAIN.fullmatch(word) and not _ALMOST_QUOTA.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unquoted(part: str, text: str) -> str:
    """Return what a part of an entry stands for."""
    if match := _QUOTED.fullmatch(part):
        return re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL)
    if '"' in part or "\\" in part:
        raise UsageError(f"The quotes of {text!r} do not fit together.", _QUOTE)
    return part
