"""What lies around the queues and can be wrong: the log, hooks, rights, links, agents' texts."""

import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mittelo.core.lapfiles import HOOKS_FILE, LOG_FILE
from mittelo.errors import MitteloError
from mittelo.laps.folder import inside
from mittelo.laps.hooks import AFTER, BEFORE, load_hooks
from mittelo.laps.instructions import ALWAYS, IF_THERE, is_damaged
from mittelo.laps.place import Place
from mittelo.laps.wards import Finding

_SHOWN = 5


class _Logged(msgspec.Struct):
    ts: str
    event: str


def surroundings(place: Place) -> list[Finding]:
    """Return what is wrong around the queues; none of it is mended."""
    checks = (_log, _hooks, _rights)
    found = [one for check in checks for one in check(place.folder)]
    return [*found, *_instructions(place)]


def _log(folder: Path) -> Iterator[Finding]:
    try:
        lines = (folder / LOG_FILE).read_bytes().splitlines()
    except OSError:
        return
    bad = [number for number, line in enumerate(lines, 1) if line.strip() and not _is_event(line)]
    if bad:
        which = ", ".join(map(str, bad[:_SHOWN])) + (" …" if bad[_SHOWN:] else "")
        what = f"{len(bad)} of {len(lines)} lines are damaged: {which}"
        yield Finding(LOG_FILE, what, "They are passed over; remove them, or let them be.")


def _is_event(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=_Logged)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _hooks(folder: Path) -> Iterator[Finding]:
    try:
        hooks = load_hooks(folder)
    except MitteloError as error:
        yield Finding(HOOKS_FILE, error.what.rstrip("."), error.todo)
        return
    except OSError as error:
        yield Finding(HOOKS_FILE, f"it cannot be read: {error.strerror}")
        return
    for hook in hooks:
        name = hook.title or hook.command
        if hook.when not in {BEFORE, AFTER}:
            what = f"the hook {name!r} never runs: its `when` is {hook.when!r}"
            yield Finding(HOOKS_FILE, what, "Say before or after.", harmless=True)


def _rights(folder: Path) -> Iterator[Finding]:
    """Look at the rights on files, and at links that lead out of the folder."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        try:
            inside(folder, name)
            mode = path.stat().st_mode
        except MitteloError:
            yield Finding(name, "it is a link that leads out of the folder", "Remove it.")
            continue
        except OSError as error:
            yield Finding(name, f"it cannot be read: {error.strerror}", "Remove it.")
            continue
        yield from _rights_of(name, mode)


def _rights_of(name: str, mode: int) -> Iterator[Finding]:
    wanted = 0o700 if stat.S_ISDIR(mode) else 0o600
    path = f"{name}/" if stat.S_ISDIR(mode) else name
    if mode & wanted != wanted:
        what = f"its owner may not read and write it ({stat.filemode(mode)})"
        yield Finding(path, what, "Run: chmod u+rwX on it")
    if mode & 0o002:
        yield Finding(path, f"anybody may write it ({stat.filemode(mode)})", "Run: chmod o-w on it")
    if name == LOG_FILE and mode & 0o077:
        what = f"others may read it ({stat.filemode(mode)})"
        yield Finding(path, what, "Run: chmod 600 on it")


def _instructions(place: Place) -> Iterator[Finding]:
    for name in (ALWAYS, *IF_THERE):
        try:
            text = (place.work_tree / name).read_text(errors="replace")
        except OSError:
            continue
        if is_damaged(text):
            what = "the block of laps in it is damaged, or there twice"
            yield Finding(name, what, "Mend it with: laps on")
