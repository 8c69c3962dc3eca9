"""The options that the commands which prove backends have in common."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from mittelo.proving.stopping import Pace

F = TypeVar("F", bound=Callable[..., Any])
PROMPT = "Say hello in one short sentence."

prompt = click.option("--prompt", default=PROMPT, show_default=True, help="What is asked.")
shell_cmd = click.option("--shell-cmd", default="", help="The command of the backend shell.")
real_home = click.option(
    "--real-home",
    is_flag=True,
    help="Use your own home, for a CLI that is logged in by its files; else it gets an empty one.",
)
run_on_warn = click.option(
    "--run-on-warn", is_flag=True, help="Try also what may not be set up, such as a login."
)
at_once = click.option(
    "--jobs", default=4, type=click.IntRange(1, 64), show_default=True, help="So many at a time."
)
each_seconds = click.option(
    "--timeout-s",
    default=120.0,
    type=click.FloatRange(0, min_open=True),
    show_default=True,
    help="How long one answer may take.",
)


def out_dir(default: str) -> Callable[[F], F]:
    """Return the option that names the folder in which reports are made."""
    return click.option(
        "--out-dir",
        default=default,
        type=click.Path(path_type=Path, file_okay=False),
        show_default=True,
        help="Make a folder for the report there.",
    )


def told(pace: "Pace") -> str:
    """Return how far several trials are, in a line."""
    running = ", ".join(pace.running)
    return f"{pace.done} of {pace.total}{f'; running: {running}' if running else ''}"
