"""Budgets of money and tokens, as histories: what was used, what is left, what is decided."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mittelo.core.budgets import (
    Amount,
    Place,
    Scope,
    balances,
    by_runner,
    dollars,
    is_today,
    passed,
    spent,
    used_up,
)
from mittelo.core.faults import Category, Source
from mittelo.core.mixes import Quota
from mittelo.core.records import Outcome, TryRecord
from mittelo.core.relays import (
    BudgetSpent,
    Effect,
    End,
    Ending,
    EndRun,
    Event,
    Relay,
    RunBudgetSpent,
    Started,
    StartTry,
    TryEnded,
    Wait,
    WaitOver,
    decision,
    step,
)
from mittelo.core.resuming import resume
from mittelo.core.routes import Entry, Lane, Runner
from mittelo.core.signs import Reading, Tokens
from mittelo.core.tries import Effect as TryEffect
from mittelo.core.tries import Event as TryEvent
from mittelo.core.tries import (
    Exited,
    Finish,
    Interrupt,
    Kill,
    Limits,
    Stop,
    StopAsked,
    Ticked,
    begin,
)
from mittelo.core.tries import step as try_step
from mittelo.core.verdicts import Facts, judge

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 5, 12, tzinfo=BERLIN).timestamp()
A, B = Runner("a"), Runner("b")


def made(number: int, ended_at: str = "2026-03-05T10:00:00Z", **facts: Any) -> TryRecord:
    given: dict[str, Any] = {
        "id": number,
        "run_id": 1,
        "relay_id": 1,
        "agent_type": "a",
        "completed": True,
        "outcome": Outcome.COMPLETED,
        "summary": "",
        "remaining_work": "",
        "files_changed": [],
        "commit_hash": "",
        "started_at": ended_at,
        "ended_at": ended_at,
        "attempt_number": 1,
    }
    return TryRecord(**(given | facts))


def at(relay: int = 1, run: int = 1, now: float = NOON) -> Place:
    return Place(relay, run, now, BERLIN)


def relay(target: int, *runners: Runner) -> Relay:
    entries = tuple(Entry(runner, Quota(1, 1)) for runner in runners or (A,))
    return Relay(target, 3, Lane(entries))


def play(state: Relay, *history: Event) -> list[Effect]:
    effects: list[Effect] = []
    for event in history:
        state, effects = step(state, event)
    return effects


def test_each_budget_counts_its_own_tries() -> None:
    tries = [
        made(1, cost_usd=1.0, relay_id=1, run_id=1),
        made(2, cost_usd=2.0, relay_id=2, run_id=1),
        made(3, cost_usd=4.0, relay_id=2, run_id=2),
        made(4, cost_usd=8.0, relay_id=2, run_id=2, tokens=Tokens(input=5, output=1)),
    ]
    assert spent(tries, at(relay=2, run=2)) == {
        Scope.TRY: Amount(),
        Scope.RUN: Amount(12.0, 6),
        Scope.RELAY: Amount(14.0, 6),
        Scope.DAY: Amount(15.0, 6),
    }


def test_two_relays_share_the_budget_of_a_day_and_the_next_day_is_free() -> None:
    tries = [
        made(1, "2026-03-04T22:59:59Z", relay_id=1, cost_usd=50.0),  # yesterday in Berlin
        made(2, "2026-03-04T23:00:00Z", relay_id=1, cost_usd=3.0),
        made(3, "2026-03-05T10:00:00Z", relay_id=2, cost_usd=2.0),
    ]
    limits = {Scope.DAY: Amount(usd=5.0)}
    today = used_up(limits, spent(tries, at(relay=2)), Scope.DAY)
    assert today
    assert today.complaint == "day budget of $5.00 is used up"
    assert today.spent == "$5.00"
    assert today.setting == "budget.day_usd"
    midnight = datetime(2026, 3, 6, 0, 0, tzinfo=BERLIN).timestamp()
    assert used_up(limits, spent(tries, at(relay=2, now=midnight - 1)), Scope.DAY)
    assert not used_up(limits, spent(tries, at(relay=2, now=midnight)), Scope.DAY)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_with_a_change_of_the_clock_is_whole(day: str, hours: int) -> None:
    midnight = datetime.fromisoformat(f"{day}T00:00:00").replace(tzinfo=BERLIN).timestamp()
    ends = midnight + hours * 3600

    def ended(epoch: float) -> TryRecord:
        return made(1, datetime.fromtimestamp(epoch, UTC).isoformat())

    noon = midnight + 12 * 3600
    assert [is_today(ended(t), noon, BERLIN) for t in (midnight - 1, midnight, ends - 1, ends)] == [
        False,
        True,
        True,
        False,
    ]


def test_a_record_without_a_readable_end_counts_for_no_day() -> None:
    assert not is_today(made(1, ""), NOON, BERLIN)
    assert spent([made(1, "?", cost_usd=1.0)], at())[Scope.RELAY] == Amount(1.0)


def test_a_budget_is_used_up_when_nothing_is_left_and_passed_when_more_is_used() -> None:
    limits = {Scope.RELAY: Amount(usd=0.3)}
    tries = [made(n, cost_usd=0.1) for n in range(3)]
    used = spent(tries, at())
    assert sum([0.1, 0.1, 0.1]) != 0.3
    assert used_up(limits, used, Scope.RELAY)
    assert not used_up(limits, spent(tries[:2], at()), Scope.RELAY)
    assert not passed(limits, spent(tries[:2], at()), Amount(0.1))
    found = passed(limits, spent(tries[:2], at()), Amount(0.11))
    assert found
    assert found.scope is Scope.RELAY


def test_no_limit_is_never_used_up() -> None:
    used = {scope: Amount(1e9, 10**12) for scope in Scope}
    assert not used_up({scope: Amount() for scope in Scope}, used, *Scope)
    assert not used_up({}, used, *Scope)
    assert not passed({}, used, Amount(1.0, 1))


@pytest.mark.parametrize("scope", [Scope.TRY, Scope.RUN, Scope.RELAY, Scope.DAY])
def test_a_running_try_is_held_to_what_is_left_of_each_budget(scope: Scope) -> None:
    before = {one: Amount(tokens=0 if one is Scope.TRY else 600) for one in Scope}
    limit = {scope: Amount(tokens=1000)}
    left = 1000 if scope is Scope.TRY else 400
    assert not passed(limit, before, Amount(tokens=left))
    found = passed(limit, before, Amount(tokens=left + 1))
    assert found
    assert found.complaint == f"{scope} budget of 1,000 tokens is used up"


def test_the_narrowest_budget_that_is_passed_is_named() -> None:
    limits = {Scope.DAY: Amount(usd=1.0), Scope.RUN: Amount(usd=2.0)}
    found = passed(limits, {}, Amount(usd=3.0))
    assert found
    assert found.scope is Scope.RUN


def test_what_was_used_is_told_by_runner_and_by_budget() -> None:
    tries = [
        made(1, cost_usd=0.5, tokens=Tokens(input=1200, output=34)),
        made(2, agent_type="b", model="m", cost_usd=0.25),
        made(3, agent_type="c"),
        made(4, cost_usd=0.5),
    ]
    used = by_runner(tries)
    assert {runner: str(one) for runner, one in used.items()} == {
        "a": "1,234 tokens, $1.00",
        "b:m": "$0.25",
    }
    limits = {Scope.RELAY: Amount(1.0, 2000), Scope.RUN: Amount(usd=5.0)}
    known = balances(limits, spent(tries, at()), Scope.RUN, Scope.RELAY, Scope.DAY)
    assert [str(one) for one in known] == [
        "run $1.25 of $5.00",
        "relay $1.25 of $1.00 (used up)",
        "relay 1,234 tokens of 2,000 tokens",
    ]
    assert [dollars(usd) for usd in (0.0, 0.004, 0.01, 12.345)] == [
        "$0.00",
        "$0.0040",
        "$0.01",
        "$12.35",
    ]


def test_a_spent_budget_stops_the_relay_which_can_go_on_where_it_stood() -> None:
    done = TryEnded(Outcome.COMPLETED)
    stopped = play(relay(2, A, B), Started(), done, BudgetSpent("the relay budget is used up"))
    assert stopped == [End(Ending.STOPPED, "the relay budget is used up")]
    again = resume(relay(2, A, B), [made(1)])
    assert step(again, Started())[1] == [StartTry(2, 1, B)]


def test_a_failed_try_that_used_up_its_run_ends_the_run_and_the_next_one_goes_on() -> None:
    why = "run budget of $1.00 is used up"
    failed = TryEnded(Outcome.FAILED, session="s", reason="x", spent=why)
    effects = play(relay(2, A, B), Started(), failed)
    assert effects == [EndRun(1, Outcome.FAILED, why), StartTry(2, 1, B)]
    assert decision(failed, effects) == f"end of run: {why}"


def test_a_success_that_used_up_its_run_is_a_success() -> None:
    done = TryEnded(Outcome.COMPLETED, spent="run budget of $1.00 is used up")
    assert play(relay(1), Started(), done) == [EndRun(1, Outcome.COMPLETED), End(Ending.COMPLETE)]


def test_a_run_whose_budget_is_found_used_up_later_is_ended_before_a_further_try() -> None:
    failed = TryEnded(Outcome.FAILED, reason="x")
    effects = play(relay(2, A, B), Started(), failed, WaitOver(), RunBudgetSpent("used up"))
    assert effects == [EndRun(1, Outcome.FAILED, "used up"), StartTry(2, 1, B)]


def test_a_try_that_passed_its_budget_is_not_repeated_in_its_run() -> None:
    cut = TryEnded(Outcome.FAILED, retryable=False, reason="try budget of $1.00 is used up")
    assert play(relay(2, A, B), Started(), cut)[-1] == StartTry(2, 1, B)
    assert isinstance(play(relay(2, A), Started(), cut)[-1], Wait)


def try_effects(*history: tuple[float, TryEvent]) -> list[TryEffect]:
    state, effects = begin(Limits(drain=5), 0.0), []
    for now, event in history:
        state, more = try_step(state, event, now)
        effects += more
    return effects


def test_a_try_over_its_budget_is_interrupted_then_killed() -> None:
    asked = StopAsked(Stop.BUDGET)
    assert try_effects((1, asked), (5.9, Ticked()), (6, Ticked()), (7, Exited(-9))) == [
        Interrupt(),
        Kill(),
        Finish(-9, Stop.BUDGET),
    ]


def test_a_budget_does_not_hasten_a_stop_that_somebody_asked_for() -> None:
    graceful, budget = StopAsked(Stop.GRACEFUL_STOP), StopAsked(Stop.BUDGET)
    assert try_effects((1, graceful), (2, budget), (3, Exited(0))) == [
        Interrupt(),
        Finish(0, Stop.GRACEFUL_STOP),
    ]


def test_the_verdict_names_the_budget_and_blames_nobody() -> None:
    verdict = judge(
        Facts(
            finish=Finish(-2, Stop.BUDGET),
            reading=Reading(),
            answered=True,
            needs_end=True,
            changed=True,
            require_changes=True,
            budget="try budget of $1.00 is used up",
            errors="429 too many requests",
        )
    )
    assert (verdict.outcome, verdict.reason) == (Outcome.FAILED, "try budget of $1.00 is used up")
    assert not verdict.retryable
    assert verdict.evidence
    assert verdict.evidence.source is Source.OURSELVES
    assert verdict.evidence.category is Category.OVER_BUDGET
