"""Starts bubblewrap and stays outside of it, where the network is: the only way out is here.

An interrupt is for the agent alone: we and bubblewrap do not hear it. What a run reaches is
connected to from here, so that it counts as what the agent's processes do.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys

import msgspec

from mittelo.core.endpoints import Endpoint, hosts_file
from mittelo.sandbox.bubblewrap import PROGRAM, enclosed
from mittelo.sandbox.inside import CANNOT_START
from mittelo.sandbox.walls import Walls

CHUNK = 1 << 16
NAME_BYTES = 512

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def main() -> None:
    """Run the program that the arguments name within the walls that the first one tells."""
    walls, argv = msgspec.json.decode(sys.argv[1], type=Walls), sys.argv[2:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        sys.exit(_run(walls, argv))
    except FileNotFoundError:
        sys.stderr.write(f"mittelo: {argv[0]} cannot be started in the sandbox: no {PROGRAM}\n")
        sys.exit(CANNOT_START)


def _run(walls: Walls, argv: list[str]) -> int:
    if not walls.endpoints:
        words = enclosed(walls, argv)
        os.execvp(words[0], words)  # noqa: S606 - which is the point
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    hosts = os.memfd_create("hosts")
    os.write(hosts, hosts_file(walls.endpoints).encode())
    os.lseek(hosts, 0, os.SEEK_SET)
    words = enclosed(walls, argv, str(theirs.fileno()), str(hosts))
    process = subprocess.Popen(words, pass_fds=(theirs.fileno(), hosts))
    theirs.close()
    asyncio.run(_serve(ours, {str(one): one for one in walls.endpoints}))
    code = process.wait()
    return code if code >= 0 else 128 - code


async def _serve(gate: socket.socket, allowed: dict[str, Endpoint]) -> None:
    """Let connections out until nobody is inside any more."""
    gate.setblocking(False)
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    running: set[asyncio.Task[None]] = set()

    def take() -> None:
        name, handles, *_ = socket.recv_fds(gate, NAME_BYTES, 1)
        if not name:
            loop.remove_reader(gate)
            over.set()
            return
        endpoint = allowed.get(name.decode())
        for inside in [socket.socket(fileno=handle) for handle in handles]:
            task = loop.create_task(_let_out(inside, endpoint))
            running.add(task)
            task.add_done_callback(running.discard)

    loop.add_reader(gate, take)
    await over.wait()


async def _let_out(inside: socket.socket, endpoint: Endpoint | None) -> None:
    """Join a connection with one to its endpoint, until both sides have no more to say."""
    here = await asyncio.open_connection(sock=inside)
    with contextlib.suppress(OSError):
        if endpoint:
            there = await asyncio.open_connection(endpoint.host, endpoint.port)
            await asyncio.gather(_carry(here, there), _carry(there, here))
            there[1].close()
    here[1].close()


async def _carry(one: _Connection, other: _Connection) -> None:
    with contextlib.suppress(OSError):
        while data := await one[0].read(CHUNK):
            other[1].write(data)
            await other[1].drain()
    with contextlib.suppress(OSError, RuntimeError):
        other[1].write_eof()


if __name__ == "__main__":
    main()
