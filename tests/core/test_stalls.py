"""Histories of agents: what was seen of them when, and what they count as then."""

from itertools import count, takewhile

import pytest

from mittelo.core import stalls
from mittelo.core.pulses import BYTE_RATE, CPU_RATE, FLOW_RATE, Sample, Tone, tone_of
from mittelo.core.signs import (
    Ended,
    Erred,
    Model,
    Reading,
    Said,
    Session,
    Sign,
    Spent,
    Thought,
    Tokens,
    Touched,
    Used,
)
from mittelo.core.stalls import Condition, Patience, Watch

PATIENCE = Patience(900.0)
EVERY = 5
QUIET = Sample(connections=0, received=0, cpu_s=0.0, io_bytes=0, syscall_bytes=0)


class History:
    """Lets time pass over an agent, its processes looked at every five seconds."""

    def __init__(self, patience: Patience = PATIENCE, first: Sample | None = QUIET) -> None:
        self.now = 0.0
        self.at: Watch = stalls.begin(patience, self.now)
        self.sample = first
        self.ended = False
        self._look()

    def hear(self, tone: Tone = Tone.PROGRESS, *, ended: bool = False) -> "History":
        self.ended = ended
        noise = int(tone is Tone.NOISE)
        self.at = stalls.hear(self.at, tone, noise, self.now, ended=ended)
        return self

    def passes(  # noqa: PLR0913 - each is one kind of life
        self,
        seconds: float,
        *,
        connections: int = 0,
        uncounted: int = 0,
        cpu: float = 0.0,
        syscalls: float = 0.0,
        disk: float = 0.0,
        received: float = 0.0,
        noise_every: float = 0.0,
    ) -> "History":
        """Go on at these rates a second; stop where the agent is found frozen or lingering."""
        end = self.now + seconds
        for tick in takewhile(lambda t: t <= end, count(self.now + EVERY, EVERY)):
            self.now = tick
            if self.sample:
                last = self.sample
                self.sample = Sample(
                    connections=connections,
                    uncounted=uncounted,
                    received=(last.received or 0) + int(received * EVERY),
                    cpu_s=(last.cpu_s or 0) + cpu * EVERY,
                    io_bytes=(last.io_bytes or 0) + int(disk * EVERY),
                    syscall_bytes=(last.syscall_bytes or 0) + int(syscalls * EVERY),
                )
            if noise_every and int(tick / noise_every) > int((tick - EVERY) / noise_every):
                self.hear(Tone.NOISE, ended=self.ended)
            self._look()
            if self.condition in {Condition.FROZEN, Condition.LINGERING}:
                break
        return self

    def _look(self) -> None:
        self.at = stalls.look(self.at, self.now)
        if self.sample:
            self.at = stalls.watch(self.at, self.sample, self.now)

    @property
    def condition(self) -> Condition:
        return stalls.condition(self.at, self.now)


def test_silence_is_slow_at_sixty_per_cent_and_frozen_at_the_threshold() -> None:
    history = History().passes(535)
    assert history.condition is Condition.ACTIVE
    assert history.passes(5).condition is Condition.SLOWING
    assert history.passes(355).condition is Condition.SLOWING
    assert (history.passes(10).condition, history.now) == (Condition.FROZEN, 900)


@pytest.mark.parametrize(
    "life",
    [
        {"cpu": 2 * CPU_RATE},
        {"syscalls": 2 * BYTE_RATE},
        {"disk": 2 * BYTE_RATE},
        {"received": 2 * FLOW_RATE, "connections": 1},
        {"received": 2 * FLOW_RATE, "connections": 2, "uncounted": 1},
    ],
    ids=["a build", "a copy", "a disk", "a slow download", "a thought among others"],
)
def test_silent_work_of_any_kind_is_never_frozen(life: dict[str, float]) -> None:
    assert History().passes(4000, **life).condition is Condition.SLOWING  # type: ignore[arg-type]


def test_a_helper_that_now_and_then_does_a_little_is_no_work() -> None:
    history = History()
    while history.condition is not Condition.FROZEN and history.now < 2000:
        history.passes(55, cpu=0.01, syscalls=BYTE_RATE / 4).passes(5, cpu=0.1)
    assert 900 <= history.now <= 905


def test_a_pause_in_silent_work_is_borne_for_five_minutes() -> None:
    history = History().passes(1200, cpu=1.0).passes(290)
    assert history.condition is Condition.SLOWING
    assert (history.passes(20).condition, history.now) == (Condition.FROZEN, 1500)


def test_a_connection_without_a_byte_is_frozen_like_none() -> None:
    history = History().passes(2000, connections=1)
    assert (history.condition, history.now) == (Condition.FROZEN, 900)


def test_a_short_threshold_still_leaves_a_connection_five_minutes() -> None:
    history = History(Patience(60.0)).passes(1000, connections=1)
    assert (history.condition, history.now) == (Condition.FROZEN, 300)
    history = History(Patience(60.0)).passes(1000)
    assert (history.condition, history.now) == (Condition.FROZEN, 60)


@pytest.mark.parametrize(
    "life",
    [{"received": 2.0, "connections": 1}, {"connections": 1, "uncounted": 1}],
    ids=["only pings", "cannot be counted"],
)
def test_a_connection_that_may_live_is_given_four_times_as_long(life: dict[str, float]) -> None:
    history = History().passes(9000, **life)  # type: ignore[arg-type]
    assert (history.condition, history.now) == (Condition.FROZEN, 3600)


def test_what_cannot_be_looked_at_is_given_four_times_as_long() -> None:
    history = History(first=None).passes(9000)
    assert (history.condition, history.now) == (Condition.FROZEN, 3600)
    blind = Sample(connections=None, cpu_s=1.0)
    history = History(first=blind)
    history.sample = None
    assert (history.passes(9000).condition, history.now) == (Condition.FROZEN, 3600)


def test_without_counters_of_bytes_silence_without_connection_and_cpu_is_enough() -> None:
    history = History(first=None)
    cpu = 0.0

    def passes(until: float, rate: float) -> None:
        nonlocal cpu
        while history.now < until and history.condition is not Condition.FROZEN:
            cpu += rate * EVERY
            history.now += EVERY
            history.at = stalls.look(history.at, history.now)
            bare = Sample(connections=0, received=0, cpu_s=cpu)
            history.at = stalls.watch(history.at, bare, history.now)

    passes(2000, 0.5)
    assert history.condition is Condition.SLOWING
    passes(3000, 0.0)
    assert 2295 <= history.now <= 2305


def test_retries_told_of_for_ever_are_no_progress() -> None:
    history = History().passes(2000, noise_every=60)
    assert (history.condition, history.now) == (Condition.FROZEN, 900)


def test_a_busy_loop_of_fruitless_requests_is_frozen() -> None:
    busy = History().passes(2000, cpu=0.5, received=1e6, connections=2, noise_every=5)
    assert (busy.condition, busy.now) == (Condition.FROZEN, 900)
    assert "fruitless messages" in stalls.account(busy.at, busy.now)


def test_a_build_after_a_few_retries_is_no_loop() -> None:
    history = History().passes(60, noise_every=5).passes(3000, cpu=1.0)
    assert history.condition is Condition.SLOWING


def test_output_that_tells_nothing_counts_but_not_for_ever() -> None:
    history = History()
    while history.condition is not Condition.FROZEN and history.now < 9000:
        history.hear(Tone.BYTES).passes(30)
    assert history.now == 3600


def test_a_thought_after_the_output_of_a_long_tool_has_the_whole_time() -> None:
    history = History().passes(850, cpu=1.0).hear(Tone.BYTES).passes(890, connections=1)
    assert history.condition is Condition.SLOWING
    assert history.passes(10, connections=1).condition is Condition.FROZEN


def test_an_agent_that_has_finished_and_stays_lingers_after_a_minute() -> None:
    history = History().passes(20, cpu=1.0).hear(ended=True).passes(500, connections=2)
    assert (history.condition, history.now) == (Condition.LINGERING, 80)


def test_what_still_works_after_the_end_is_waited_for_up_to_the_threshold() -> None:
    history = History().hear(ended=True).passes(300, cpu=1.0)
    assert history.condition is Condition.ACTIVE
    assert (history.passes(900, cpu=1.0).condition, history.now) == (Condition.LINGERING, 900)


def test_an_end_that_was_taken_back_is_none() -> None:
    history = History().hear(ended=True).passes(30).hear(ended=False).passes(100)
    assert history.condition is Condition.ACTIVE


def test_an_end_followed_by_a_loop_is_frozen() -> None:
    history = History().hear(ended=True).passes(5000, cpu=1.0, noise_every=5)
    assert (history.condition, history.now) == (Condition.FROZEN, 900)


def test_time_in_which_nobody_watched_counts_for_nothing() -> None:
    history = History().passes(500)
    history.now += 7200
    history._look()
    assert history.condition is Condition.ACTIVE
    assert (history.passes(2000).condition, history.now) == (Condition.FROZEN, 900 + 7200)


def test_without_a_threshold_nobody_is_frozen_or_lingers() -> None:
    assert History(Patience()).hear(ended=True).passes(9000).condition is Condition.ACTIVE


def test_the_network_is_hinted_at_after_half_a_minute() -> None:
    history = History().passes(25)
    assert stalls.hints(history.at, history.now) == []
    history.passes(5)
    assert stalls.hints(history.at, history.now) == ["No TCP… (30s)"]
    history.passes(5, connections=1, received=2000.0)
    assert stalls.hints(history.at, history.now) == []
    history.passes(30, connections=1, cpu=1.0)
    assert stalls.hints(history.at, history.now) == ["No I/O… (30s)"]
    assert "connections: 1" in stalls.account(history.at, history.now)


READ = Reading(session="s", model="m", ended=Ended(ok=True))


@pytest.mark.parametrize(
    ("sign", "tone"),
    [
        (Said("word"), Tone.PROGRESS),
        (Said("\n"), Tone.NOISE),
        (Thought("hm"), Tone.PROGRESS),
        (Used("shell", "make", "call"), Tone.PROGRESS),
        (Touched("a.txt"), Tone.PROGRESS),
        (Session("s"), Tone.NOISE),
        (Session("other"), Tone.PROGRESS),
        (Model("m"), Tone.NOISE),
        (Model("n"), Tone.PROGRESS),
        (Spent(Tokens(input=12_000)), Tone.NOISE),
        (Erred("Reconnecting... waiting for network", passing=True), Tone.NOISE),
        (Erred("it failed"), Tone.NOISE),
        (Ended(ok=True), Tone.NOISE),
    ],
)
def test_only_news_is_progress(sign: Sign, tone: Tone) -> None:
    assert tone_of(sign, READ) is tone


def test_an_end_is_news_once() -> None:
    assert tone_of(Ended(ok=False), Reading()) is Tone.PROGRESS
