"""A server on loopback that gives a little for ever to some, and nothing at all to others."""

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

BEAT_SECONDS = 0.1
PORTION = b"x" * 512


@contextmanager
def server() -> Iterator[tuple[int, int]]:
    """Serve while the body runs; give it the ports of IPv4 and of IPv6."""
    fours = socket.create_server(("127.0.0.1", 0))
    sixes = socket.create_server(("::1", 0), family=socket.AF_INET6)
    over = threading.Event()
    thread = threading.Thread(target=_serve, args=([fours, sixes], over), daemon=True)
    thread.start()
    try:
        yield fours.getsockname()[1], sixes.getsockname()[1]
    finally:
        over.set()
        thread.join()
        fours.close()
        sixes.close()


def _serve(listeners: list[socket.socket], over: threading.Event) -> None:
    asking: list[socket.socket] = []
    held: list[socket.socket] = []
    streams: list[socket.socket] = []
    beat = time.monotonic()
    while not over.is_set():
        for found in select.select([*listeners, *asking], [], [], BEAT_SECONDS)[0]:
            if found in listeners:
                asking.append(found.accept()[0])
            else:
                asking.remove(found)
                (streams if found.recv(100) == b"stream\n" else held).append(found)
        if time.monotonic() - beat >= BEAT_SECONDS:
            beat = time.monotonic()
            streams = [stream for stream in streams if _give(stream)]
    for left in (*asking, *held, *streams):
        left.close()


def _give(stream: socket.socket) -> bool:
    try:
        stream.sendall(PORTION)
    except OSError:
        stream.close()
        return False
    return True
