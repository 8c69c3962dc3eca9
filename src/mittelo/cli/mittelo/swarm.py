"""`mittelo swarm`: several workers at once."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from mittelo.cli.connecting import asks_hub
from mittelo.cli.policies import keeps_to_policy
from mittelo.cli.working import tell
from mittelo.errors import UsageError

if TYPE_CHECKING:
    from mittelo.worker.swarm import Team

MOST = 1000
LONGEST_LEASE = 30 * 86400.0


@click.command("swarm")
@click.option("--agent", "agents", multiple=True, required=True, help="BACKEND=COUNT; repeatable.")
@click.option("--shell-cmd", default="", help="The command of the backend shell; prompt on stdin.")
@click.option("--max-tasks", type=click.IntRange(1, 1000), help="Of each worker.")
@click.option(
    "--lease-seconds",
    type=click.FloatRange(0, LONGEST_LEASE, min_open=True),
    help="How long a lease lasts unless renewed; the hub's default if not given.",
)
@click.option("--no-preflight", is_flag=True, help="Do not look whether the backends are ready.")
@click.option("--require-ready", is_flag=True, help="Do not start with doubts about a backend.")
@click.option("--concurrency", type=click.IntRange(1, 1000), help="Of each worker.")
@click.option(
    "--cwd",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The folder that the backends run in.",
)
@keeps_to_policy
@click.option(
    "--grace-seconds",
    default=10.0,
    type=click.FloatRange(0),
    show_default=True,
    help="How long runs may go on when the swarm is told to end.",
)
@asks_hub
@click.pass_context
def command(
    context: click.Context,
    /,
    hub: object,
    agents: tuple[str, ...],
    grace_seconds: float,
    **options: object,
) -> None:
    """Run several workers, and start one again that crashes.

    All end with the swarm, however that ends: they finish their runs or give them back.
    """
    del hub
    from mittelo.answering.backends import configuration_here, find_backend
    from mittelo.answering.preparing import require_kept
    from mittelo.answering.run import bounds_of
    from mittelo.worker.swarm import Swarm, members_of

    teams = [_team(word) for word in agents]
    configuration = configuration_here()
    policy, sandbox = str(options["policy"] or ""), cast("bool | None", options["sandbox"])
    permit = bounds_of(configuration, policy, sandbox=sandbox).permit
    for team in teams:
        found = find_backend(team.backend, configuration, str(options["shell_cmd"]))
        require_kept(found, permit, Path(str(options["cwd"] or ".")).resolve())
    words = ["--grace-seconds", f"{grace_seconds:g}", *_words(options)]
    Swarm(members_of(teams, words, _environment(context)), grace_seconds, tell).run()


def _team(word: str) -> "Team":
    from mittelo.worker.swarm import Team

    backend, _, count = word.partition("=")
    number = count or "1"
    if not backend or not number.isascii() or not number.isdecimal() or not 0 < int(number) <= MOST:
        raise UsageError(
            f"--agent {word!r} is not BACKEND=COUNT.", "For example: --agent claude=2 --agent codex"
        )
    return Team(backend, int(number))


def _words(options: dict[str, object]) -> list[str]:
    """Return the options again that every worker is given."""
    words: list[str] = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif value is False and name == "sandbox":
            words.append("--no-sandbox")
        elif value not in {None, False, ""}:
            words += [flag, str(value)]
    return words


def _environment(context: click.Context) -> dict[str, str]:
    """Return the environment of a worker: a token must not be seen in a list of processes."""
    from mittelo.config.load import environment

    given = context.params
    named = {
        "MITTELO_HOST": given["host"],
        "MITTELO_PORT": given["port"],
        "MITTELO_TOKEN": given["token"],
        "MITTELO_TLS": "1" if given["tls"] else "0",
        "MITTELO_TLS_CA": given["tls_ca"],
    }
    return environment() | {name: str(value) for name, value in named.items() if value}
