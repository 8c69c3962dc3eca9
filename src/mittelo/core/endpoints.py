"""What a run may reach where its network is cut off: hosts with a port, and how they are led to."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from mittelo.errors import UsageError

_PORTS = {"http": 80, "ws": 80, "socks5": 1080, "socks5h": 1080}
PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


class Endpoint(Struct, frozen=True):
    """A host and a port, as a client names them; `at` is the address inside that leads there."""

    host: str
    port: int
    at: str

    def __str__(self) -> str:
        """Return it as in a URL."""
        return f"{self.host}:{self.port}"


def endpoints_of(words: Iterable[str]) -> list[Endpoint]:
    """Return what these URLs, or words HOST or HOST:PORT, name, each once; raises for others."""
    named = dict.fromkeys(_host_and_port(word) for word in words)
    hosts = [*dict.fromkeys(host for host, _ in named)]
    found = [Endpoint(host, port, _address(host, hosts.index(host))) for host, port in named]
    return [*{(one.at, one.port): one for one in reversed(found)}.values()][::-1]


def _host_and_port(word: str) -> tuple[str, int]:
    parts = urlsplit(word if "://" in word else f"https://{word}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _unclear(word, str(error)) from error
    if not host or any(letter.isspace() for letter in host):
        raise _unclear(word, "it names no host")
    if _is_address(host) and not _is_loopback(host):
        raise _unclear(word, "an address cannot be led to, only a name")
    return host, port or _PORTS.get(parts.scheme, 443)


def _unclear(word: str, why: str) -> UsageError:
    return UsageError(
        f"A sandboxed run cannot be let through to {word!r}: {why}.",
        "Write HOST or HOST:PORT in sandbox.hosts; give a bare address a name in /etc/hosts.",
    )


def _address(host: str, number: int) -> str:
    """Return where it is met inside: loopback stays, each name has an address of its own there."""
    if host == "localhost":
        return "127.0.0.1"
    return host if _is_loopback(host) else f"127.77.{number // 250}.{number % 250 + 1}"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def proxies(env: Mapping[str, str]) -> Iterator[str]:
    """Yield the proxies that an environment names: who is told of one must reach it."""
    for name in PROXY_VARIABLES:
        if found := env.get(name) or env.get(name.lower()):
            yield found


def hosts_file(endpoints: Iterable[Endpoint]) -> str:
    """Return an /etc/hosts that leads each name to its address inside."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    lines += dict.fromkeys(
        f"{one.at} {one.host}" for one in endpoints if not _is_loopback(one.host)
    )
    return "".join(f"{line}\n" for line in lines)
