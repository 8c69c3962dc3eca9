"""Look at the processes of an agent: their connections, bytes and seconds of CPU."""

import socket
import sys
import time

import psutil
from msgspec import Struct

from mittelo.core.pulses import Sample
from mittelo.proc.sockets import Ends, bytes_received, plain
from mittelo.proc.survey import marked

SEARCH_SECONDS = 30.0
"""Looking into every process's environment is dear."""
KEEPERS_ADOPT = sys.platform == "linux"

Identity = tuple[int, float]


class _Counted(Struct, frozen=True):
    """What one process, with the children that it has reaped, did in its life."""

    cpu_s: float
    io_bytes: int | None
    syscall_bytes: int | None


class Vitals:
    """Sums up what a tree of processes does; what one did that is gone stays in the sum.

    On Linux the root is a keeper, to whom everything falls that an agent's tools leave behind;
    elsewhere that is found by its mark.
    """

    def __init__(self, root: int, mark: str = "") -> None:
        self.root = psutil.Process(root)
        self._mark = mark
        self._searched = 0.0
        self._strays: list[psutil.Process] = []
        self._counted: dict[Identity, _Counted] = {}
        self._received: dict[Ends, int] = {}
        self._cpu = 0.0
        self._io: int | None = None
        self._syscalls: int | None = None
        self._flow = 0

    def sample(self) -> Sample:
        """Return the sums up to now; raise psutil.NoSuchProcess when the root is gone."""
        counted: dict[Identity, _Counted] = {}
        connections: set[Ends] = set()
        datagrams: set[Ends] = set()
        hidden = False
        for process in self._tree():
            try:
                identity = (process.pid, process.create_time())
                counted[identity] = self._count(identity, process)
                hidden = _find_connections(process, connections, datagrams) or hidden
            except psutil.Error:
                continue
        self._counted = counted
        outward = _outward(connections)
        uncounted = self._add_received(outward) + len(datagrams)
        number = len(outward) + len(datagrams)
        return Sample(
            connections=None if hidden and not number else number,
            uncounted=uncounted + hidden,
            received=self._flow,
            cpu_s=self._cpu,
            io_bytes=self._io,
            syscall_bytes=self._syscalls,
        )

    def _tree(self) -> list[psutil.Process]:
        tree = [self.root, *self.root.children(recursive=True)]
        if KEEPERS_ADOPT or not self._mark:
            return tree
        if time.monotonic() - self._searched > SEARCH_SECONDS:
            self._strays = marked(self._mark)
            self._searched = time.monotonic()
        return [*dict.fromkeys([*tree, *self._strays])]

    def _count(self, identity: Identity, process: psutil.Process) -> _Counted:
        """Add what a process did since it was last looked at, or since it began."""
        now = _counts(process)
        before = self._counted.get(identity) or _Counted(0.0, 0, 0)
        self._cpu += max(0.0, now.cpu_s - before.cpu_s)
        self._io = _added(self._io, before.io_bytes, now.io_bytes)
        self._syscalls = _added(self._syscalls, before.syscall_bytes, now.syscall_bytes)
        return now

    def _add_received(self, connections: set[Ends]) -> int:
        """Add what came over these connections, and return of how many that is not known."""
        told = bytes_received() if connections else {}
        received = {ends: told[ends] for ends in connections if ends in told}
        self._flow += sum(max(0, new - self._received.get(e, 0)) for e, new in received.items())
        self._received = received
        return len(connections) - len(received)


def _counts(process: psutil.Process) -> _Counted:
    times = process.cpu_times()
    cpu = sum((times.user, times.system, times.children_user, times.children_system))
    try:
        io = process.io_counters()
    except (AttributeError, psutil.AccessDenied):  # macOS counts none
        return _Counted(cpu, None, None)
    syscalls = io.read_chars + io.write_chars if hasattr(io, "read_chars") else None
    return _Counted(cpu, io.read_bytes + io.write_bytes, syscalls)


def _added(total: int | None, before: int | None, now: int | None) -> int | None:
    if now is None:
        return total
    return (total or 0) + max(0, now - (before or 0))


def _find_connections(process: psutil.Process, streams: set[Ends], datagrams: set[Ends]) -> bool:
    """Collect the connections of a process, and tell whether they are hidden from us."""
    try:
        found = process.net_connections("inet")
    except psutil.AccessDenied:
        return True
    for connection in found:
        if not any(connection.raddr):  # an empty tuple, where there is no peer
            continue
        near, far = connection.laddr, connection.raddr
        ends = (plain((near.ip, near.port)), plain((far.ip, far.port)))
        if connection.type == socket.SOCK_DGRAM:
            datagrams.add(ends)
        elif connection.status == psutil.CONN_ESTABLISHED:
            streams.add(ends)
    return False


def _outward(connections: set[Ends]) -> set[Ends]:
    """Return the connections that do not lead from one process of the tree to another."""
    return {(near, far) for near, far in connections if (far, near) not in connections}
