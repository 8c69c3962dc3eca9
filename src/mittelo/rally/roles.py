"""The text of a role, from `.rally/agents/`."""

from pathlib import Path

from mittelo.errors import UsageError


def role_text(agents: Path, role: str) -> str:
    """Return the text of a role; the user's own folder wins over the managed and the flat one.

    A file's name without its ending is the role, in any letter case; a blank file is passed over.
    """
    for folder in (agents / "user", agents / "builtin", agents):
        for path in sorted(folder.glob("*")) if folder.is_dir() else []:
            if path.is_file() and path.stem.lower() == role.strip().lower():
                text = path.read_text(encoding="utf-8", errors="replace")
                if text.strip():
                    return text
    raise UsageError(
        f"There is no text for the role {role!r} in {agents}.",
        f"Write one: {agents / 'user' / role}.md",
    )
