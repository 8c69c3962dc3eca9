"""Ids of laps, and the prefixes that they begin with."""

import itertools
import re
import string
from collections.abc import Callable, Collection, Iterator

from mittelo.errors import MitteloError

LENGTH = 4
HASHED_BYTES = 200
_HEX = 64


class PrefixError(MitteloError):
    """Every prefix that a stint's name could give is taken."""

    exit_code = 2


def new_id(
    prefix: str, title: str, created: str, description: str, taken: Callable[[str], bool]
) -> str:
    """Return an id that is not taken, from what a lap is about and when it was made."""
    head = description.encode()[:HASHED_BYTES]
    seed = f"{title}|{created[:19]}Z|".encode() + head
    from hashlib import sha256  # noqa: PLC0415 - it is slow to come, and seldom needed

    for round_ in itertools.count():
        digest = sha256(seed + (b"|%d" % round_ if round_ else b"")).hexdigest()
        for length in range(LENGTH, _HEX + 1):
            if not taken(found := f"{prefix}-{digest[:length]}"):
                return found
    raise AssertionError


def prefix_of(name: str) -> str:
    """Return the first choice of a prefix for a repository or a stint."""
    return _letters(name)[:LENGTH]


def free_prefix(name: str, taken: Collection[str]) -> str:
    """Return a prefix for a stint that no other queue has."""
    for prefix in _choices(name):
        if prefix not in taken:
            return prefix
    raise PrefixError(f"No prefix for ids is left for the stint {name!r}.", "Give it another name.")


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower()).ljust(LENGTH, "x")


def _choices(name: str) -> Iterator[str]:
    letters = _letters(name)
    for at in range(len(letters) - LENGTH + 1):
        yield letters[at : at + LENGTH]
    for chosen in itertools.permutations(sorted(letters[:12]), LENGTH):
        yield "".join(chosen)
    for last in string.digits + string.ascii_lowercase:
        yield letters[: LENGTH - 1] + last
