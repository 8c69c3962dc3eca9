"""`laps count`: how many laps are done."""

from mittelo.cli.laps._line import About, Answer, Line, shown
from mittelo.cli.laps._options import laps_command
from mittelo.laps.overview import role_counts
from mittelo.laps.selection import select


@laps_command("count", scoped=True)
def command(line: Line) -> None:
    """Count the laps of the queue that is worked, in all and by assignee."""
    selection, who = line.selection, line.who

    def act() -> Answer:
        with line.store.reading() as book:
            queue = select(book, selection, who).context.queue
        rows = role_counts(queue)
        done, total = len(queue.done), len(queue.entries)
        lines = [f"Laps done: {done} out of {total}", ""]
        lines.append("Breakdown by role:" if rows else "No tasks found.")
        lines += [
            f"- {shown(row.assignee)}: {row.complete} complete, {row.incomplete} incomplete"
            for row in rows
        ]
        text = "\n".join(lines) + "\n"
        return Answer(text, {"breakdown": rows, "done": done, "total": total}, text)

    line.run("count", (), lambda book: About(select(book, selection, who).context), act)
