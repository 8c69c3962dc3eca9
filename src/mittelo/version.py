"""The version of this installation, from the one file that holds it."""

from pathlib import Path

_HERE = Path(__file__).parent


def version() -> str:
    """Return `vX.Y.Z`, with `-dev` when we run from a checkout."""
    number = (_HERE / "VERSION").read_text().strip()
    checkout = (_HERE.parent.parent / "pyproject.toml").exists()
    return f"v{number}-dev" if checkout else f"v{number}"
