"""Whether a running agent still gets anywhere; never judged by a single sign."""

import math
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from mittelo.core.pulses import Sample, Tone, receives, works

SLOWING_SHARE = 0.6
CONNECTED_SECONDS = 300.0
LINGER_SECONDS = 60.0
HINT_SECONDS = 30.0
WINDOW_SECONDS = 60.0
"""Work is a rate over this time, so that a helper's short bursts do not pass for it."""
LOOP_LINES = 20
"""Claude Code, the most patient of those that give up, tells of 10 retries."""
HEARTBEATS = 4
"""So many times the silence is borne where pings come, or where it cannot be seen whether."""
STALE_SECONDS = 60.0
"""A sample that is older says nothing of the present."""
IDLE_LOOKS = 5
"""So often the processes must be found idle in a row: a busy machine looks seldom."""
GAP_SECONDS = 15.0
"""Who watches was stopped or asleep for longer than this: what happened meanwhile is unknown."""


class Condition(StrEnum):
    """How an agent is doing. LINGERING: it has finished, and does not exit."""

    ACTIVE = "active"
    SLOWING = "slowing"
    FROZEN = "frozen"
    LINGERING = "lingering"


class Patience(Struct, frozen=True):
    """Seconds of silence that are borne: at most, with a connection, after the end event."""

    silence: float = math.inf
    connected: float = CONNECTED_SECONDS
    lingering: float = LINGER_SECONDS

    @property
    def window(self) -> float:
        """Return the seconds over which work is measured."""
        return min(WINDOW_SECONDS, self.silence)


class Watch(Struct, frozen=True):
    """What was seen of an agent. Fields are the instants when it was seen last.

    `progressed`: it said or did something. `heard`: it wrote something that is no mere noise.
    `worked`: its processes did more than idling does, `flowed`: not only by computing.
    `received`: a byte came to them. `connected`: they had a connection. `looked`: we were there.
    `noise` counts the fruitless lines since it progressed, `noisy` is the last one's instant.
    `idle_looks` counts how often no work was found since there was some.
    """

    patience: Patience
    progressed: float
    heard: float
    worked: float
    received: float
    flowed: float
    connected: float
    looked: float
    noisy: float = -math.inf
    noise: int = 0
    ended: bool = False
    idle_looks: int = 0
    samples: tuple[tuple[float, Sample], ...] = ()

    @property
    def connections(self) -> int | None:
        """Return how many connections there are, None where that cannot be seen."""
        return self.samples[-1][1].connections if self.samples else None


def begin(patience: Patience, now: float) -> Watch:
    """Return the state of an agent that starts now."""
    return Watch(patience, now, now, now, now, now, now, now)


def look(at: Watch, now: float) -> Watch:
    """Note that somebody watches; time in which nobody did counts for nothing."""
    gap = now - at.looked
    if gap <= GAP_SECONDS:
        return replace(at, looked=now)
    return replace(
        at,
        progressed=at.progressed + gap,
        heard=at.heard + gap,
        worked=at.worked + gap,
        received=at.received + gap,
        flowed=at.flowed + gap,
        connected=at.connected + gap,
        noisy=at.noisy + gap,
        looked=now,
        idle_looks=0,
        samples=(),
    )


def hear(at: Watch, tone: Tone, noise: int, now: float, *, ended: bool) -> Watch:
    """Take in what was written: its strongest tone, and how many lines of it were noise."""
    at = replace(at, ended=ended)
    if tone is Tone.PROGRESS:
        return replace(at, progressed=now, heard=now, noise=0)
    if tone is Tone.BYTES:
        at = replace(at, heard=now)
    return replace(at, noise=at.noise + noise, noisy=now) if noise else at


def watch(at: Watch, sample: Sample, now: float) -> Watch:
    """Take in what the processes did."""
    if sample.connections != 0:
        at = replace(at, connected=now)
    older = [s for s in at.samples if s[0] <= now - at.patience.window]
    newer = [s for s in at.samples if s[0] > now - at.patience.window]
    at = replace(at, samples=(*older[-1:], *newer))
    if at.samples:
        at = _compare(at, sample, now)
    return replace(at, samples=(*at.samples, (now, sample)))


def _compare(at: Watch, sample: Sample, now: float) -> Watch:
    """Compare with the last sample and with the window's first: work shows against both."""
    (first, oldest), (last, before) = at.samples[0], at.samples[-1]
    seen = works(oldest, sample, now - first) & works(before, sample, now - last)
    at = replace(at, idle_looks=0 if seen else at.idle_looks + 1)
    if seen:
        at = replace(at, worked=now)
    if seen - {"cpu_s"}:
        at = replace(at, flowed=now)
    return replace(at, received=now) if receives(before, sample) else at


def condition(at: Watch, now: float) -> Condition:
    """Return how the agent is doing."""
    patience = at.patience.silence
    if patience == math.inf:
        return Condition.ACTIVE
    if at.ended and _lingers(at, now):
        return Condition.LINGERING
    if _is_dead(at, now) or _loops(at, now) or _only_beats(at, now):
        return Condition.FROZEN
    slow = now - at.heard >= SLOWING_SHARE * patience
    return Condition.SLOWING if slow else Condition.ACTIVE


def hints(at: Watch, now: float) -> list[str]:
    """Return what is odd about the network, in words for the status line."""
    if at.connections == 0 and now - at.connected >= HINT_SECONDS:
        return [f"No TCP… ({HINT_SECONDS:.0f}s)"]
    if at.connections and now - max(at.flowed, at.received) >= HINT_SECONDS:
        return [f"No I/O… ({HINT_SECONDS:.0f}s)"]
    return []


def account(at: Watch, now: float) -> str:
    """Return in words and numbers why the agent counts as frozen."""
    connections = "unknown" if at.connections is None else at.connections
    said = [f"no progress for {now - at.progressed:.0f} s"]
    if at.noise:
        said.append(f"{at.noise} fruitless messages")
    said.append(f"connections: {connections}")
    said.append(f"no work for {now - at.worked:.0f} s")
    return ", ".join(said)


def _lingers(at: Watch, now: float) -> bool:
    """Tell whether it has been quiet after its end for long; what still works is waited for."""
    grace = min(at.patience.lingering, at.patience.silence)
    quiet = now - max(at.heard, at.noisy)
    idle = now - at.worked >= grace and not _is_unseen(at, now)
    return quiet >= grace and (idle or quiet >= at.patience.silence)


def _is_dead(at: Watch, now: float) -> bool:
    """Tell whether it is silent, and nothing else speaks for it either, for long enough."""
    needed = at.patience.connected
    if not at.connections:
        needed = min(needed, at.patience.silence)
    still = now - max(at.worked, at.received) >= needed
    seen = not _is_unseen(at, now) and not at.samples[-1][1].uncounted
    return now - at.heard >= at.patience.silence and still and seen


def _loops(at: Watch, now: float) -> bool:
    """Tell whether it goes round in circles, however busily."""
    silent = now - at.progressed >= at.patience.silence
    return silent and at.noise >= LOOP_LINES and now - at.noisy <= at.patience.window


def _only_beats(at: Watch, now: float) -> bool:
    """Tell whether for very long nothing but bytes that tell nothing may have come."""
    borne = max(HEARTBEATS * at.patience.silence, at.patience.connected)
    return now - max(at.progressed, at.worked) >= borne


def _is_unseen(at: Watch, now: float) -> bool:
    """Tell whether it is not, or not yet, seen what the processes do."""
    if at.idle_looks < IDLE_LOOKS or now - at.samples[-1][0] > STALE_SECONDS:
        return True
    sample = at.samples[-1][1]
    return sample.cpu_s is None or sample.connections is None
