"""The version lock: at which version each agent CLI was seen to work, and by which raw command."""

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from mittelo.config.paths import cli_locks
from mittelo.errors import MitteloError
from mittelo.files import write_whole

SCHEMA = 1
PROMPT = "{prompt}"
VERSION = "{version}"
_NUMBER = re.compile(r"(?<![\w.])v?(\d+\.\d+(?:\.\d+)*(?:[-+][\w.]+)?)")


class Verified(Struct, frozen=True, kw_only=True):
    """That a recipe worked: on which day, with which version, and what answered."""

    date: str
    version: str
    against: str


class Recipe(Struct, frozen=True, kw_only=True):
    """One CLI. `argv` is its raw command; without `{prompt}` in it the prompt goes by stdin.

    `env` is laid over the environment; a value `$NAME` is that of another variable.
    `version` "": it was never measured.
    """

    program: str
    version: str
    install: list[str]
    argv: list[str]
    env: dict[str, str] = {}
    model_flag: str = ""
    model_variable: str = ""
    variables: dict[str, str] = {}
    notes: list[str] = []
    verified: Verified | None = None

    @property
    def install_words(self) -> list[str]:
        """Return the command that installs the locked version."""
        return [word.replace(VERSION, self.version) for word in self.install]

    def words(self, prompt: str, model: str) -> list[str]:
        """Return the raw command for a prompt."""
        words = [word.replace(PROMPT, prompt) for word in self.argv]
        return [*words, self.model_flag, model] if model and self.model_flag else words

    @property
    def takes_stdin(self) -> bool:
        """Tell whether the prompt goes by stdin."""
        return not any(PROMPT in word for word in self.argv)

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return what its environment has beyond the user's."""
        return {
            name: env.get(value[1:], "") if value.startswith("$") else value
            for name, value in self.env.items()
        }


class Lock(Struct, frozen=True):
    """The whole lock, by the names of the backends."""

    schema_version: int
    clis: dict[str, Recipe]

    def recipe(self, name: str) -> Recipe:
        """Return the recipe of a backend."""
        if name not in self.clis:
            known = ", ".join(self.clis)
            raise MitteloError(f"The lock knows no {name!r}.", f"Known are: {known}.")
        return self.clis[name]


def lock_file() -> Path | None:
    """Return where the lock lies: that of a checkout is the one to be changed."""
    return next((path for path in reversed(cli_locks()) if path.is_file()), None)


def load_lock(path: Path | None = None) -> Lock:
    """Return the lock; an empty one where none was installed."""
    path = path or lock_file()
    if path is None:
        return Lock(SCHEMA, {})
    try:
        lock = msgspec.json.decode(path.read_bytes(), type=Lock)
    except OSError as error:
        raise MitteloError(f"{path}: {error.strerror}.", "Name another with --file.") from error
    except msgspec.DecodeError as error:
        raise MitteloError(f"{path}: {error}.", "Mend it by hand.") from error
    if lock.schema_version != SCHEMA:
        raise MitteloError(
            f"{path} has the schema version {lock.schema_version}; this mittelo reads {SCHEMA}.",
            "Use the mittelo that wrote it.",
        )
    return lock


def save_lock(path: Path, lock: Lock) -> None:
    """Write the lock."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(lock), indent=2) + b"\n")


def version_number(said: str) -> str:
    """Return the number in what a program says of its version, "" where there is none."""
    found = _NUMBER.search(said)
    return found[1] if found else ""
