"""What the commands of workers have in common: where their hub is, and how they speak."""

import os
import secrets
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mittelo.worker.contact import Address


def address_of(context: click.Context) -> "Address":
    """Return the hub that a command with the options of `asks_hub` is meant for."""
    from mittelo.hub.client import client_tls
    from mittelo.worker.contact import Address

    given = context.params
    tls = client_tls(given["tls_ca"]) if given["tls"] or given["tls_ca"] else None
    return Address(given["host"], given["port"], given["token"], tls)


def new_worker_id() -> str:
    """Return a name that no other worker has."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"


def tell(text: str) -> None:
    """Say a line on stderr, in one piece; nobody may be there to read it."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
