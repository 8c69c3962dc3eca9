"""Histories of key presses."""

import pytest

from mittelo.core.keys import HELD_LEGENDS, LEGENDS, Armed, Doing, Order, legend, press, shown

S, P, X, C = b"\x13\x10\x18\x03"
IDLE = Doing()


def play(*presses: tuple[float, int], doing: Doing = IDLE) -> list[Order]:
    """Press keys at their times and return what was confirmed."""
    at, confirmed = Armed(), []
    for now, byte in presses:
        at, order = press(at, byte, now, doing)
        confirmed += [order] if order else []
    return confirmed


@pytest.mark.parametrize(
    ("key", "order", "hint"),
    [
        (S, Order.SKIP, "press Ctrl+S again to skip"),
        (P, Order.PAUSE, "press Ctrl+P again to pause"),
        (X, Order.STOP, "press Ctrl+X again to graceful-stop"),
        (C, Order.QUIT, "press Ctrl+C again to quit now"),
    ],
)
def test_one_press_shows_and_two_act(key: int, order: Order, hint: str) -> None:
    armed, nothing = press(Armed(), key, 10, IDLE)
    assert nothing is None
    assert shown(armed, 13.9, IDLE) == f"⌨ {hint}"
    assert shown(armed, 14, IDLE) == ""
    assert press(armed, key, 13.9, IDLE) == (Armed(), order)


def test_a_third_press_only_arms_again() -> None:
    assert play((0, C), (1, C), (2, C)) == [Order.QUIT]


def test_a_lapsed_window_arms_again() -> None:
    assert play((0, S), (4, S)) == []
    assert play((0, S), (4, S), (5, S)) == [Order.SKIP]


def test_another_key_arms_for_itself() -> None:
    assert play((0, S), (1, P), (2, S)) == []
    assert play((0, S), (1, C), (2, C)) == [Order.QUIT]


def test_other_bytes_change_nothing() -> None:
    assert play(*((0, byte) for byte in range(256) if byte not in {S, P, X, C})) == []
    assert play((0, X), (1, ord("q")), (1, 0x1A), (2, X)) == [Order.STOP]


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (Order.SKIP, "■ skipping…"),
        (Order.PAUSE, "■ pausing…"),
        (Order.STOP, "■ stopping…"),
        (Order.QUIT, "■ quitting…"),
    ],
)
def test_what_is_asked_for_is_shown_and_ctrl_c_goes_over_it(order: Order, words: str) -> None:
    assert shown(Armed(), 0, Doing(order)) == words
    assert play((0, C), (1, C), doing=Doing(order)) == [Order.QUIT]
    armed, _ = press(Armed(), C, 0, Doing(order))
    assert shown(armed, 1, Doing(order)).startswith("⌨ press Ctrl+C again to quit ")
    assert shown(armed, 5, Doing(order)) == words


@pytest.mark.parametrize(
    ("doing", "harder"),
    [
        (Order.SKIP, [Order.STOP, Order.QUIT]),
        (Order.PAUSE, [Order.STOP, Order.QUIT]),
        (Order.STOP, [Order.QUIT]),
        (Order.QUIT, [Order.QUIT]),
    ],
)
def test_only_harder_orders_follow(doing: Order, harder: list[Order]) -> None:
    found = [play((0, key), (1, key), doing=Doing(doing)) for key in (S, P, X, C)]
    assert [order for orders in found for order in orders] == harder


@pytest.mark.parametrize("enter", b"\r\n")
def test_enter_resumes_what_is_held_and_only_that(enter: int) -> None:
    assert play((0, enter), doing=Doing(Order.PAUSE, held=True)) == [Order.RESUME]
    assert play((0, enter), doing=Doing(Order.PAUSE)) == []
    assert play((0, enter)) == []


def test_a_held_relay_is_not_called_pausing() -> None:
    assert shown(Armed(), 0, Doing(Order.PAUSE, held=True)) == ""


@pytest.mark.parametrize(
    ("width", "tier"),
    [(200, 0), (69, 0), (68, 1), (40, 1), (39, 2), (38, 2), (37, 3), (11, 3), (3, 3)],
)
def test_the_fullest_legend_that_fits_is_shown(width: int, tier: int) -> None:
    assert legend(width, IDLE) == LEGENDS[tier]


def test_the_legend_of_a_held_relay_names_what_can_still_be_done() -> None:
    assert legend(40, Doing(Order.PAUSE, held=True)) == HELD_LEGENDS[0]
