"""The options by which a command says what runs may do."""

from collections.abc import Callable
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

WORDS = ("none", "read", "write", "full")


def keeps_to_policy(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--policy` and `--sandbox`."""
    policy: Decorator = click.option(
        "--policy", type=click.Choice(WORDS), help="What a run may do."
    )
    sandbox: Decorator = click.option(
        "--sandbox/--no-sandbox",
        default=None,
        help="Keep runs to it by bubblewrap, whatever they do.",
    )
    return policy(sandbox(function))
