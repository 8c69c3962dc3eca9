"""Which backend a name means: a folder with a program, one that is built in, or a custom CLI."""

import difflib
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mittelo.config.findings import Gravity
from mittelo.config.load import Configuration, environment, load_configuration
from mittelo.config.paths import WorkspacePaths, installed_backends
from mittelo.errors import UsageError
from mittelo.harness.base import Harness
from mittelo.harness.declared import Declared

FOLDERS_VARIABLE = "MITTELO_BACKENDS_DIR"
RUN_FILES = ("run", "run.py", "run.sh")
HEAD_BYTES = 1024
NO_BACKENDS = ("_template", "archive")
_OWN = ("echo", "shell")
"""No folder takes the place of these."""

_OTHER_NAMES = {"claude": ("claude_code",)}
"""Names that a harness has as a backend alone, before its others."""


class Echo(Struct, frozen=True):
    """Answers `echo:PROMPT`."""

    names: tuple[str, ...] = ("echo",)
    used: str = "built in"


class Shell(Struct, frozen=True):
    """Runs a command of the user's, the prompt on its stdin."""

    argv: list[str]
    names: tuple[str, ...] = ("shell",)
    used: str = "built in"
    allowed: tuple[str, ...] = ()


class Folder(Struct, frozen=True):
    """Runs the program in a folder `backends/NAME`, the prompt on its stdin."""

    names: tuple[str, ...]
    script: Path
    used: str
    allowed: tuple[str, ...] = ()


class Agent(Struct, frozen=True):
    """Lets an agent CLI answer. `model` "" leaves it to the CLI."""

    names: tuple[str, ...]
    harness: Harness
    model: str
    used: str
    allowed: tuple[str, ...] = ()


Backend = Echo | Shell | Folder | Agent


def configuration_here() -> Configuration:
    """Load the configuration of the folder that we are in."""
    here = Path.cwd()
    around = (folder for folder in (here, *here.parents) if (folder / ".rally").is_dir())
    return load_configuration(WorkspacePaths(next(around, here)))


def find_backend(name: str, configuration: Configuration, shell_cmd: str = "") -> Backend:
    """Return the backend of this name, which knows what variables it may be given; else raise."""
    found = _find(name, configuration, shell_cmd)
    allowed = tuple(configuration.settings.sandbox.variables)
    return found if isinstance(found, Echo) or not allowed else replace(found, allowed=allowed)


def _find(name: str, configuration: Configuration, shell_cmd: str) -> Backend:
    if name == "echo":
        return Echo()
    if name == "shell":
        return Shell(_words(shell_cmd))
    if name in NO_BACKENDS:
        raise UsageError(f"{name} is no backend.", "Copy it under another name.")
    harness = _harnesses(configuration).get(name)
    names = _names_of(harness) if harness else (name,)
    if found := _folder(name, names, hides=harness is not None):
        return found
    if harness is None:
        raise _unknown(name, configuration)
    return Agent(names, harness, _model(harness, configuration), _origin(harness))


def all_backends(configuration: Configuration) -> list[str]:
    """Return the name of every backend that there is, each once."""
    harnesses = {h.name: h for h in _harnesses(configuration).values()}
    built_in = [_names_of(harness)[0] for harness in harnesses.values()]
    folders = [path.name for place in _places() for path in _listed(place) if _script(path)]
    return sorted({*_OWN, *built_in, *folders})


def environment_name(harness: Harness) -> str:
    """Return the variable that names the model of a harness."""
    return f"MITTELO_{harness.name.upper().replace('-', '_')}_MODEL"


def _words(shell_cmd: str) -> list[str]:
    try:
        words = shlex.split(shell_cmd)
    except ValueError as error:
        raise UsageError(f"--shell-cmd cannot be split: {error}.", "Mend its quotes.") from error
    if not words:
        raise UsageError(
            "The backend shell needs a command.",
            "For example: --shell-cmd 'tr a-z A-Z'. The prompt is on its stdin.",
        )
    return words


def _harnesses(configuration: Configuration) -> Mapping[str, Harness]:
    """Return the harnesses by each name; our own agents answer only what they are told to."""
    found = {name: h for name, h in configuration.harnesses.items() if name not in _OWN}
    for harness in [*found.values()]:
        found |= dict.fromkeys(_OTHER_NAMES.get(harness.name, ()), harness)
    return found


def _names_of(harness: Harness) -> tuple[str, ...]:
    return (*_OTHER_NAMES.get(harness.name, ()), harness.name, *harness.aliases)


def _folder(name: str, names: Iterable[str], *, hides: bool) -> Folder | None:
    """Return the folder of a name; for a built-in backend, also that of its other names."""
    for known in dict.fromkeys((name, *names)):
        for place in _places():
            script = _script(place / known)
            if script and known not in {"", ".", ".."} and "/" not in known:
                used = f"{script}{', in place of the built-in one' if hides else ''}"
                return Folder(tuple(dict.fromkeys((name, *names))), script, used)
    return None


def _places() -> Iterator[Path]:
    """Yield the folders in which backends lie, the first one wins."""
    if named := environment().get(FOLDERS_VARIABLE):
        place = Path(named).absolute()  # a program is started in another folder than ours
        yield place
        yield place / "backends"
    yield Path.cwd() / "backends"
    yield from installed_backends()


def _listed(place: Path) -> list[Path]:
    try:
        found = [path for path in place.iterdir() if path.is_dir()]
    except OSError:
        return []
    return [path for path in found if path.name not in NO_BACKENDS and path.name[0] != "."]


def _script(folder: Path) -> Path | None:
    files = (folder / name for name in RUN_FILES)
    try:
        return next((file for file in files if file.is_file()), None)
    except (OSError, ValueError):  # a name that no file can have
        return None


def _model(harness: Harness, configuration: Configuration) -> str:
    catalogue = configuration.catalogue
    word = environment().get(environment_name(harness), "")
    return catalogue.aliases(harness).get(word, word) or catalogue.default_model(harness)


def _origin(harness: Harness) -> str:
    declared = isinstance(harness, Declared)
    return f"[harness.{harness.name}] of the configuration" if declared else "built in"


def _unknown(name: str, configuration: Configuration) -> UsageError:
    for finding in configuration.of(Gravity.ERROR):
        if finding.key[:2] == ("harness", name):
            return finding.error()
    known = sorted({*_OWN, *_harnesses(configuration), *all_backends(configuration)})
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    return UsageError(f"There is no backend {name!r}.", f"{meant}Known are: {', '.join(known)}.")


def python_shebang(first: bytes) -> bool:
    """Tell whether the first line of a file names Python as its interpreter."""
    line = first.partition(b"\n")[0]
    words = [os.path.basename(word) for word in line[2:].split()]  # noqa: PTH119 - of bytes
    return line.startswith(b"#!") and any(word.startswith(b"python") for word in words)


def python_words(script: Path) -> list[str]:
    """Return the Python that a file names as its interpreter; nothing where it names none."""
    try:
        with script.open("rb") as file:
            first = file.readline(HEAD_BYTES)
    except OSError:
        return []
    return os.fsdecode(first[2:]).split() if python_shebang(first) else []
