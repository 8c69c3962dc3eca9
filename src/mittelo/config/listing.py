"""Every setting with its value and where that comes from, for people and programs."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from mittelo.config.findings import Key, dotted
from mittelo.config.layers import variable
from mittelo.config.load import Configuration


class Origin(Struct):
    """Where a setting was made; `layer` is built-in, user, repository or environment."""

    layer: str
    path: str = ""
    line: int = 0
    variable: str = ""

    def __str__(self) -> str:
        if self.variable:
            return f"environment {self.variable}"
        if self.path:
            return f"{self.layer} {self.path}:{self.line}"
        return self.layer


class Setting(Struct):
    """One setting."""

    key: str
    value: Any
    origin: Origin

    def __str__(self) -> str:
        return f"{self.key} = {as_toml(self.value)}"


def list_settings(configuration: Configuration, within: Key = ()) -> Iterator[Setting]:
    """Yield all settings below a key, in the order of the schema."""
    everything = msgspec.to_builtins(configuration.settings)
    for key, value in _leaves(everything, ()):
        if key[: len(within)] == within:
            yield Setting(dotted(key), value, _origin(configuration, key))


def as_toml(value: object) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, list):
        return f"[{', '.join(as_toml(item) for item in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return msgspec.json.encode(value).decode() if value is not None else '""'


def _leaves(table: dict[str, Any], at: Key) -> Iterator[tuple[Key, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*at, name))
        elif value is not None:
            yield (*at, name), value


def _origin(configuration: Configuration, key: Key) -> Origin:
    source = configuration.origins.get(key)
    if source is None:
        return Origin("built-in")
    if source.layer == "environment":
        return Origin(source.layer, variable=variable(key))
    return Origin(source.layer, source.path, source.line(key))
