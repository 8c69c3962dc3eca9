import math

import pytest

from mittelo.core.pulses import Sample, Tone
from mittelo.core.stalls import Patience
from mittelo.core.tries import (
    Effect,
    Event,
    Exited,
    Finish,
    Interrupt,
    Kill,
    Limits,
    Lost,
    NotStarted,
    Sampled,
    Spoke,
    Stop,
    StopAsked,
    Ticked,
    begin,
    step,
)


def play(limits: Limits, *history: tuple[float, Event]) -> list[Effect]:
    state, effects = begin(limits, 0.0), []
    for now, event in history:
        state, more = step(state, event, now)
        effects += more
    return effects


QUIT = StopAsked(Stop.QUIT_NOW)
TICK = Ticked()


def test_an_agent_that_exits_finishes_its_try() -> None:
    assert play(Limits(), (1, Spoke()), (2, Exited(0))) == [Finish(0)]


def test_a_stop_interrupts_at_once_and_kills_when_the_drain_is_over() -> None:
    assert play(
        Limits(drain=5), (1, QUIT), (5.9, Ticked()), (6, Ticked()), (7, Ticked()), (8, Exited(-9))
    ) == [Interrupt(), Kill(), Finish(-9, Stop.QUIT_NOW)]


def test_a_second_stop_kills_at_once_and_only_once() -> None:
    assert play(Limits(), (1, QUIT), (1.5, QUIT), (1.6, QUIT), (2, Exited(-9))) == [
        Interrupt(),
        Kill(),
        Finish(-9, Stop.QUIT_NOW),
    ]


def test_an_agent_that_stops_when_asked_is_not_killed() -> None:
    assert play(Limits(drain=5), (1, QUIT), (2, Exited(0)))[-1] == Finish(0, Stop.QUIT_NOW)


def test_the_first_reason_to_stop_stays() -> None:
    history = play(Limits(), (1, QUIT), (2, StopAsked(Stop.TERMINATED)), (3, Exited(1)))
    assert history[-1] == Finish(1, Stop.QUIT_NOW)


def test_a_try_that_takes_too_long_is_stopped_in_the_same_way() -> None:
    assert play(Limits(try_seconds=60, drain=5), (59, Spoke()), (60, Ticked()), (65, Ticked())) == [
        Interrupt(),
        Kill(),
    ]


@pytest.mark.parametrize("seconds", [1.0, 1e9])
def test_a_try_without_limit_is_never_stopped_by_time(seconds: float) -> None:
    assert play(Limits(try_seconds=math.inf), (seconds, Ticked())) == []


def test_an_agent_that_cannot_even_be_killed_is_given_up() -> None:
    assert play(Limits(drain=5), (1, QUIT), (6, Ticked()), (16, Ticked())) == [
        Interrupt(),
        Kill(),
        Finish(None, Stop.QUIT_NOW),
    ]


def test_an_agent_that_cannot_start_finishes_with_the_reason() -> None:
    assert play(Limits(), (0, NotStarted("no such file"))) == [Finish(None, None, "no such file")]


def test_a_lost_keeper_finishes_without_an_exit_code() -> None:
    assert play(Limits(), (3, Lost())) == [Finish(None)]


PATIENT = Limits(drain=5, patience=Patience(10, lingering=4))
DEAD = Sampled(Sample(connections=0, received=0, cpu_s=0.1))
FOUND_DEAD: list[tuple[float, Event]] = [
    (second, DEAD) for second in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
]


def test_silence_is_interrupted_then_killed() -> None:
    assert play(
        PATIENT,
        *FOUND_DEAD,
        *((4, Spoke()), (13.9, Ticked()), (14, Ticked())),
        *((18.9, Ticked()), (19, Ticked()), (20, Exited(-9))),
    ) == [
        Interrupt(),
        Kill(),
        Finish(-9, Stop.STALLED, frozen="no progress for 10 s, connections: 0, no work for 14 s"),
    ]


def test_a_working_agent_is_not_interrupted() -> None:
    works = (Sampled(Sample(connections=0, received=0, cpu_s=now / 2)) for now in range(100))
    history = [(float(now), event) for now, sample in enumerate(works) for event in (sample, TICK)]
    assert play(PATIENT, *history) == []


def test_errors_that_pass_do_not_keep_an_agent() -> None:
    noise = [(float(now), Spoke(Tone.NOISE, 1)) for now in range(1, 11)]
    assert play(PATIENT, *FOUND_DEAD, *noise, (10, TICK)) == [Interrupt()]


def test_an_agent_that_has_finished_is_let_go_without_blame() -> None:
    assert play(
        PATIENT, *FOUND_DEAD, (2, Spoke(ended=True)), (5, TICK), (6, TICK), (7, Exited(-2))
    ) == [Interrupt(), Finish(-2, Stop.LINGERED)]


def test_a_stop_that_came_before_the_silence_stays_the_reason() -> None:
    assert play(PATIENT, *FOUND_DEAD, (9, QUIT), (11, TICK), (12, Exited(0))) == [
        Interrupt(),
        Finish(0, Stop.QUIT_NOW),
    ]


def test_without_patience_given_silence_is_borne() -> None:
    assert play(Limits(), *FOUND_DEAD, (100_000, TICK)) == []
