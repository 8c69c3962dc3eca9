"""`laps stints`: queues of their own, each for one change."""

from collections.abc import Callable

import click
from msgspec import Struct

from mittelo.cli.laps._input import where
from mittelo.cli.laps._line import Answer, Line, shown
from mittelo.cli.laps._options import laps_command
from mittelo.cli.laps._show import two_lines
from mittelo.cli.laps.list import entries_of
from mittelo.core.lapfiles import archive_file, stint_file
from mittelo.core.queues import Lap
from mittelo.laps.stints import (
    Stint,
    enqueue,
    find_stint,
    hold,
    list_stints,
    new_stint,
    remove_stint,
)


class _Shown(Struct, frozen=True):
    name: str
    prefix: str
    queued: bool
    archived: bool
    held: bool
    tasks: list[Lap]


@click.group("stints", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Make, queue, hold and look at stints: queues of their own, each for one change."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _add(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """Make a function a command of this group."""

    def make(function: Callable[..., None]) -> click.Command:
        made = laps_command(name)(function)
        command.add_command(made)
        return made

    return make


@_add("ls")
def ls(line: Line) -> None:
    """List all stints, those in the archive too."""
    with line.store.reading() as book:
        found = list_stints(book)
    text = "".join(f"{shown(_row(stint))}\n" for stint in found)
    line.write(Answer(text, {"stints": found}))


@_add("new")
@click.argument("name")
def new(line: Line, name: str) -> None:
    """Make an empty stint, and print the prefix of its ids."""
    stint = new_stint(line.store, name)
    path = str(line.place.folder / stint_file(name))
    facts = {"name": name, "prefix": stint.prefix, "path": path}
    line.write(Answer(f"{stint.prefix}\n", facts))


@_add("enqueue")
@click.argument("name")
@click.argument("position", nargs=-1, metavar="[head|tail|after ID]")
def enqueue_(line: Line, name: str, position: tuple[str, ...]) -> None:
    """Put a stint into the root queue, at its tail if nothing else is said."""
    ref = enqueue(line.store, line.who, name, where(position or ("tail",)))
    line.write(Answer(f"{ref.id}\n", {"stint": name, "ref": ref.id}))


@_add("show")
@click.argument("name")
def show(line: Line, name: str) -> None:
    """Show a stint with all its laps."""
    with line.store.reading() as book:
        stint, queue = find_stint(book, name)
        file = archive_file(name) if stint.archived else stint_file(name)
        laps = [*queue.todo, *queue.done]
        text = f"{shown(name)}\n{shown(_state(stint))}\n" + "".join(
            two_lines(number, lap, file, book.claims, entries_of(book, lap))
            for number, lap in enumerate(laps, 1)
        )
    facts = _Shown(name, stint.prefix, stint.queued, stint.archived, stint.held, laps)
    line.write(Answer(text, facts))


@_add("hold")
@click.argument("name")
def hold_(line: Line, name: str) -> None:
    """Hold a stint: what is claimed can be finished, nothing of it is started."""
    _hold(line, name, held=True)


@_add("release")
@click.argument("name")
def release(line: Line, name: str) -> None:
    """Let a held stint go on."""
    _hold(line, name, held=False)


@_add("rm")
@click.argument("name")
@click.option("--force", is_flag=True, help="Also when it is queued or worked.")
def rm(line: Line, name: str, force: bool) -> None:
    """Delete a stint with all its laps, and what refers to it."""
    remove_stint(line.store, line.who, name, force=force)
    line.write(Answer(f"{shown(name)}\n", {"removed": name, "force": force}))


def _hold(line: Line, name: str, *, held: bool) -> None:
    hold(line.store, line.who, name, held=held)
    line.write(Answer(f"{shown(name)}\n", {"stint": name, "held": held}))


def _row(stint: Stint) -> str:
    text = f"{stint.name}\tprefix={stint.prefix}\tlaps={stint.laps}\t"
    text += f"queued={_word(stint.queued)}\tarchived={_word(stint.archived)}"
    return f"{text}\theld=true" if stint.held else text


def _state(stint: Stint) -> str:
    return _row(stint).partition("\t")[2].replace("\t", " ")


def _word(flag: bool) -> str:
    return "true" if flag else "false"
