"""The package that a program was installed with, by npm or for Python: it tells the version."""

from importlib.metadata import distributions
from pathlib import Path

import msgspec
from msgspec import Struct

from mittelo.answering.backends import python_words


class _Npm(Struct):
    """What a `package.json` says; `bin` is one program, or several by their names."""

    version: str = ""
    bin: str | dict[str, str] = {}


def packaged_version(program: str) -> str:
    """Return the version of the package that a program belongs to; "" where none claims it."""
    try:
        path = Path(program).resolve(strict=True)
        return _of_npm(path) or _of_python(path)
    except (OSError, RuntimeError, ValueError, msgspec.DecodeError):
        return ""


def _of_npm(program: Path) -> str:
    """Read the nearest package above a program, if that counts it among its own."""
    file = next((f for up in program.parents if (f := up / "package.json").is_file()), None)
    if file is None:
        return ""
    package = msgspec.json.decode(file.read_bytes(), type=_Npm)
    own = [package.bin] if isinstance(package.bin, str) else package.bin.values()
    return package.version if program in [(file.parent / name).resolve() for name in own] else ""


def _of_python(program: Path) -> str:
    """Look for a program among the scripts of what is installed beside its Python."""
    if not python_words(program):
        return ""
    sites = program.parent.parent.glob("lib/python3*/site-packages")
    for found in distributions(path=[str(site) for site in sites]):
        scripts = found.entry_points.select(group="console_scripts", name=program.name)
        if scripts:
            return found.version
    return ""
