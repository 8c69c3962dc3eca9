"""The texts of roles: the user's, in `.rally/agents/user/`, over those that come with rally."""

import re
from collections.abc import Collection, Iterator
from importlib.resources import files
from pathlib import Path

from msgspec import Struct

from mittelo.errors import UsageError
from mittelo.files import write_whole
from mittelo.log import warn
from mittelo.repo.workspace import Workspace

_NAME = re.compile(r"[\w-]+")
MAX_TEXT = 100_000
BUILT_IN = ("junior", "recovery", "senior", "ui", "verify")


class RoleText(Struct, frozen=True):
    """The text of a role; `path` is None for the one that comes with rally."""

    role: str
    text: str
    path: Path | None = None


def find_role(agents: Path, role: str) -> RoleText | None:
    """Return the text of a role; the user's folder wins over the managed and the flat one.

    A file's name without its ending is the role, in any letter case; a blank file is passed over.
    """
    wanted = role.strip().casefold()
    for path in _role_files(agents):
        if path.stem.casefold() == wanted:
            text = path.read_text(encoding="utf-8", errors="replace")
            if text.strip():
                return RoleText(role, text, path)
    return RoleText(role, built_in_text(wanted)) if wanted in BUILT_IN else None


def role_text(agents: Path, role: str) -> str:
    """Return the text of a role, "" when it has none."""
    found = find_role(agents, role)
    if found and len(found.text.encode()) > MAX_TEXT:
        raise UsageError(
            f"{found.path}: the text of the role {role!r} has more than {MAX_TEXT:,} bytes.",
            "Every prompt would carry it: make it shorter.",
        )
    return found.text if found else ""


def require_role(agents: Path, role: str, routes: Collection[str]) -> None:
    """Complain of a role that has neither a text nor a route; one without a text is warned of."""
    if find_role(agents, role):
        return
    todo = f"Write one: {agents / 'user' / role}.md" if _NAME.fullmatch(role) else ""
    if role.strip().casefold() not in {name.strip().casefold() for name in routes}:
        what = f"There is no text for the role {role!r} in {agents}, and no route."
        raise UsageError(what, todo or "See: rally routes check")
    warn(f"the role {role!r} has no text of its own.")


def all_roles(agents: Path) -> list[RoleText]:
    """Return every role that has a text, by name."""
    names = {path.stem.casefold(): path.stem for path in _role_files(agents)}
    names |= {role: role for role in BUILT_IN}
    found = (find_role(agents, name) for name in names.values())
    return sorted((role for role in found if role), key=lambda role: role.role.casefold())


def built_in_text(role: str) -> str:
    """Return the text that comes with rally for one of its own roles."""
    return (files("mittelo.rally") / "texts" / f"{role}.md").read_text(encoding="utf-8")


class Synced(Struct, frozen=True):
    """One thing that was done to the role files: a word on it, and the paths it touched."""

    word: str
    paths: tuple[Path, ...]


def sync_roles(workspace: Workspace, *, create: bool = False) -> list[Synced]:
    """Bring the managed role files up to date where `.rally/agents` exists; tell what changed.

    A flat file of an older layout moves to the user's folder, unless it says what the managed
    one says, or one of its name is there.
    """
    agents = workspace.paths.agents
    if not agents.is_dir() and not create:
        return []
    for folder in (agents / "builtin", agents / "user"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            what = f"{folder} is not a folder, or lies in something that is none."
            raise UsageError(what, "Move that away, then try again.") from error
    moved = [done for path in sorted(agents.glob("*.md")) for done in _settle(path, agents)]
    return [*moved, *_regenerated(agents / "builtin")]


def _settle(path: Path, agents: Path) -> Iterator[Synced]:
    role, target = path.stem.casefold(), agents / "user" / path.name
    text = path.read_text(encoding="utf-8", errors="replace")
    if role in BUILT_IN and text.strip() == built_in_text(role).strip():
        path.unlink()
        yield Synced(f"removed {path}: builtin/{role}.md says the same", (path,))
    elif not target.exists():
        path.rename(target)
        yield Synced(f"moved {path} to {target}", (path, target))


def _regenerated(builtin: Path) -> Iterator[Synced]:
    for role in BUILT_IN:
        path, text = builtin / f"{role}.md", built_in_text(role).encode()
        if not path.is_file() or path.read_bytes() != text:
            write_whole(path, text)
            yield Synced(f"wrote {path}", (path,))


def _role_files(agents: Path) -> Iterator[Path]:
    for folder in (agents / "user", agents / "builtin", agents):
        if folder.is_dir():
            yield from (path for path in sorted(folder.iterdir()) if path.is_file())
