# ruff: noqa: INP001
"""Find mittelo for the scripts in this folder: installed, in .venv of this checkout, or in src."""

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv" / "bin" / "python"
OLDEST = (3, 11)
TODO = "Run `make .venv/ready`, or: uv pip install -e '.[dev]'"
BEGIN = """
import sys
name, todo = sys.argv[1:3]
sys.argv = ["mittelo", *sys.argv[3:]]
try:
    import click, msgspec, psutil, tomlkit, xdg_base_dirs
    from mittelo.cli.main import mittelo
except ModuleNotFoundError as error:
    sys.exit(f"{name}: Python finds no {error.name} ({sys.executable}).\\n  {todo}")
mittelo()
"""


def start(command: str) -> None:
    """Become `mittelo COMMAND`, with the words that this script was given."""
    name = Path(sys.argv[0]).name
    old = sys.version_info < OLDEST
    installed = not old and importlib.util.find_spec("mittelo") is not None
    if old and not VENV.exists():
        sys.exit("{}: this needs Python 3.11 or newer.\n  {}".format(name, TODO))  # noqa: UP032
    python = str(VENV) if VENV.exists() and not installed else sys.executable
    paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH")]
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in paths if path))
    words = [python, "-P", "-c", BEGIN, name, TODO, command]
    sys.stdout.flush()
    os.execve(python, words + sys.argv[1:], env)  # noqa: S606
