"""Who works on which lap: at most one claim for each session, all in one small file.

The newest claim stands at the top of the file, where an older laps finds it; the others follow.
"""

from datetime import datetime, timedelta

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from mittelo.core.instants import instant_text, is_instant, moment
from mittelo.core.lapfiles import ROOT_FILE, scope_of
from mittelo.errors import MitteloError

HOLD_SECONDS = 4 * 3600.0


class ClaimError(MitteloError):
    """The claim file cannot be read."""

    exit_code = 2


class Claim(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One session's word that it works on a lap, which others respect until it expires."""

    lap: str
    file: str = ""
    scope: str = ""
    claimed_at: str = ""
    session: str = ""
    expires_at: str = ""

    def is_on(self, file: str, lap_id: str) -> bool:
        """Tell whether this is a claim on that lap."""
        return (self.file, self.lap) == (file, lap_id)

    def is_live(self, now: datetime) -> bool:
        """Tell whether others must respect it."""
        return not self.expires_at or now < moment(self.expires_at)


class _File(Claim, frozen=True, kw_only=True):
    others: tuple[Claim, ...] = ()


_decoder = msgspec.json.Decoder(_File)


class Claims(Struct, frozen=True):
    """All claims of one folder, the newest first."""

    held: tuple[Claim, ...] = ()

    def of(self, session: str) -> Claim | None:
        """Return the claim of a session."""
        return next((claim for claim in self.held if claim.session == session), None)

    def on(self, file: str, lap_id: str) -> Claim | None:
        """Return the newest claim on a lap, whoever has it."""
        return next((claim for claim in self.held if claim.is_on(file, lap_id)), None)

    def bars(self, session: str, file: str, lap_id: str, now: datetime) -> Claim | None:
        """Return the claim of another session that keeps this one from a lap."""
        for claim in self.held:
            if claim.is_on(file, lap_id) and claim.session != session and claim.is_live(now):
                return claim
        return None

    def guards(self, session: str, file: str, lap_id: str, now: datetime) -> Claim | None:
        """Return the claim that keeps a lap in its place: a live one, or the session's own."""
        held = self.on(file, lap_id)
        return held if held and (held.session == session or held.is_live(now)) else None

    def add(self, claim: Claim) -> "Claims":
        """Return the claims with this one, in place of its session's last and of its lap's."""
        gone = [
            c for c in self.held if c.session == claim.session or c.is_on(claim.file, claim.lap)
        ]
        return Claims((claim, *self.drop(*gone).held))

    def drop(self, *gone: Claim | None) -> "Claims":
        """Return the claims without these."""
        return Claims(tuple(claim for claim in self.held if claim not in gone))


def make_claim(
    lap: str, file: str, scope: str, session: str, now: datetime, hold_seconds: float
) -> Claim:
    """Return a claim that holds for some seconds from now."""
    return Claim(
        lap=lap,
        file=file,
        scope=scope,
        claimed_at=instant_text(now),
        session=session,
        expires_at=instant_text(now + timedelta(seconds=hold_seconds)),
    )


def parse_claims(raw: bytes, written: datetime) -> Claims:
    """Return what a claim file holds; a bare id, as older ones wrote it, claims a lap of root.

    A claim that names no end holds from its beginning, at least from when the file was written.
    """
    text = raw.strip()
    if not text:
        return Claims()
    try:
        held = _read(text)
    except (ValueError, RecursionError) as error:
        raise ClaimError(
            f"The claim file is malformed: {error}.", "Remove .laps/claim, or mend it."
        ) from error
    return Claims(tuple(_completed(claim, written) for claim in held))


def encode_claims(claims: Claims) -> bytes | None:
    """Return what the claim file should hold; None if it should not be."""
    if not claims.held:
        return None
    top, *others = claims.held
    return msgspec.json.encode(_File(**asdict(top), others=tuple(others))) + b"\n"


def _read(text: bytes) -> tuple[Claim, ...]:
    if text[:1] not in {b"{", b"[", b'"'} and not _is_json(text):
        return (Claim(lap=text.decode(errors="replace")),)
    top = _decoder.decode(text)
    first = Claim(**{name: getattr(top, name) for name in Claim.__struct_fields__})
    for claim in (first, *top.others):
        _require_sound(claim)
    return (first, *top.others)


def _completed(claim: Claim, written: datetime) -> Claim:
    """Fill in what older files leave out."""
    file = claim.file or ROOT_FILE
    expires = claim.expires_at
    if not expires:
        began = moment(claim.claimed_at) if claim.claimed_at else written
        expires = instant_text(began + timedelta(seconds=HOLD_SECONDS))
    return replace(claim, file=file, scope=claim.scope or scope_of(file), expires_at=expires)


def _require_sound(claim: Claim) -> None:
    if not claim.lap:
        raise ValueError("it names no lap")
    for text in (claim.claimed_at, claim.expires_at):
        if text and not is_instant(text):
            raise ValueError(f"{text!r} is no RFC 3339 time")


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True
