"""Orders: what is asked for, and what the running try hears of it."""

import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support import wait_until

from mittelo.core.keys import Doing, Order
from mittelo.core.tries import Event, Stop, StopAsked
from mittelo.rally.mailbox import Mailbox
from mittelo.rally.orders import Orders
from mittelo.repo.workspace import Holder, Workspace

ME = Holder(os.getpid(), "here", "2026-01-01T00:00:00Z")


def heard(*orders: Order) -> list[Stop]:
    """Give orders while a try runs and return what it hears."""
    held, inbox = Orders(), queue.SimpleQueue[Event]()
    with held.passed_to(inbox):
        for order in orders:
            held.obey(order)
    return drained(inbox)


def drained(inbox: queue.SimpleQueue[Event]) -> list[Stop]:
    events = [inbox.get_nowait() for _ in range(inbox.qsize())]
    return [event.why for event in events if isinstance(event, StopAsked)]


def begun(body: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([Order.SKIP], [Stop.SKIP]),
        ([Order.SKIP, Order.SKIP], [Stop.SKIP]),
        ([Order.PAUSE], [Stop.PAUSE]),
        ([Order.PAUSE, Order.RESUME, Order.PAUSE], [Stop.PAUSE]),
        ([Order.STOP, Order.STOP], [Stop.GRACEFUL_STOP]),
        ([Order.SKIP, Order.STOP], [Stop.SKIP]),
        ([Order.SKIP, Order.QUIT], [Stop.SKIP, Stop.QUIT_NOW]),
        ([Order.QUIT, Order.QUIT], [Stop.QUIT_NOW, Stop.QUIT_NOW]),
        ([Order.STOP, Order.SKIP, Order.PAUSE], [Stop.GRACEFUL_STOP]),
    ],
)
def test_only_quitting_ends_a_try_that_is_ending_at_once(
    given: list[Order], told: list[Stop]
) -> None:
    assert heard(*given) == told


def test_a_weaker_order_does_not_take_a_stop_back() -> None:
    orders = Orders()
    orders.obey(Order.QUIT)
    orders.obey(Order.STOP)
    orders.obey(Order.PAUSE)
    orders.obey(Order.SKIP)
    assert (orders.stop, orders.paused, orders.take_skip()) == (Stop.QUIT_NOW, False, False)


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (Order.STOP, Stop.GRACEFUL_STOP),
        (Order.PAUSE, Stop.PAUSE),
        (Order.SKIP, Stop.SKIP),
    ],
)
def test_what_came_just_before_a_try_is_passed_on(order: Order, told: Stop) -> None:
    orders, inbox = Orders(), queue.SimpleQueue[Event]()
    orders.obey(order)
    with orders.passed_to(inbox):
        assert drained(inbox) == [told]
    assert not orders.take_skip()


def test_a_skip_beside_a_try_is_taken_once() -> None:
    orders = Orders()
    orders.obey(Order.SKIP)
    assert orders.doing == Doing(Order.SKIP)
    assert (orders.take_skip(), orders.take_skip()) == (True, False)
    assert orders.doing == Doing()


def test_a_skipped_try_leaves_no_skip_behind() -> None:
    orders, inbox = Orders(), queue.SimpleQueue[Event]()
    with orders.passed_to(inbox):
        orders.obey(Order.SKIP)
        assert orders.doing == Doing(Order.SKIP)
    assert orders.doing == Doing()
    assert not orders.take_skip()


@pytest.mark.parametrize("order", [Order.SKIP, Order.PAUSE, Order.STOP, Order.QUIT, Order.RESUME])
def test_any_order_ends_a_wait(order: Order) -> None:
    orders = Orders()
    waiting = begun(lambda: orders.wait(60))
    orders.obey(order)
    waiting.join(10)
    assert not waiting.is_alive()


def test_a_wait_without_orders_lasts_its_time() -> None:
    began = time.monotonic()
    Orders().wait(0.05)
    assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize(
    ("order", "stop"), [(Order.RESUME, None), (Order.STOP, Stop.GRACEFUL_STOP)]
)
def test_a_paused_relay_is_held_until_it_is_resumed_or_stopped(
    order: Order, stop: Stop | None
) -> None:
    orders, shows = Orders(), list[Doing]()
    orders.obey(Order.PAUSE)
    holding = begun(lambda: orders.hold(lambda: shows.append(orders.doing)))
    wait_until(lambda: shows, "the pause")
    assert shows[0] == Doing(Order.PAUSE, held=True)
    orders.obey(order)
    holding.join(10)
    assert not holding.is_alive()
    assert orders.stop is stop


def test_what_is_not_paused_is_not_held() -> None:
    Orders().hold(lambda: pytest.fail("held"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_acts_at_once_and_again_ends_the_try_at_once(number: signal.Signals) -> None:
    orders, inbox = Orders(), queue.SimpleQueue[Event]()
    with orders.listening(), orders.passed_to(inbox):
        signal.raise_signal(number)
        assert len(drained(inbox)) == 1
        signal.raise_signal(number)
        assert len(drained(inbox)) == 1
    assert orders.is_stopped()


@pytest.fixture
def mailbox(tmp_path: Path) -> Mailbox:
    (tmp_path / ".rally/state").mkdir(parents=True)
    return Mailbox(Workspace(tmp_path, None))


def test_letters_are_taken_once_and_in_order(mailbox: Mailbox) -> None:
    left = [mailbox.leave(order, ME) for order in (Order.PAUSE, Order.RESUME, Order.SKIP)]
    assert mailbox.take(ME) == [Order.PAUSE, Order.RESUME, Order.SKIP]
    assert mailbox.take(ME) == []
    assert not any(path.exists() for path in left)


def test_letters_to_another_relay_go_unheard(mailbox: Mailbox) -> None:
    mailbox.leave(Order.STOP, Holder(ME.pid, ME.host, "2025-12-31T00:00:00Z"))
    mailbox.leave(Order.STOP, Holder(ME.pid + 1, ME.host, ME.since))
    assert mailbox.take(ME) == []
    assert mailbox.take(ME) == []


def test_letters_that_are_none_go_unheard(mailbox: Mailbox) -> None:
    path = mailbox.leave(Order.STOP, ME)
    path.with_name("0.json").write_bytes(b"\xff{")
    path.with_name("1.json").write_text('{"order":"dance","pid":1,"since":""}')
    assert mailbox.take(ME) == [Order.STOP]
    assert not [*path.parent.iterdir()]


def test_letters_are_delivered_while_there_is_a_relay(mailbox: Mailbox) -> None:
    orders = Orders()
    with mailbox.delivering(ME, orders):
        mailbox.leave(Order.STOP, ME)
        wait_until(orders.is_stopped, "the order")
    letter = mailbox.leave(Order.QUIT, ME)
    assert (orders.stop, letter.exists()) == (Stop.GRACEFUL_STOP, True)
