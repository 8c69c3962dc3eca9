"""Whether programs can talk to each other on this machine, over localhost."""

import socket

HOST = "127.0.0.1"
SECONDS = 2.0


def localhost_trouble() -> str:
    """Return why no port of localhost can be used; "" where one can."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
            listening.bind((HOST, 0))
            listening.listen(1)
            with socket.create_connection(listening.getsockname(), SECONDS):
                return ""
    except OSError as error:
        return f"{HOST} cannot be used: {error.strerror or error}"
