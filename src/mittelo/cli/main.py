"""The entry points of the three commands, and what becomes of every error."""

import errno
import os
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from mittelo.cli.group import Commands
from mittelo.errors import Interrupted, MitteloError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INTERRUPTED = 130
OUR_FAULT = 3
USERS_DISK = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
}


def rally() -> NoReturn:
    """Run the command `rally`."""
    words = "Run a relay of coding agents in this repository."
    run(Commands("rally", "mittelo.cli.rally", words, {"relay": "start"}))


def laps() -> NoReturn:
    """Run the command `laps`, which has exit codes of its own."""
    from mittelo.cli.laps._group import Laps

    group = Laps()
    run(group, complain=group.complain, misused=group.misused, our_fault=2)


def mittelo() -> NoReturn:
    """Run the command `mittelo`."""
    words = "A hub that queues prompts, workers that serve them, and the tools around them."
    run(Commands("mittelo", "mittelo.cli.mittelo", words, {}))


def run(
    command: click.Command,
    *,
    complain: "Callable[[click.Command, MitteloError], int] | None" = None,
    misused: "Callable[[click.Command, click.ClickException], int] | None" = None,
    our_fault: int = OUR_FAULT,
) -> NoReturn:
    """Run a command and exit as `design.md` says: 0, 1, 2, 3 or 130.

    `complain` and `misused` tell of an error in another way, and return its exit code.
    """
    complain = complain or _complain
    try:
        code = command.main(prog_name=command.name, standalone_mode=False)
    except click.exceptions.Exit as exit_:
        code = exit_.exit_code
    except (click.Abort, KeyboardInterrupt, Interrupted):
        code = INTERRUPTED
    except click.ClickException as error:
        code = (misused or _misused)(command, error)
    except MitteloError as error:
        code = complain(command, error)
    except BrokenPipeError:
        code = 0
    except OSError as error:
        told = disk_trouble(error)
        code = complain(command, told) if told else _tell_of_fault(command, complain, our_fault)
    except Exception:  # noqa: BLE001 - the one place that catches our own faults
        code = _tell_of_fault(command, complain, our_fault)
    _give_up_output()
    sys.exit(code if isinstance(code, int) else 0)


def _misused(_command: click.Command, error: click.ClickException) -> int:
    error.show()
    return 2


def _complain(command: click.Command, error: MitteloError) -> int:
    click.echo(f"{command.name}: {error.what}", err=True)
    if error.todo:
        click.echo(f"  {error.todo}", err=True)
    return error.exit_code


def disk_trouble(error: OSError) -> MitteloError | None:
    """Return the words for a disk that is full or closed to us; else it is our fault."""
    if error.errno not in USERS_DISK:
        return None
    where = f"{error.filename}: " if error.filename else ""
    todo = "Mend that, then go on with the same command; what was recorded is kept."
    return MitteloError(f"{where}{error.strerror}.", todo)


def _give_up_output() -> None:
    """Write out what is held back; whoever read it may have gone, which is no fault."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:  # closed by whoever started us
            continue
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _tell_of_fault(
    command: click.Command, complain: "Callable[[click.Command, MitteloError], int]", code: int
) -> int:
    import traceback

    text = traceback.format_exc()
    try:
        path = _write_traceback(text)
    except OSError:
        click.echo(text, err=True)
        return code
    last = text.strip().splitlines()[-1]
    complain(
        command,
        MitteloError(f"this is a fault of ours: {last}", f"The details are in {path}"),
    )
    return code


def _write_traceback(text: str) -> "Path":
    import time

    from mittelo.config.paths import crash_folder

    folder = crash_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    path.write_text(text)
    return path
