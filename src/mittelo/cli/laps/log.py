"""`laps log`: what was changed."""

from typing import Any

import click

from mittelo.cli.laps._line import About, Answer, Line, shown
from mittelo.cli.laps._options import Number, laps_command
from mittelo.laps.journal import Wanted, read_events
from mittelo.laps.selection import select
from mittelo.laps.store import Lapbook


@laps_command("log", scoped=True)
@click.option(
    "-n", "--limit", type=Number(), default=20, show_default=True, help="How many events."
)
@click.option("--lap", default="", metavar="ID", help="Those of one lap.")
@click.option("--session", metavar="NAME", help="Those of one session.")
@click.option("--since", default="", metavar="TIME", help="Those since 2026-01-31T12:00:00Z.")
@click.option("--scope", default="", help="Those of one scope, such as root or auth/search.")
def command(line: Line, limit: int, lap: str, session: str | None, since: str, scope: str) -> None:
    """Show the newest events, the oldest first: of all queues, or of the one that is named."""
    selection, who = line.selection, line.who
    is_named = line.active or line.root or line.stint is not None or line.file is not None

    def act() -> Answer:
        file = ""
        if is_named:
            with line.store.reading() as book:
                file = select(book, selection, who).context.file
        wanted = Wanted(file, lap, session, since, scope, limit)
        events = read_events(line.place.folder, wanted)
        text = "".join(f"{_line(event)}\n" for event in events)
        return Answer(text, {"events": events}, text)

    def find(book: Lapbook) -> About:
        return About(select(book, selection, who).context)

    line.run("log", (), find, act)


def _line(event: dict[str, Any]) -> str:
    parts = [event["ts"], event["event"], event.get("lap")]
    parts.append(f'"{event["title"]}"' if event.get("title") else "")
    parts.append(f"({event['assignee']})" if event.get("assignee") else "")
    parts.append(f"[session: {event['session']}]" if event.get("session") else "")
    detail = ", ".join(f"{key}:{_value(value)}" for key, value in event.get("detail", {}).items())
    parts.append(f"{{{detail}}}" if detail else "")
    return shown(" ".join(part for part in parts if part))


def _value(value: object) -> str:
    return "[" + " ".join(map(str, value)) + "]" if isinstance(value, list) else str(value)
