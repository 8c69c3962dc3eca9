"""Which relays can go on."""

from collections.abc import Sequence

from mittelo.core.records import RelayRecord
from mittelo.core.relays import Ending


def unfinished(held: Sequence[RelayRecord]) -> list[RelayRecord]:
    """Return the relays that are not over and have runs left, the newest last."""
    return [
        relay
        for relay in held
        if not relay.ended_at and relay.completed_iterations < relay.target_iterations
    ]


def resumable(held: Sequence[RelayRecord]) -> RelayRecord | None:
    """Return whom `--resume` goes on with: the newest unfinished relay, else a last failed one."""
    if open_ := unfinished(held):
        return open_[-1]
    return held[-1] if held and held[-1].ended_how == Ending.FAILED else None
