"""`mittelo hub`: run the server that owns the queue."""

from pathlib import Path

import click

from mittelo.errors import UsageError

LONGEST_LEASE = 30 * 86400.0


@click.command("hub")
@click.option(
    "--db",
    default=".mittelo/mittelo.db",
    envvar="MITTELO_DB",
    show_default=True,
    help="The queue: a file, a postgresql:// address, or :memory:, which keeps nothing.",
)
@click.option(
    "--host", default="127.0.0.1", envvar="MITTELO_HOST", show_default=True, help="Listen there."
)
@click.option(
    "--port",
    default=8765,
    type=click.IntRange(0, 65535),
    envvar="MITTELO_PORT",
    show_default=True,
    help="Listen there; 0 takes a free one.",
)
@click.option(
    "--lease-seconds",
    default=60.0,
    type=click.FloatRange(0, LONGEST_LEASE, min_open=True),
    show_default=True,
    help="How long a lease lasts that does not say.",
)
@click.option(
    "--keep-days",
    default=30.0,
    type=click.FloatRange(0),
    show_default=True,
    help="Forget tasks so long after their end; 0 keeps them.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help="Who may do what, a line for each: NAME ROLE TOKEN.",
)
@click.option("--tls-cert", type=click.Path(path_type=Path), help="Speak TLS with this (PEM).")
@click.option(
    "--tls-key", type=click.Path(path_type=Path), help="Its key, if not in the same file."
)
@click.option("--rest-host", default="127.0.0.1", show_default=True, help="Listen there for HTTP.")
@click.option(
    "--rest-port",
    type=click.IntRange(0, 65535),
    help="Answer HTTP there, too; 0 takes a free one.",
)
@click.option("--print-url", is_flag=True, help="Print MITTELO_HUB tcp://HOST:PORT first.")
@click.option("--token", envvar="MITTELO_TOKEN", hidden=True)
def command(
    db: str,
    host: str,
    port: int,
    lease_seconds: float,
    keep_days: float,
    token_file: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    rest_host: str,
    rest_port: int | None,
    print_url: bool,
    token: str | None,
) -> None:
    """Run a hub: it queues prompts, and hands them out to workers.

    It ends when it is told to (SIGTERM, Ctrl+C, `mittelo shutdown`), after its replies are out.
    A token in MITTELO_TOKEN is that of an admin. Listening beyond this machine needs a token.
    """
    from mittelo.hub.auth import load_tokens
    from mittelo.hub.serve import Settings, serve

    if tls_key and not tls_cert:
        raise UsageError("--tls-key is given without --tls-cert.", "Give both.")
    settings = Settings(
        db=db,
        host=host,
        port=port,
        lease_seconds=lease_seconds,
        keep_days=keep_days,
        tokens=load_tokens(token_file, token),
        tls_cert=tls_cert,
        tls_key=tls_key,
        rest_host=rest_host,
        rest_port=rest_port,
    )

    def announce(line: str) -> None:
        click.echo(line if print_url else f"The hub listens: {line}")

    serve(settings, announce)
