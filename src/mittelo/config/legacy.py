"""Older names and places of settings: moved to where they belong today, with a note."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from mittelo.config.findings import Finding, Gravity, Key, dotted
from mittelo.config.layers import Source

MOVED: dict[Key, Key] = {
    **{
        (f"{name}_model",): ("defaults", f"{name}_model")
        for name in ("antigravity", "claude", "codex", "gemini", "opencode")
    },
    ("fallback", "instructions_file"): ("free_run", "prompt_file"),
    ("reliability", "freeze_threshold_secs"): ("reliability", "stall_threshold_secs"),
}
"""Old key → new key. A table or key that goes by its new name in the same file wins."""

GONE: dict[Key, str] = {
    ("laps_instructions",): "it never had an effect; use [laps] instructions_file.",
    ("telemetry",): "it has no effect: nothing is ever sent anywhere.",
}
"""Keys that mean nothing any more, and what to know of them."""


def modernize(source: Source) -> tuple[Source, list[Finding]]:
    """Return a source with today's keys, and a note for each that was not."""
    table = _copied(source.table)
    renamed: dict[Key, Key] = {}
    notes = list(_moved(source, table, renamed))
    for key, why in GONE.items():
        if _take(table, key) not in (None, ""):
            notes.append(_note(source, key, f"{dotted(key)}: {why}"))
    return replace(source, table=table, renamed=renamed), notes


def _moved(source: Source, table: dict[str, Any], renamed: dict[Key, Key]) -> Iterator[Finding]:
    for old, new in MOVED.items():
        value = _take(table, old)
        if value is None or value == "":
            continue
        if _put(table, new, value):
            renamed[new] = old
            yield _note(source, old, f"{dotted(old)} is an old name.", f"Use {dotted(new)}.")
        else:
            what = f"{dotted(old)} is an old name, and {dotted(new)} is set too, which wins."
            yield _note(source, old, what, "Remove the old one.")


def _note(source: Source, key: Key, what: str, todo: str = "") -> Finding:
    return Finding(Gravity.NOTE, key, what, todo, source.where(key))


def _take(table: dict[str, Any], key: Key) -> object:
    """Remove a setting and return it; None where there is none. An emptied table goes too."""
    *way, last = key
    held: object = table
    for part in way:
        held = held.get(part) if isinstance(held, dict) else None
    value = held.pop(last, None) if isinstance(held, dict) else None
    if way == ["fallback"] and table.get("fallback") == {}:
        del table["fallback"]
    return value


def _put(table: dict[str, Any], key: Key, value: object) -> bool:
    """Set a setting that is not set, or set to nothing; tell whether that was so."""
    section = table.setdefault(key[0], {})
    if not isinstance(section, dict) or section.get(key[1]) not in (None, ""):
        return False
    section[key[1]] = value
    return True


def _copied(table: dict[str, Any]) -> dict[str, Any]:
    return {name: _copied(v) if isinstance(v, dict) else v for name, v in table.items()}
