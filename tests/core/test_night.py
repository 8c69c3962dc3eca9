"""Nights by the thousand on a clock of our own: failures, limits, crashes, and what must hold."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from mittelo.core.faults import Category, Evidence, Source
from mittelo.core.mixes import Quota
from mittelo.core.records import LaneMark, Outcome, TryRecord
from mittelo.core.relays import (
    BenchesRead,
    Effect,
    End,
    Ending,
    Event,
    Relay,
    Started,
    StartTry,
    TryEnded,
    Wait,
    WaitOver,
    decision,
    step,
)
from mittelo.core.resuming import mark, resume
from mittelo.core.routes import Entry, Key, Lane, Runner
from mittelo.core.standings import (
    Bench,
    StandingRecord,
    benches_at,
    consequence,
)

HOUR = 3600.0
MOST_STEPS = 3000
RELAYS = 200
FAULTS = (
    Category.USAGE_LIMIT,
    Category.SHORT_RATE_LIMIT,
    Category.PROVIDER_OVERLOADED,
    Category.TRANSIENT_INFRA,
    Category.STALLED,
    Category.CONTEXT_TOO_LONG,
    Category.AGENT_ERROR,
    Category.NO_CHANGES,
    Category.AUTH_OR_PROXY,
)


def instant(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat()


@dataclass
class Night:
    """One relay through one night: the world, the files on disk, and rally in it."""

    dice: random.Random
    lane: Lane
    target: int
    well: float
    """From then on everybody works."""
    now: float = 1_000_000.0
    tries: list[TryRecord] = field(default_factory=list)
    standings: list[StandingRecord] = field(default_factory=list)
    completed: list[int] = field(default_factory=list)
    gone: dict[Key, Bench] = field(default_factory=dict)
    crashes: int = 0
    resumes: int = 0

    def benches(self) -> dict[Key, Bench]:
        return {**benches_at(self.standings, self.now), **self.gone}

    def wake(self) -> Relay:
        """Return what a new process makes of the records."""
        self.gone = {}
        return resume(Relay(self.target, 3, self.lane), self.tries)

    def feed(self, state: Relay, event: Event) -> tuple[Relay, list[Effect]]:
        state, _ = step(state, BenchesRead(self.benches(), self.now))
        return step(state, event)

    def run(self) -> End:
        state, effects = self.feed(self.wake(), Started())
        for _ in range(MOST_STEPS):
            assert effects, "nothing comes next"
            match effects[-1]:
                case End(how=Ending.FAILED) as end if self.now < self.well + HOUR:
                    assert end.why
                    self.now += HOUR
                    self.resumes += 1
                    state, effects = self.feed(self.wake(), Started())
                case End() as end:
                    return end
                case Wait(seconds, why, until):
                    assert why
                    assert 0 <= seconds < 40 * 24 * HOUR
                    self.now = max(self.now + 0.01, until or self.now + seconds)
                    state, effects = self.feed(state, WaitOver())
                case StartTry() as start:
                    state, effects = self.try_(state, start)
                case other:
                    raise AssertionError(other)
            if self.dice.random() < 0.05:
                self.crashes += 1
                state, effects = self.feed(self.wake(), Started())
        raise AssertionError("the night does not end")

    def try_(self, state: Relay, start: StartTry) -> tuple[Relay, list[Effect]]:
        """Run an agent, which may go well, fail, or see rally be killed beside it."""
        assert start.run not in self.completed, "a run is executed after it was completed"
        assert start.runner.key not in self.benches(), "somebody serves who sits out"
        self.now += self.dice.uniform(5, 900)
        kept = mark(state)
        if self.dice.random() < 0.05:
            self.crashes += 1
            self.record(start, kept, Outcome.INTERRUPTED, None, "")
            return self.feed(self.wake(), Started())
        category = self.fate()
        if category is None:
            self.completed.append(start.run)
            ended = TryEnded(Outcome.COMPLETED, session="s")
        else:
            ended = self.suffer(start, category)
        after, effects = self.feed(state, ended)
        self.record(start, kept, ended.outcome, ended.category, decision(ended, effects))
        return after, effects

    def fate(self) -> Category | None:
        if self.now >= self.well or self.dice.random() < 0.3:
            return None
        return self.dice.choice(FAULTS)

    def suffer(self, start: StartTry, category: Category) -> TryEnded:
        resets = self.now + self.dice.uniform(60, 6 * HOUR) if self.dice.random() < 0.5 else None
        evidence = Evidence(category, Source.EVENT, resets=resets)
        key = start.runner.key
        if category.is_final:
            self.gone[key] = Bench(category, for_good=True)
        past = [r for r in self.standings if (r.agent_type, r.model) == key]
        if found := consequence(evidence, past, self.in_a_row(key, category), self.now):
            self.standings.append(
                StandingRecord(
                    agent_type=key[0],
                    model=key[1],
                    event_type=found.event,
                    timestamp=instant(self.now),
                    reason=found.why,
                    reset_at=instant(found.until),
                )
            )
        tree = self.dice.choice(["", "t1", "t2"])
        return TryEnded(
            Outcome.FAILED,
            session=self.dice.choice(["", "s"]),
            retryable=not category.is_final,
            reason=category,
            category=category,
            tree=tree,
        )

    def in_a_row(self, key: Key, category: Category) -> int:
        count = int(category.is_infra)
        for made in reversed(self.tries):
            if (made.agent_type, made.model) == key:
                if not (count and made.category and Category(made.category).is_infra):
                    break
                count += 1
        return count

    def record(
        self,
        start: StartTry,
        kept: LaneMark | None,
        outcome: Outcome,
        category: Category | None,
        decided: str,
    ) -> None:
        self.tries.append(
            TryRecord(
                id=len(self.tries) + 1,
                run_id=start.run,
                relay_id=1,
                agent_type=start.runner.harness,
                completed=outcome.succeeded,
                outcome=outcome,
                summary="",
                remaining_work="",
                files_changed=[],
                commit_hash="",
                started_at="",
                ended_at=instant(self.now),
                attempt_number=start.attempt,
                session_id=start.session,
                fail_reason=str(category or ""),
                category=str(category or ""),
                decided=decided,
                mark=kept,
            )
        )


def lanes(dice: random.Random) -> Lane:
    names = "abcd"[: dice.randint(1, 4)]
    quotas = [None, Quota(1, 1), Quota(2, 2), Quota(1, 3)]
    return Lane(tuple(Entry(Runner(name), dice.choice(quotas)) for name in names))


@pytest.mark.parametrize("seed", range(10))
def test_a_night_of_failures_and_crashes_ends_with_the_work_done(seed: int) -> None:
    crashes = 0
    for number in range(RELAYS):
        dice = random.Random(f"{seed}.{number}")  # noqa: S311 - a repeatable night
        night = Night(dice, lanes(dice), target=dice.randint(1, 8), well=1_000_000 + 12 * HOUR)
        end = night.run()
        assert end.how is Ending.COMPLETE, (seed, number, end)
        assert len(night.completed) == len({*night.completed}) == night.target, (seed, number)
        assert sum(made.completed for made in night.tries) == night.target
        assert night.now < night.well + 48 * HOUR, (seed, number)
        crashes += night.crashes
    assert crashes > RELAYS
