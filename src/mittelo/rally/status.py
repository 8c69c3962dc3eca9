"""What is going on in a workspace, collected for one screen."""

import time

from msgspec import Struct

from mittelo.config.zone import local_zone
from mittelo.core.budgets import (
    Amount,
    Amounts,
    Balance,
    Place,
    Scope,
    balances,
    is_today,
    spent,
)
from mittelo.core.records import RelayRecord, TryRecord
from mittelo.core.signs import Tokens
from mittelo.core.standings import benches_at
from mittelo.rally.desk import Count, find_desk
from mittelo.rally.inbox import PENDING
from mittelo.repo.workspace import Holder, Workspace, instant

SHOWN_TRIES = 5


class ActiveTry(Struct):
    """The try that is running now."""

    id: int
    run: int
    attempt: int
    agent: str
    model: str
    session: str
    started_at: str
    log_path: str
    lap: str = ""
    lap_title: str = ""


class Spending(Struct):
    """What one runner used in a relay."""

    runner: str
    tries: int
    completed: int
    tokens: Tokens
    cost_usd: float


class SittingOut(Struct):
    """A runner on the bench; `until` is "" when it must be called back."""

    runner: str
    why: str
    until: str


class Status(Struct):
    """The newest relay, who runs it, its last tries, who sits out, and what waits in the inbox.

    `budgets` are those that are set, of its newest run, of itself, and of this day; `laps` tells
    how far the queue is, if there is one.
    """

    workspace: str
    running: Holder | None
    paused: bool
    relay: RelayRecord | None
    active: ActiveTry | None
    tries: list[TryRecord]
    spending: list[Spending]
    budgets: list[Balance]
    benched: list[SittingOut]
    pending_messages: int
    laps: Count | None = None


def collect(workspace: Workspace, limits: Amounts) -> Status:
    """Return the status of a workspace, from its records; `limits` are its budgets."""
    relays = workspace.relays.read()
    relay = relays[-1] if relays else None
    number = relay.id if relay else 0
    tries = workspace.tries.read_last(lambda made: made.relay_id == number)
    holder = workspace.holder()
    return Status(
        workspace=str(workspace.root),
        running=holder,
        paused=bool(holder and holder.paused_since),
        relay=relay,
        active=_active(workspace) if holder else None,
        tries=tries[-SHOWN_TRIES:],
        spending=_spending(tries),
        budgets=_balances(workspace, limits, tries, number),
        benched=_benched(workspace),
        pending_messages=sum(m.status == PENDING for m in workspace.messages.read()),
        laps=_laps(workspace),
    )


def _laps(workspace: Workspace) -> Count | None:
    desk = find_desk(workspace.root, "")
    return desk.count() if desk else None


def _balances(
    workspace: Workspace, limits: Amounts, tries: list[TryRecord], relay: int
) -> list[Balance]:
    """Return how it stands with the budgets; the other relays' tries are read for a day's alone."""
    at = Place(relay, tries[-1].run_id if tries else 0, time.time(), local_zone())
    if limits.get(Scope.DAY, Amount()) != Amount():
        tries = workspace.tries.read_last(
            lambda made: made.relay_id == relay or is_today(made, at.now, at.zone)
        )
    return balances(limits, spent(tries, at), Scope.RUN, Scope.RELAY, Scope.DAY)


def _active(workspace: Workspace) -> ActiveTry | None:
    state = workspace.run_state()
    if not state.active_try_id:
        return None
    return ActiveTry(
        id=state.active_try_id,
        run=state.active_run_id,
        attempt=state.active_attempt,
        agent=state.active_agent,
        model=state.active_model,
        session=state.session_id,
        started_at=state.active_started_at,
        log_path=state.active_log_path,
        lap=state.pinned_lap_id,
        lap_title=state.pinned_lap_title,
    )


def _benched(workspace: Workspace) -> list[SittingOut]:
    benches = benches_at(workspace.standings.read(), time.time())
    return [
        SittingOut(":".join(filter(None, key)), bench.why, instant(bench.until))
        for key, bench in benches.items()
    ]


def _spending(tries: list[TryRecord]) -> list[Spending]:
    by_runner: dict[str, Spending] = {}
    for made in tries:
        runner = f"{made.agent_type}:{made.model}" if made.model else made.agent_type
        sum_ = by_runner.setdefault(runner, Spending(runner, 0, 0, Tokens(), 0.0))
        sum_.tries += 1
        sum_.completed += made.completed
        sum_.tokens = sum_.tokens + (made.tokens or Tokens())
        sum_.cost_usd += made.cost_usd or 0.0
    return list(by_runner.values())
