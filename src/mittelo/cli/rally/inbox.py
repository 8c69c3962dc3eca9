"""`rally inbox`: messages to the agents."""

import sys

import click

from mittelo.cli.output import say, show_json
from mittelo.errors import UsageError


@click.group("inbox")
def command() -> None:
    """Leave messages for the agents."""


@command.command("add")
@click.argument("words", nargs=-1, required=True)
@click.option("--relay", is_flag=True, help="For every run of a relay, not only for the next run.")
def add(words: tuple[str, ...], relay: bool) -> None:
    """Leave a message; "-" reads it from stdin."""
    from mittelo.rally.inbox import Inbox
    from mittelo.rally.prompting import check_task
    from mittelo.repo.workspace import find_workspace

    workspace = find_workspace()
    workspace.require_init()
    read = sys.stdin.buffer.read().decode(errors="surrogateescape") if words == ("-",) else ""
    body = check_task(read or " ".join(words), "The message")
    if not body.strip():
        raise UsageError("The message is empty.", "Say something.")
    message = Inbox(workspace).add(body, "relay" if relay else "run")
    say(f"message {message.id} waits for the next {message.scope}")


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those dealt with.")
@click.option("--json", "as_json", is_flag=True, help="As data.")
def list_(everything: bool, as_json: bool) -> None:
    """List the messages that wait."""
    from mittelo.core.clipping import one_line
    from mittelo.rally.inbox import PENDING, Inbox
    from mittelo.repo.workspace import find_workspace

    workspace = find_workspace()
    workspace.require_init()
    found = [m for m in Inbox(workspace).messages() if everything or m.status == PENDING]
    if as_json:
        return show_json(found)
    for message in found:
        state = "" if message.status == PENDING else f" [{message.status}]"
        say(f"{message.id:>4}  {message.scope:<5}{state}  {one_line(message.body, 100)}")
    if not found:
        say("no messages")
    return None


@command.command("done")
@click.argument("number", type=int)
def done(number: int) -> None:
    """Mark a message as dealt with."""
    from mittelo.rally.inbox import Inbox
    from mittelo.repo.workspace import agents_workspace

    workspace = agents_workspace()
    workspace.require_init()
    say(f"message {Inbox(workspace).done(number).id} is dealt with")
