"""The environment of a run: its home, and which variables it is given."""

import fnmatch
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from mittelo.errors import MitteloError
from mittelo.harness.base import Harness
from mittelo.harness.registry import BUILT_IN

HOME_VARIABLE = "MITTELO_SUBPROCESS_HOME"
SECRETS = ("MITTELO_TOKEN",)
"""What no model needs to see."""

INSIDE = {"TMPDIR": "/tmp", "IS_SANDBOX": "1"}  # noqa: S108 - that of the sandbox
"""What a sandboxed program is told of where it is; claude refuses to act for root without."""

_HOMES = {
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
    "XDG_CACHE_HOME": ".cache",
    "XDG_RUNTIME_DIR": ".cache/run",
}
COMMON = (
    *("PATH", "SHELL", "USER", "LOGNAME", "TERM", "COLORTERM", "NO_COLOR", "TZ", "TMPDIR"),
    *("LANG", "LANGUAGE", "LC_*", "GIT_AUTHOR_*", "GIT_COMMITTER_*"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"),
    *("CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "IS_SANDBOX", "PYTHONUTF8"),
    *("MITTELO_PROMPT_FILE", "MITTELO_TASK_ID", "MITTELO_WORKER_ID", "PYENV_ROOT", "PYENV_VERSION"),
)
"""What every program is given: where things are, and how they are shown; no credentials."""


def whole(env: Mapping[str, str], harness: Harness | None) -> dict[str, str]:
    """Return an environment as it is, but for our own secrets, with keys that lie in files."""
    kept = {name: value for name, value in env.items() if name not in SECRETS}
    return kept | dict(filed_keys(harness, kept))


def isolated(
    env: Mapping[str, str], home: Path, harness: Harness | None, allowed: Iterable[str]
) -> dict[str, str]:
    """Return an environment with a home of its own, and with nothing that was not allowed.

    Variables that name a folder outside of that home would lead out of it: they are left out.
    """
    names = (*COMMON, *allowed, *(_own(harness) if harness else ()))
    leading = {name for known in (*BUILT_IN, *_one(harness)) for name in known.folders}
    kept = {
        name: value
        for name, value in env.items()
        if name not in SECRETS
        and any(fnmatch.fnmatchcase(name, pattern) for pattern in names)
        and (name not in leading or Path(value).is_relative_to(home))
    }
    moved = {name: str(home / below) for name, below in _HOMES.items()}
    given = kept | moved | {"HOME": str(home), HOME_VARIABLE: str(home)}
    return given | dict(filed_keys(harness, given, home))


def make_home(env: Mapping[str, str]) -> None:
    """Create the home of its own that a program has, for its owner only."""
    if not env.get(HOME_VARIABLE):
        return
    home = Path(env["HOME"])
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for place in (Path(env[name]) for name in _HOMES):
        if not place.parent.resolve().is_relative_to(home.resolve()):
            raise MitteloError(f"{place} leads out of {home}.", "Remove the link, or the home.")
        place.mkdir(mode=0o700, parents=True, exist_ok=True)


def filed_keys(
    harness: Harness | None, env: Mapping[str, str], within: Path | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the keys that lie in a file below the home, where no variable holds them.

    A file that a link leads to must lie `within` a folder, if one is named.
    """
    for name, below in (harness.key_files if harness else {}).items():
        file = (Path(env.get("HOME", "~")).expanduser() / below).resolve()
        if not env.get(name) and (within is None or file.is_relative_to(within.resolve())):
            with suppress(OSError, UnicodeDecodeError):
                yield name, file.read_text().strip()


def _own(harness: Harness) -> tuple[str, ...]:
    return (*harness.variables, *harness.url_variables, *harness.folders, *harness.key_files)


def _one(harness: Harness | None) -> tuple[Harness, ...]:
    return (harness,) if harness else ()
