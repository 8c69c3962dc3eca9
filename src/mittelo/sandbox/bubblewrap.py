"""The command line of bubblewrap (`bwrap`, measured with 0.8.0) for the walls of a run."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import msgspec

from mittelo.errors import MitteloError
from mittelo.programs import find_program
from mittelo.sandbox.walls import SYSTEM, Walls, is_in

PROGRAM = "bwrap"
_TRIAL = ("--unshare-user", "--unshare-pid", "--cap-drop", "ALL", "--ro-bind", "/", "/")
_SECONDS = 10.0
_INSIDE = (sys.executable, "-P", "-m", "mittelo.sandbox.inside")


def bubblewrap(outside: Iterable[str]) -> str:
    """Return where bubblewrap is, which must be outside of these folders; else its name."""
    return find_program(PROGRAM, map(Path, outside)) or PROGRAM


def require_bubblewrap(*outside: Path) -> None:
    """Raise where sandboxed runs cannot be had: nothing is run open instead.

    A program in one of these folders does not count: it could be an agent's.
    """
    todo = "Install bubblewrap (apt install bubblewrap), or do without --sandbox."
    try:
        trial = subprocess.run(
            [bubblewrap(map(str, outside)), *_TRIAL, "--proc", "/proc", "--dev", "/dev", "true"],
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise MitteloError("The sandbox needs bubblewrap, which is not there.", todo) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MitteloError(f"The sandbox needs bubblewrap: {error}.", todo) from error
    if trial.returncode:
        said = trial.stderr.decode(errors="replace").strip()
        raise MitteloError(
            f"bubblewrap cannot make a sandbox here: {said}",
            "Let users have namespaces (sysctl user.max_user_namespaces, AppArmor, or the "
            "container's own limits), or do without --sandbox.",
        )


def walled(walls: Walls, argv: list[str]) -> list[str]:
    """Return what is started in place of a program, for it to run within walls."""
    told = msgspec.json.encode(walls).decode()
    return [sys.executable, "-P", "-m", "mittelo.sandbox.warden", told, *argv]


def enclosed(walls: Walls, argv: list[str], gate: str = "", hosts: str = "") -> list[str]:
    """Return the command of bubblewrap that a run comes to.

    `gate` and `hosts` are descriptors: where to hand connections out, and the names inside.
    """
    ways = [word for one in walls.endpoints for word in (str(one), one.at)]
    return [bubblewrap(walls.folders), *arguments(walls, hosts), *_INSIDE, gate, *ways, "--", *argv]


def arguments(walls: Walls, hosts: str = "") -> list[str]:
    """Return the words of bwrap up to the program; `hosts` is a descriptor of its /etc/hosts.

    No capability is kept inside, but for ports below 1024 where the network is one of its own.
    Later words lie over earlier ones.
    """
    words = ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    words += ["--unshare-cgroup-try", "--die-with-parent", "--cap-drop", "ALL"]
    if walls.cut_off:
        words += ["--unshare-net", "--cap-add", "CAP_NET_BIND_SERVICE"]
    words += [word for part in (*_system(), *_own(walls)) for word in part]
    words += ["--ro-bind-data", hosts, "/etc/hosts"] if hosts else []
    return [*words, "--remount-ro", "/", "--chdir", walls.workspace]


def _system() -> Iterator[tuple[str, ...]]:
    for place in SYSTEM:
        path = Path(place)
        if path.is_symlink():
            yield "--symlink", str(path.readlink()), place
        elif path.exists():
            yield "--ro-bind", place, place
    for secret in _secrets():
        yield ("--tmpfs", secret) if Path(secret).is_dir() else ("--ro-bind", "/dev/null", secret)
    names = Path("/etc/resolv.conf")
    if names.is_symlink() and names.exists() and not is_in(str(names.resolve()), SYSTEM):
        yield "--ro-bind", str(names.resolve()), str(names.resolve())
    yield "--proc", "/proc"
    yield from _kernel()
    yield "--dev", "/dev"


def _kernel() -> Iterator[tuple[str, ...]]:
    """Yield what keeps a run from the kernel's settings: root needs no capability to write them."""
    for name in ("sys", "irq", "bus", "fs", "acpi", "scsi", "mtrr", "pressure"):
        if (path := Path("/proc") / name).exists():
            yield "--ro-bind", str(path), str(path)
    for name in ("sysrq-trigger", "kcore", "keys", "timer_list", "sched_debug"):
        if (path := Path("/proc") / name).exists():
            yield "--ro-bind", "/dev/null", str(path)


def _own(walls: Walls) -> Iterator[tuple[str, ...]]:
    yield "--bind", walls.temporary, "/tmp"  # noqa: S108 - that of the sandbox
    yield "--tmpfs", "/var/tmp"  # noqa: S108
    for place in walls.readable:
        yield "--ro-bind-try", place, place
    for place in walls.folders:
        yield "--bind-try", place, place
    for seen, source in walls.lent.items():
        yield "--bind", source, seen
    for place in walls.guarded:
        yield "--ro-bind-try", place, place


@cache
def _secrets() -> tuple[str, ...]:
    """Return what lies in /etc for its owner alone, who may be us: root."""
    if os.geteuid() != 0:
        return ()
    found: list[str] = []
    for folder, below, files in os.walk("/etc"):
        for name in (*below, *files):
            path = f"{folder}/{name}"
            status = os.lstat(path)
            if not stat.S_ISLNK(status.st_mode) and not status.st_mode & stat.S_IROTH:
                found.append(path)
        below[:] = [name for name in below if f"{folder}/{name}" not in found]
    return tuple(found)
