"""The options by which a command finds its hub, and the client that they make."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from mittelo.hub.client import HubClient

F = TypeVar("F", bound=Callable[..., Any])
_OPTIONS = (
    click.option("--host", default="127.0.0.1", envvar="MITTELO_HOST", help="Where the hub is."),
    click.option("--port", default=8765, envvar="MITTELO_PORT", help="Its port."),
    click.option("--token", default="", envvar="MITTELO_TOKEN", help="Better in MITTELO_TOKEN."),
    click.option("--tls", is_flag=True, envvar="MITTELO_TLS", help="Talk to it by TLS."),
    click.option("--tls-ca", envvar="MITTELO_TLS_CA", help="Trust this certificate (PEM)."),
)
as_json = click.option("--json", "as_json", is_flag=True, help="As data.")


def asks_hub(command: F) -> F:
    """Give a command the options of a client, and the client as its argument `hub`."""

    @wraps(command)
    def connected(
        *, host: str, port: int, token: str, tls: bool, tls_ca: str | None, **options: object
    ) -> object:
        with _client(host, port, token, tls_ca, tls=tls) as hub:
            return command(hub=hub, **options)

    for option in reversed(_OPTIONS):
        connected = option(connected)
    return connected  # type: ignore[return-value]  # the command, with fewer arguments


def _client(host: str, port: int, token: str, tls_ca: str | None, *, tls: bool) -> "HubClient":
    from mittelo.hub.client import HubClient, client_tls

    context = client_tls(tls_ca) if tls or tls_ca else None
    return HubClient(host, port, token=token, tls=context, pauses=())
