"""`laps list`: what there is to do."""

from collections.abc import Iterator

import click

from mittelo.cli.laps._line import About, Answer, Line
from mittelo.cli.laps._options import laps_command
from mittelo.cli.laps._show import Tasks, in_one_line, ref_line, two_lines
from mittelo.core.lapfiles import archive_file, stint_file
from mittelo.core.queues import Lap, Queue
from mittelo.errors import MitteloError
from mittelo.laps.overview import Branch, tree
from mittelo.laps.selection import select
from mittelo.laps.store import Lapbook


@laps_command("list", scoped=True)
@click.option("--all", "everything", is_flag=True, help="Also what is done, behind the rest.")
@click.option("--done", "finished", is_flag=True, help="Only what is done, the newest first.")
@click.option("--oneline", is_flag=True, help="One line for each, the same in every version.")
@click.option("--tree", "as_tree", is_flag=True, help="From root down, stints and all.")
def command(line: Line, everything: bool, finished: bool, oneline: bool, as_tree: bool) -> None:
    """List the laps of the queue that is worked; the claimed one is marked."""
    selection, who = line.selection, line.who

    def chosen(queue: Queue) -> list[Lap]:
        if finished:
            return queue.done[::-1]
        return queue.todo + (queue.done if everything else [])

    def act() -> Answer:
        with line.store.reading() as book:
            if as_tree:
                return _tree(book, oneline=oneline, everything=everything, finished=finished)
            context = select(book, selection, who).context
            laps = chosen(context.queue)
            lines = (
                in_one_line(number, lap)
                if oneline
                else two_lines(number, lap, context.file, book.claims, entries_of(book, lap))
                for number, lap in enumerate(laps, 1)
            )
            text = "".join(lines)
        return Answer(text, Tasks(laps), text)

    line.run("list", (), lambda book: About(select(book, selection, who).context), act)


def entries_of(book: Lapbook, lap: Lap) -> str:
    """Return how many entries the stint has that a reference leads to."""
    if not lap.is_ref:
        return ""
    for file in (stint_file(lap.ref), archive_file(lap.ref)):
        try:
            if book.has(file):
                return str(len(book.queue(file).entries))
        except MitteloError:
            return "?"
    return "?"


def _tree(book: Lapbook, *, oneline: bool, everything: bool, finished: bool) -> Answer:
    branches = [*_numbered(tree(book), everything=everything, finished=finished)]
    text = "".join(_branch(book, branch, number, oneline) for branch, number in branches)
    return Answer(text, Tasks([branch.lap for branch, _ in branches]), text)


def _numbered(
    branches: Iterator[Branch], *, everything: bool, finished: bool
) -> Iterator[tuple[Branch, int]]:
    """Yield what is wanted of a tree, numbered anew in each queue; references are the way to it."""
    numbers: dict[tuple[int, str], int] = {}
    for branch in branches:
        lap = branch.lap
        wanted = lap.is_done if finished else everything or not lap.is_done
        if wanted or (finished and lap.is_ref):
            place = (branch.depth, branch.file)
            numbers[place] = numbers.get(place, 0) + 1
            yield branch, numbers[place]


def _branch(book: Lapbook, branch: Branch, number: int, oneline: bool) -> str:
    lap = branch.lap
    if branch.trouble:
        text = f"{number}. {ref_line(lap, '?')} ({branch.trouble})\n"
    elif oneline:
        text = in_one_line(number, lap)
    else:
        text = two_lines(number, lap, branch.file, book.claims, entries_of(book, lap))
    return "".join(f"{'  ' * branch.depth}{part}" for part in text.splitlines(keepends=True))
