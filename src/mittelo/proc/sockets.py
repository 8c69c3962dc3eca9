"""How many bytes came over each TCP connection, as the Linux kernel counts them.

Neither `/proc` nor psutil tells: what is read with `recv` is in no counter of a process.
"""

import socket
import struct
import sys
from collections.abc import Iterator

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLMSG_ERROR, NLMSG_DONE = 2, 3
REQUEST_DUMP = 0x301
INET_DIAG_INFO = 2
ESTABLISHED = 1 << 1
HEADER = struct.Struct("=IHHII")
ATTRIBUTE = struct.Struct("=HH")
MESSAGE_SIZE = 72
RECEIVED_AT = 128
"""Where `struct tcp_info` holds `tcpi_bytes_received` (`linux/tcp.h`, since Linux 4.1)."""
TIMEOUT_SECONDS = 2.0
MAPPED = "::ffff:"

Address = tuple[str, int]
Ends = tuple[Address, Address]


def bytes_received() -> dict[Ends, int]:
    """Return what every established connection received, by its ends; empty where untold."""
    found: dict[Ends, int] = {}
    if sys.platform == "linux":
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                found.update(_dump(family))
            except OSError:
                continue
    return found


def plain(address: Address) -> Address:
    """Return an address as IPv4 where it is IPv4 in the clothes of IPv6."""
    return address[0].removeprefix(MAPPED), address[1]


def _dump(family: socket.AddressFamily) -> Iterator[tuple[Ends, int]]:
    if sys.platform != "linux":
        return
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as link:
        link.settimeout(TIMEOUT_SECONDS)
        wanted = (family, socket.IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), 0, ESTABLISHED)
        body = struct.pack("=BBBBI48x", *wanted)
        size = HEADER.size + len(body)
        head = HEADER.pack(size, SOCK_DIAG_BY_FAMILY, REQUEST_DUMP, 1, 0)
        link.sendto(head + body, (0, 0))
        while True:
            data = link.recv(1 << 18)
            at = 0
            while at < len(data):
                length, kind, *_ = HEADER.unpack_from(data, at)
                if kind in {NLMSG_ERROR, NLMSG_DONE} or length < HEADER.size:
                    return
                yield from _connection(data[at + HEADER.size : at + length], family)
                at += (length + 3) & ~3


def _connection(message: bytes, family: socket.AddressFamily) -> Iterator[tuple[Ends, int]]:
    """Read one `struct inet_diag_msg` with the attributes behind it."""
    near, far = struct.unpack_from("!HH", message, 4)
    width = 4 if family is socket.AF_INET else 16
    ends = (
        plain((socket.inet_ntop(family, message[8 : 8 + width]), near)),
        plain((socket.inet_ntop(family, message[24 : 24 + width]), far)),
    )
    at = MESSAGE_SIZE
    while at + ATTRIBUTE.size <= len(message):
        length, kind = ATTRIBUTE.unpack_from(message, at)
        if kind == INET_DIAG_INFO and length >= ATTRIBUTE.size + RECEIVED_AT + 8:
            (count,) = struct.unpack_from("=Q", message, at + ATTRIBUTE.size + RECEIVED_AT)
            yield ends, count
        at += max(ATTRIBUTE.size, (length + 3) & ~3)
