"""Who may ask a hub for what: tokens, their roles, and where a hub may listen without any."""

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from mittelo.core import requests as ask
from mittelo.core.requests import Request
from mittelo.errors import UsageError
from mittelo.log import warn

SHORTEST_TOKEN = 8
_OTHERS = 0o077


class Role(StrEnum):
    """What a token is for."""

    ADMIN = "admin"
    SUBMIT = "submit"
    WORK = "work"
    READ = "read"


_READS: set[type[Request]] = {ask.List, ask.Get, ask.Stats, ask.Follow, ask.Workers, ask.Hello}
ALLOWED: dict[Role, set[type[Request]]] = {
    Role.ADMIN: set(ask.METHODS.values()),
    Role.SUBMIT: _READS | {ask.Enqueue, ask.EnqueueMany, ask.Cancel},
    Role.WORK: {ask.Lease, ask.Renew, ask.Ack, ask.Stats, ask.Hello},
    Role.READ: _READS,
}


class Token:
    """A secret, of which only a hash is kept; its name says who has it."""

    __slots__ = ("_hash", "name", "role")

    def __init__(self, name: str, role: Role, secret: str) -> None:
        self.name = name
        self.role = role
        self._hash = _hash(secret)

    def fits(self, digest: bytes) -> bool:
        """Tell whether this is the hash of its secret, in a time that tells nothing."""
        return hmac.compare_digest(self._hash, digest)


class Tokens:
    """All tokens that a hub knows; without any, everybody may do everything."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens

    def __bool__(self) -> bool:
        return bool(self._tokens)

    def find(self, secret: str) -> Token | None:
        """Return the token with this secret; all are looked at, whichever fits."""
        digest = _hash(secret)
        fitting = [token for token in self._tokens if token.fits(digest)]
        return fitting[0] if fitting else None


def load_tokens(path: Path | None, secret: str | None) -> Tokens:
    """Return the tokens of a file, and the one of `MITTELO_TOKEN` as that of an admin."""
    tokens = [Token("admin", Role.ADMIN, _long_enough(secret, "MITTELO_TOKEN"))] if secret else []
    if path is not None:
        tokens += _read(path)
    return Tokens(tokens)


def _read(path: Path) -> list[Token]:
    """Read lines `NAME ROLE TOKEN`; those empty or with a # before them are passed over."""
    try:
        if path.stat().st_mode & _OTHERS:
            warn(f"others can read {path}; keep it to yourself with: chmod 600 {path}")
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is no text"
        raise UsageError(f"The token file {path}: {why}.", "Name another --token-file.") from error
    numbered = [(number, line.split()) for number, line in enumerate(lines, 1)]
    tokens = [
        _parse(words, f"{path}:{number}")
        for number, words in numbered
        if words and not words[0].startswith("#")
    ]
    if not tokens:
        raise UsageError(f"The token file {path} holds no token.", _SHAPE)
    return tokens


_SHAPE = "Write a line for each: NAME ROLE TOKEN, where ROLE is admin, submit, work or read."


def _parse(words: list[str], where: str) -> Token:
    match words:
        case [name, role, secret] if role in {*Role}:
            return Token(name, Role(role), _long_enough(secret, where))
        case _:
            raise UsageError(f"{where} is no token.", _SHAPE)


def _long_enough(secret: str, where: str) -> str:
    if len(secret) < SHORTEST_TOKEN:
        raise UsageError(
            f"The token of {where} is shorter than {SHORTEST_TOKEN} characters.",
            "Make one with: openssl rand -hex 24",
        )
    return secret


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def require_token(host: str, tokens: Tokens) -> None:
    """Refuse to listen where others can connect, unless they need a token."""
    if not tokens and not is_loopback(host):
        raise UsageError(
            f"Listening on {host or 'all addresses'} lets others in without a token.",
            "Give --token-file or MITTELO_TOKEN, or listen on 127.0.0.1.",
        )


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can connect there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
