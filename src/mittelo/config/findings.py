"""What is wrong or worth a word in a configuration, and where it stands."""

import json
from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from mittelo.errors import UsageError

Key = tuple[str, ...]
"""The way to a setting: ("harness", "cc", "models", "opus")."""


class Gravity(StrEnum):
    """How grave a finding is; `LANE` spoils routes or the default mix, and nothing else."""

    NOTE = "warning"
    LANE = "lane"
    ERROR = "error"


class Finding(Struct, frozen=True):
    """One thing found: `where` is a file with a line, or a variable; `todo` is what to do.

    `item` is what is wrong in it, where the setting is a list.
    """

    gravity: Gravity
    key: Key
    what: str
    todo: str = ""
    where: str = ""
    item: object = None

    def __str__(self) -> str:
        todo = f" {self.todo}" if self.todo else ""
        where = f"{self.where}: " if self.where else ""
        return f"{where}{self.what}{todo}"

    def error(self) -> UsageError:
        """Return it as an error, for a command that cannot do without this setting."""
        where = f"{self.where}: " if self.where else ""
        return UsageError(f"{where}{self.what}", self.todo)


class ConfigurationError(UsageError):
    """The configuration holds something that cannot be."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        found = [str(finding) for finding in findings]
        many = f"{len(found)} errors in the configuration:\n  " if len(found) > 1 else ""
        super().__init__(
            many + "\n  ".join(found), "Mend that (rally config), then check: rally routes check"
        )


def dotted(key: Key) -> str:
    """Return a key as TOML writes it."""
    return ".".join(part if _is_bare(part) else _quoted(part) for part in key)


def _is_bare(part: str) -> bool:
    return bool(part) and part.isascii() and part.replace("-", "").replace("_", "").isalnum()


def _quoted(part: str) -> str:
    return json.dumps(part, ensure_ascii=False).replace("\x7f", "\\u007f")
