"""The user's editor, on one file."""

import shlex
import subprocess
from pathlib import Path

from mittelo.config.load import editor
from mittelo.errors import MitteloError, UsageError


def open_editor(path: Path) -> None:
    """Open a file in the user's editor and wait for it; its failure is ours."""
    try:
        words = shlex.split(editor())
    except ValueError as error:
        raise UsageError(f"EDITOR is not a command: {error}.", "Set EDITOR.") from error
    try:
        code = subprocess.run([*words, str(path)], check=False).returncode
    except (FileNotFoundError, PermissionError) as error:
        raise UsageError(f"The editor {words[0]!r} cannot be started.", "Set EDITOR.") from error
    if code:
        raise MitteloError(f"The editor {words[0]!r} ended with code {code}.")
