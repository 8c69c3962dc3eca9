"""`laps init`: make a repository ready."""

import click
import msgspec

from mittelo.cli.laps._line import Answer, Line
from mittelo.cli.laps._options import laps_command


@laps_command("init")
@click.option("--merge-driver", is_flag=True, help="Let git merge queues with laps.")
def command(line: Line, merge_driver: bool) -> None:
    """Make the queue of this repository, and commit what that takes.

    With --merge-driver, git merges queues by `laps merge-driver`: commit .gitattributes, so that
    all have it, and run this in each clone, for git's settings stay in it.
    """
    from mittelo.laps.setup import initialize

    made = initialize(line.place, commit=not line.as_json)
    done = [f"created {name}" for name in made.created]
    done += ["updated .gitignore"] if made.ignore_changed else []
    facts = msgspec.to_builtins(made)
    if merge_driver:
        from mittelo.laps.driver import install_merge_driver

        facts["mergeDriver"] = set_up = install_merge_driver(line.place)
        done += set_up
    text = "".join(f"{words}\n" for words in done or ["already initialised"])
    line.write(Answer(text, facts))
