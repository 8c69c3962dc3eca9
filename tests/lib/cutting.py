"""A way to a server that can be cut: at once, or at the moment that a commit is answered."""

import contextlib
import select
import socket
import threading
from typing import Self

COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
"""How a PostgreSQL server answers a commit."""


class Cable:
    """Passes on what goes between clients and a server."""

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._answers_to_lose = 0
        self.lost = threading.Event()
        self._dead = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()
        self.cut()

    def cut(self) -> None:
        """Break all connections."""
        with self._lock:
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def lose_next_commit(self, *, stay_cut: bool = False) -> None:
        """Cut a connection when its next commit is answered, so that nobody hears of it."""
        self.lost.clear()
        self._answers_to_lose = 1
        self._stay_cut = stay_cut

    def mend(self) -> None:
        """Let clients connect again."""
        self._dead = False

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self._dead:
                client.close()
                continue
            try:
                server = socket.create_connection(self._server)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open |= {client, server}
            threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for end in ready:
                    data = end.recv(1 << 20)
                    if not data or (end is server and self._loses(data)):
                        raise ConnectionError
                    (server if end is client else client).sendall(data)
        with self._lock:
            self._open -= {client, server}
        client.close()
        server.close()

    def _loses(self, data: bytes) -> bool:
        if not self._answers_to_lose or COMMITTED not in data:
            return False
        self._answers_to_lose = 0
        self._dead = self._stay_cut
        self.lost.set()
        return True
