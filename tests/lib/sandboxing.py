"""What the tests of the sandbox need: bubblewrap, and somebody to be reached."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from mittelo.errors import MitteloError
from mittelo.sandbox.bubblewrap import require_bubblewrap


def require(monkeypatch: pytest.MonkeyPatch) -> None:
    """See to it that bubblewrap is on the PATH; skip where it can make no sandbox."""
    beside_us = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}{os.pathsep}{beside_us}")
    try:
        require_bubblewrap()
    except MitteloError as error:
        pytest.skip(error.what)


@contextmanager
def a_server() -> Iterator[tuple[int, list[str]]]:
    """Serve HTTP on loopback: its port, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, asked
        server.shutdown()
        thread.join()
