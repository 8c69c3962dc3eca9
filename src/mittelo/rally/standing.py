"""Send a runner to the bench, or call it back; every relay here keeps to it."""

import time
from collections.abc import Iterable, Sequence

from msgspec import Struct

from mittelo.config.load import Configuration
from mittelo.core.faults import Category, Evidence
from mittelo.core.records import TryRecord
from mittelo.core.routes import Key
from mittelo.core.standings import Happened, StandingRecord, benches_at, consequence
from mittelo.log import warn
from mittelo.repo.workspace import Workspace, instant, now


class Failed(Struct, frozen=True):
    """A runner's failure: by what it was seen, and how many of the infrastructure came in a row."""

    key: Key
    evidence: Evidence
    in_a_row: int


def bench(workspace: Workspace, keys: list[Key], until: float | None, why: str) -> None:
    """Let runners sit out until an epoch second, or until they are called back."""
    _append(workspace, keys, Happened.BENCHED, why, instant(until), by_user=True)


def call_back(workspace: Workspace, keys: list[Key]) -> None:
    """Let runners serve again."""
    _append(workspace, keys, Happened.ACTIVE, "called back by the user", "")


def benched(workspace: Workspace, at: float) -> list[Key]:
    """Return who sits out at an epoch second."""
    return [*benches_at(workspace.standings.read(), at)]


def call_everybody_back(workspace: Workspace) -> None:
    """Forget who sat out because of failures; whom the user sent to the bench stays there."""
    with workspace.changing():
        records = workspace.standings.read()
        out = benches_at(records, time.time())
        last = {(record.agent_type, record.model): record for record in records}
        if kept := [last[key] for key in out if last[key].by_user]:
            workspace.standings.rewrite(kept)
        else:
            workspace.paths.standings.unlink(missing_ok=True)
    for key in out:
        if not last[key].by_user:
            warn(f"{':'.join(filter(None, key))} sat out and is called back.")


def in_a_row(tries: Sequence[TryRecord], key: Key, evidence: Evidence) -> int:
    """Return how many failures of the infrastructure a runner had in a row, with this one."""
    count = int(evidence.category.is_infra)
    for made in reversed(tries):
        if (made.agent_type, made.model) != key:
            continue
        if not (count and made.category and Category(made.category).is_infra):
            break
        count += 1
    return count


def suffer(
    workspace: Workspace,
    configuration: Configuration,
    runners: Iterable[Key],
    failed: Failed,
) -> str:
    """Let those sit out whom a failure concerns; tell who and until when, "" when nobody does.

    Of `runners`, those with the quota scope of the one that failed are concerned by a limit.
    """
    past = [r for r in workspace.standings.read() if (r.agent_type, r.model) == failed.key]
    found = consequence(failed.evidence, past, failed.in_a_row, time.time())
    if found is None:
        return ""
    scope = configuration.quota_scope(failed.key)
    keys = [failed.key]
    if found.wide:
        same = (key for key in runners if configuration.quota_scope(key) == scope)
        keys = [*dict.fromkeys([failed.key, *same])]
    until = instant(found.until)
    _append(workspace, keys, found.event, found.why, until, scope if found.wide else "")
    return f'{found.event} "{scope}" until {until} ({len(keys)} runner(s)): {found.why}'


def recover(workspace: Workspace, key: Key) -> None:
    """Note that a runner works again, where it was out before; one benched just now stays so."""
    records = workspace.standings.read()
    past = [record for record in records if (record.agent_type, record.model) == key]
    is_out = key in benches_at(records, time.time())
    if past and past[-1].event_type != Happened.ACTIVE and not is_out:
        _append(workspace, [key], Happened.ACTIVE, "a run succeeded", "")


def _append(
    workspace: Workspace,
    keys: list[Key],
    what: Happened,
    why: str,
    reset: str,
    scope: str = "",
    *,
    by_user: bool = False,
) -> None:
    with workspace.changing():
        for harness, model in keys:
            workspace.standings.append(
                StandingRecord(
                    agent_type=harness,
                    model=model,
                    event_type=what,
                    timestamp=now(),
                    reason=why,
                    reset_at=reset,
                    quota_scope=scope,
                    by_user=by_user,
                )
            )
