"""The hooks by which `laps done`, `laps handoff` and `laps wrapup` reach the relay."""

import shlex
import time
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from mittelo.errors import UsageError
from mittelo.files import write_whole
from mittelo.laps.hooks import Hook as Hooked
from mittelo.log import warn
from mittelo.rally.setup import commit_ours
from mittelo.repo.workspace import Workspace

OURS = "rally:"
MESSAGE = "rally: install laps hooks"


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

    What the user's file holds besides stays as it is. A hook that fails keeps later ones from
    running: after a command ours come first, and before it last, when nothing bars it any more.
    """
    config = folder / "hooks.json"
    held = _load(config)
    theirs = [e for e in held["hooks"] if not str(e.get("title", "")).startswith(OURS)]
    ours = [msgspec.to_builtins(entry) for entry in _entries(folder)]
    first = [entry for entry in ours if entry["when"] == "after"]
    last = [entry for entry in ours if entry["when"] != "after"]
    wanted = {**held, "hooks": [*first, *theirs, *last]}
    made = [path for hook in Hook if _put(path := _script(folder, hook), _text(hook), 0o755)]
    if wanted != held or not config.exists():
        write_whole(config, msgspec.json.format(msgspec.json.encode(wanted), indent=2) + b"\n")
        made.append(config)
    commit_ours(workspace, [config, *(_script(folder, hook) for hook in Hook)], made, MESSAGE)
    return bool(made)


class KeptHooks:
    """The hooks of a folder `.laps`, kept as they are now whatever agents do to them."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        self._workspace = workspace
        self._folder = folder
        self._config = folder / "hooks.json"
        self._sound = self._config.read_bytes() if self._config.is_file() else b""

    def bring_back(self) -> None:
        """Put our hooks back; a damaged file is kept beside the one that takes its place."""
        try:
            install_hooks(self._workspace, self._folder)
        except UsageError as error:
            if not self._sound:
                raise
            aside = self._config.with_name(f"hooks.json.damaged-{time.strftime('%Y%m%dT%H%M%S')}")
            self._config.replace(aside)
            write_whole(self._config, self._sound)
            warn(f"hooks.json was damaged; it is brought back as it was, see {aside.name}: {error}")
            install_hooks(self._workspace, self._folder)
        self._sound = self._config.read_bytes()


def list_hooks(folder: Path) -> Iterator[Entry]:
    """Yield all hooks of a folder `.laps`, in the order in which they run."""
    path = folder / "hooks.json"
    for entry in _load(path)["hooks"]:
        try:
            yield msgspec.convert(entry, Entry, strict=False)
        except msgspec.ValidationError as error:
            raise _malformed(path, str(error)) from error


def _entries(folder: Path) -> Iterable[Entry]:
    for hook, (when, words, about) in _ABOUT.items():
        yield Entry(
            title=f"{OURS}laps-{hook}",
            description=about,
            command=hook,
            when=when,
            run=f"{folder.name}/hooks/rally/laps-{hook}-hook.sh {words}",
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
    try:
        msgspec.convert(entries, list[Hooked])
    except msgspec.ValidationError as error:
        raise _malformed(path, str(error)) from error
    return {"version": 1, **held, "hooks": entries}


def _malformed(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} is malformed: {why}.", "Mend it, or move it away.")
