"""The hooks by which `laps done`, `laps handoff` and `laps wrapup` reach the relay."""

import shlex
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from mittelo.errors import UsageError
from mittelo.files import write_whole
from mittelo.rally.setup import commit_ours
from mittelo.repo.workspace import Workspace

OURS = "rally:"
MESSAGE = "rally: install laps hooks"
FOLDER = ".laps/hooks/rally"


class Hook(StrEnum):
    """A command of `laps` that the relay must hear of."""

    DONE = "done"
    HANDOFF = "handoff"
    WRAPUP = "wrapup"


class Entry(Struct, kw_only=True):
    """One hook in `.laps/hooks.json`, ours or the user's."""

    title: str = ""
    description: str = ""
    command: str = ""
    when: str = ""
    run: str = ""
    passback: bool = False

    @property
    def owner(self) -> str:
        """Return whose hook it is."""
        return "rally" if self.title.startswith(OURS) else "user"


_ABOUT = {
    Hook.DONE: ("after", '"$id"', "Tell the relay which lap is done, and the agent what is next."),
    Hook.HANDOFF: ("before", "$args", "Tell the relay that the agent hands its lap off."),
    Hook.WRAPUP: ("before", "$args", "Record what the run did, and make laps of its follow-ups."),
}


def install_hooks(workspace: Workspace, folder: Path) -> bool:
    """Write our scripts and entries below a folder `.laps`; tell whether anything changed.

    What the user's file holds besides stays as it is.
    """
    config = folder / "hooks.json"
    held = _load(config)
    theirs = [e for e in held["hooks"] if not str(e.get("title", "")).startswith(OURS)]
    wanted = {**held, "hooks": [*theirs, *map(msgspec.to_builtins, _entries())]}
    made = [path for hook in Hook if _put(path := _script(folder, hook), _text(hook), 0o755)]
    if wanted != held or not config.exists():
        write_whole(config, msgspec.json.format(msgspec.json.encode(wanted), indent=2) + b"\n")
        made.append(config)
    commit_ours(workspace, [config, *(_script(folder, hook) for hook in Hook)], made, MESSAGE)
    return bool(made)


def list_hooks(folder: Path) -> Iterator[Entry]:
    """Yield all hooks of a folder `.laps`, in the order in which they run."""
    for entry in _load(folder / "hooks.json")["hooks"]:
        yield msgspec.convert(entry, Entry, strict=False)


def _entries() -> Iterable[Entry]:
    for hook, (when, words, about) in _ABOUT.items():
        yield Entry(
            title=f"{OURS}laps-{hook}",
            description=about,
            command=hook,
            when=when,
            run=f"{FOLDER}/laps-{hook}-hook.sh {words}",
            passback=True,
        )


def _script(folder: Path, hook: Hook) -> Path:
    return folder / "hooks" / "rally" / f"laps-{hook}-hook.sh"


def _text(hook: Hook) -> str:
    return (
        "#!/bin/sh\n"
        "# Written by rally at the start of a relay, which brings it back when it is changed.\n"
        f'exec {shlex.join(["rally", "hooks", "run", hook])} -- "$@"\n'
    )


def _put(path: Path, text: str, mode: int) -> bool:
    try:
        if path.read_text() == text and path.stat().st_mode & 0o777 == mode:
            return False
    except (OSError, UnicodeDecodeError):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode(), mode)
    return True


def _load(path: Path) -> dict[str, Any]:
    try:
        held = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        return {"version": 1, "hooks": []}
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(path, str(error)) from error
    if not isinstance(held, dict):
        raise _malformed(path, "it holds no object")
    entries = held.get("hooks") or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _malformed(path, "its hooks are no list of objects")
    return {"version": 1, **held, "hooks": entries}


def _malformed(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} is malformed: {why}.", "Mend it, or move it away.")
