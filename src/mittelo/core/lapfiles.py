"""The names of task files below `.laps`, and the scopes that they stand for."""

import re

ROOT = "root"
ROOT_FILE = "laps.json"
CLAIM_FILE = "claim"
HOOKS_FILE = "hooks.json"
LOG_FILE = "log.jsonl"
ARCHIVE = "stints/archive"
_STINT_FILE = re.compile(r"stints/(archive/)?([^/]+)\.laps\.json")


def stint_file(name: str) -> str:
    """Return the file of an active stint."""
    return f"stints/{name}.laps.json"


def archive_file(name: str) -> str:
    """Return the file of an archived stint."""
    return f"{ARCHIVE}/{name}.laps.json"


def stint_of(file: str) -> str:
    """Return the name of the active stint whose file this is, else ""."""
    found = _STINT_FILE.fullmatch(file)
    return found[2] if found and not found[1] else ""


def archived_stint_of(file: str) -> str:
    """Return the name of the archived stint whose file this is, else ""."""
    found = _STINT_FILE.fullmatch(file)
    return found[2] if found and found[1] else ""


def scope_of(file: str) -> str:
    """Return the scope of a file by its name alone."""
    return ROOT if file == ROOT_FILE else stint_of(file) or file


def is_plain_name(name: str) -> bool:
    """Tell whether a stint can have this name: it becomes the name of a file."""
    plain = name.isprintable() and name == name.strip() and not set(name) & set("/\\")
    return plain and name not in {"", ".", ".."}
