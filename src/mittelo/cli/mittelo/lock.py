"""`mittelo lock`: the version lock of the agent CLIs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mittelo.cli.connecting import as_json
from mittelo.cli.output import say, show_json
from mittelo.errors import MitteloError, UsageError

if TYPE_CHECKING:
    from mittelo.proving.verifying import Seen

PAGE = "VERSION_LOCK.md"
PROVIDER = "its provider"


@click.command("lock")
@click.option("--verify", "names", multiple=True, help="Run this CLI's raw command and stamp it.")
@click.option("--model", default="", help="Verify with this model; else that of its variable.")
@click.option("--against", default=PROVIDER, show_default=True, help="What answers, for the stamp.")
@click.option(
    "--timeout-s",
    default=120.0,
    type=click.FloatRange(0, min_open=True),
    show_default=True,
    help="How long a raw command may take.",
)
@click.option("--write", is_flag=True, help=f"Write {PAGE} anew, beside the lock.")
@click.option("--check", is_flag=True, help=f"Exit 1 if {PAGE} is not what --write would make.")
@click.option(
    "--file",
    "named",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The lock, if not docs/cli_lock.json of this checkout.",
)
@as_json
def command(
    names: tuple[str, ...],
    model: str,
    against: str,
    timeout_s: float,
    write: bool,
    check: bool,
    named: Path | None,
    as_json: bool,
) -> None:
    """Print the version lock as a page; --verify proves an entry anew.

    To verify is to ask a real model one short question, with your own login, in an empty folder.
    The stamp goes into cli_lock.json, and the page beside it is written anew.
    """
    from mittelo.proving.lock import load_lock, lock_file
    from mittelo.proving.lock_page import page

    if check and (write or names):
        raise UsageError("--check changes nothing.", "Leave out --write and --verify.")
    file = named or lock_file()
    if file is None:
        raise MitteloError("This installation has no lock.", "Name one with --file.")
    seen = _verify(file, names, model, against, timeout_s)
    lock = load_lock(file)
    page_file = file.with_name(PAGE)
    if write or names:
        from mittelo.files import write_whole

        write_whole(page_file, page(lock).encode())
    if check and (not page_file.exists() or page_file.read_text() != page(lock)):
        raise MitteloError(f"{page_file} is not what {file.name} says.", "mittelo lock --write")
    if as_json:
        return show_json({"file": str(file), "clis": lock.clis, "verified": seen})
    for one in seen:
        moved = f" (the lock had {one.before})" if one.before != one.verified.version else ""
        say(f"{one.name} {one.verified.version}{moved} answered: {one.answer}")
    if not (seen or write or check):
        say(page(lock).removesuffix("\n"))
    return None


def _verify(
    file: Path, names: tuple[str, ...], model: str, against: str, seconds: float
) -> "list[Seen]":
    from mittelo.answering.backends import configuration_here
    from mittelo.cli.steps import progress_line
    from mittelo.proving.verifying import Attempt, verify

    seen = []
    configuration = configuration_here()
    with progress_line() as draw:
        for name in names:
            draw(f"asking {name}")
            attempt = Attempt(name=name, model=model, against=against, seconds=seconds)
            seen.append(verify(file, attempt, configuration))
    return seen
