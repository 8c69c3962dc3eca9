import math

import pytest

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
