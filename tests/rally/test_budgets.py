"""Budgets of money and tokens, through the installed command."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from support import Done, Place

from mittelo.config.limits import budgets
from mittelo.config.schema import Budget
from mittelo.core.budgets import Amount, Scope
from mittelo.core.records import Outcome, TryRecord
from mittelo.core.signs import Ended, Reading, Spent, Tokens
from mittelo.harness.codex import Codex
from mittelo.rally.purse import Meter, tokens_before

STAYS = '{wait_for="never"}'
TWO = "script script"


def turn(name: str, cost: float, *more: str, tokens: int = 100) -> str:
    usage = f"{{usage={{input={tokens}, output=0, cost={cost}}}}}"
    return ", ".join([f'{{say="{name}"}}', f'{{write="{name}", text="x"}}', usage, *more])


def start(place: Place, budget: str, *turns: str, runs: int = 3, agents: str = "script") -> Done:
    place.configure(f"[reliability]\nretry_budget = 3\n[budget]\n{budget}\n")
    place.script(*turns)
    return place.rally("start", "-i", f"{runs}", "-a", agents, "x")


def test_a_relay_stops_before_the_try_that_its_budget_does_not_pay(place: Place) -> None:
    done = start(place, "relay_usd = 0.5", *(turn(f"f{n}", 0.25) for n in range(4)), runs=4)
    assert done.code == 1
    assert len(place.tries()) == 2
    assert (
        "relay stopped: the relay budget of $0.50 is used up, $0.50 spent "
        "(script: 200 tokens, $0.50)." in done.err
    )
    assert "Raise budget.relay_usd (rally config), then go on with: rally start --resume" in (
        done.err
    )
    assert "  spent by script: 200 tokens, $0.50" in done.out
    assert "  budgets: relay $0.50 of $0.50 (used up)" in done.out
    assert "the relay budget of $0.50 is used up" in place.relay_log()
    assert not place.relays()[0].ended_at


def test_it_goes_on_where_it_stopped_once_the_budget_is_raised(place: Place) -> None:
    start(place, "relay_usd = 0.5", *(turn(f"f{n}", 0.25) for n in range(4)), runs=4)
    assert place.rally("start", "--resume").code == 1
    assert len(place.tries()) == 2
    place.configure("[budget]\nrelay_usd = 5\n")
    again = place.rally("start", "--resume")
    assert again.code == 0, again.err
    assert [(t.relay_id, t.run_id) for t in place.tries()] == [(1, 1), (1, 2), (1, 3), (1, 4)]
    assert "  spent by script: 400 tokens, $1.00" in again.out


def test_tokens_are_counted_like_dollars(place: Place) -> None:
    done = start(place, "relay_tokens = 150", *(turn(f"f{n}", 0.0) for n in range(3)))
    assert (done.code, len(place.tries())) == (1, 2)
    assert "relay budget of 150 tokens is used up, 200 tokens spent" in done.err


def test_a_try_that_passes_its_budget_is_ended_and_the_next_run_goes_on(place: Place) -> None:
    done = start(place, "try_usd = 1", turn("a", 1.5, STAYS), turn("b", 0.1), runs=1, agents=TWO)
    assert done.code == 0, done.err
    one, two = place.tries()
    assert (one.outcome, one.fail_reason) == ("failed", "try budget of $1.00 is used up")
    assert (one.ended_by, one.cost_usd, one.files_changed) == ("budget", 1.5, ["a"])
    assert (one.run_id, two.run_id, two.outcome) == (1, 2, "completed")
    assert not (place.root / ".rally/state/agent_status.jsonl").exists()


def test_a_try_that_has_told_of_its_end_is_not_ended_for_its_bill(place: Place) -> None:
    done = start(place, "try_usd = 1\nrun_usd = 1", turn("a", 7.0), runs=1)
    assert done.code == 0
    assert place.tries()[0].outcome == "completed"


def test_a_run_over_its_budget_is_given_up_and_the_next_one_goes_on(place: Place) -> None:
    fails = turn("a", 0.6, "{exit=3}"), turn("b", 0.6, "{exit=3}")
    done = start(place, "run_usd = 1", *fails, turn("c", 0.1), runs=1, agents=TWO)
    assert done.code == 0, done.err
    one, two, three = place.tries()
    assert [t.run_id for t in (one, two, three)] == [1, 1, 2]
    assert two.decided == "end of run: run budget of $1.00 is used up"
    assert three.completed
    assert "run 1 is given up: run budget of $1.00 is used up" in place.relay_log()
    assert [digest["run_id"] for digest in place.summary()] == ["relay-1-run-1", "relay-1-run-2"]


def test_a_run_whose_budget_is_used_up_is_not_gone_on_with_when_a_relay_is_resumed(
    place: Place,
) -> None:
    turns = turn("a", 0.6, "{exit=3}"), turn("b", 0.1)
    assert start(place, "relay_usd = 0.5", *turns, runs=1, agents=TWO).code == 1
    place.configure("[budget]\nrun_usd = 0.5\n")
    again = place.rally("start", "--resume")
    assert again.code == 0, again.err
    assert [(t.run_id, t.attempt_number) for t in place.tries()] == [(1, 1), (2, 1)]
    assert "run 1 is given up: run budget of $0.50 is used up" in place.relay_log()
    assert [digest["run_id"] for digest in place.summary()] == ["relay-1-run-1", "relay-1-run-2"]


def test_what_is_left_of_a_run_ends_a_try(place: Place) -> None:
    turns = turn("a", 0.6, "{exit=3}"), turn("b", 0.6, STAYS), turn("c", 0.1)
    done = start(place, "run_usd = 1", *turns, runs=1, agents=TWO)
    assert done.code == 0, done.err
    assert place.tries()[1].fail_reason == "run budget of $1.00 is used up"
    assert place.tries()[2].run_id == 2


def test_what_is_left_of_a_relay_ends_a_try_and_then_the_relay(place: Place) -> None:
    done = start(place, "relay_usd = 1", turn("a", 0.6), turn("b", 0.6, STAYS), turn("c", 0.1))
    assert done.code == 1
    assert place.tries()[1].fail_reason == "relay budget of $1.00 is used up"
    assert "relay stopped: the relay budget of $1.00 is used up, $1.20 spent" in done.err
    assert len(place.tries()) == 2
    assert not place.relays()[0].ended_at


def test_the_relays_of_a_day_share_its_budget(place: Place) -> None:
    start(place, "day_usd = 1", turn("a", 0.6), runs=1)
    done = start(place, "day_usd = 1", turn("a", 0.6), turn("b", 0.6), turn("c", 0.6))
    assert done.code == 1
    assert [t.relay_id for t in place.tries()] == [1, 2]
    assert "the day budget of $1.00 is used up, $1.20 spent (script: 200 tokens, $1.20)" in done.err
    assert "Wait until tomorrow, or raise budget.day_usd (rally config)" in done.err
    status = json.loads(place.rally("status", "--json").out)
    assert status["budgets"] == [{"scope": "day", "unit": "usd", "limit": 1.0, "used": 1.2}]


def test_what_was_used_yesterday_is_forgotten(place: Place) -> None:
    start(place, "day_usd = 1", turn("a", 0.9), turn("b", 0.9), runs=2)
    journal = place.root / ".rally/state/tries.jsonl"
    then = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    now = {made.ended_at for made in place.tries()}
    text = journal.read_text()
    for instant in now:
        text = text.replace(f'"ended_at":"{instant}"', f'"ended_at":"{then}"')
    journal.write_text(text)
    again = place.rally("start", "-i", "1", "-a", "script", "--allow-no-changes", "--new", "x")
    assert again.code == 0, again.err
    shown = place.rally("status").out
    assert "budgets: day $0.00 of $1.00" in shown


def test_a_budget_is_kept_to_also_before_a_wait(place: Place) -> None:
    place.configure(
        '[budget]\nrelay_usd = 0.5\n[harness.out]\ncommand = ["sh", "-c", "echo Usage limit '
        'reached, try again in 3 hours >&2; exit 1"]\n'
    )
    place.script(turn("a", 0.5))
    done = place.rally("start", "-i", "2", "-a", "script out", "x")
    assert done.code == 1
    assert "the relay budget of $0.50 is used up" in done.err
    assert len(place.tries()) == 1


@pytest.mark.parametrize("words", [("status",), ("status", "--json")])
def test_status_tells_how_much_is_spent_of_what(place: Place, words: tuple[str, ...]) -> None:
    start(place, "run_usd = 2\nrelay_usd = 5\nrelay_tokens = 1000", turn("a", 0.25), runs=1)
    out = place.rally(*words).out
    if "--json" in words:
        assert [(b["scope"], b["unit"], b["used"]) for b in json.loads(out)["budgets"]] == [
            ("run", "usd", 0.25),
            ("relay", "usd", 0.25),
            ("relay", "tokens", 100),
        ]
    else:
        assert (
            "budgets: run $0.25 of $2.00, relay $0.25 of $5.00, "
            "relay 100 tokens of 1,000 tokens" in out
        )


def test_who_reports_no_cost_is_named_where_dollars_count(place: Place) -> None:
    silent = '{say="a"}, {write="a", text="x"}, {usage={input=5, output=1}}'
    done = start(place, "relay_usd = 1", silent, runs=1)
    assert done.code == 0
    assert "script reports no cost: budgets in dollars do not see what it uses." in done.err


def test_a_negative_budget_keeps_a_relay_from_starting(place: Place) -> None:
    done = start(place, "day_usd = -3", turn("a", 0.1))
    assert done.code == 2
    assert ".rally/config.toml:4: budget.day_usd = -3.0 is no budget." in done.err


def test_of_a_count_that_goes_on_from_the_session_only_the_try_itself_counts() -> None:
    def meter(session: str) -> Meter:
        earlier = [_spent_in("s", 900), _spent_in("other", 5000)]
        before = tokens_before(Codex(), session, earlier)
        return Meter({Scope.TRY: Amount(tokens=500)}, {}, before)

    reading = Reading()
    reading.hear(Spent(Tokens(input=1400)))
    assert not meter("s").passes(reading)
    assert meter("").passes(reading)
    reading.hear(Spent(Tokens(input=1401)))
    watched = meter("s")
    assert watched.passes(reading)
    assert not watched.passes(reading)
    assert watched.why == "try budget of 500 tokens is used up"
    reading.hear(Ended(ok=True))
    assert not meter("s").passes(reading)


def _spent_in(session: str, tokens: int) -> TryRecord:
    return TryRecord(
        id=1,
        run_id=1,
        relay_id=1,
        agent_type="cx",
        completed=False,
        outcome=Outcome.FAILED,
        summary="",
        remaining_work="",
        files_changed=[],
        commit_hash="",
        started_at="",
        ended_at="",
        attempt_number=1,
        session_id=session,
        tokens=Tokens(input=tokens),
    )


def test_nothing_below_zero_is_a_limit() -> None:
    assert budgets(Budget(try_usd=-1.0, day_tokens=-1))[Scope.DAY] == Amount()
