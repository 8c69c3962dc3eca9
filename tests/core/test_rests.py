"""What a failure of a backend means for its worker and its task."""

import pytest

from mittelo.core.faults import Category
from mittelo.core.rests import Rest, rest_after


def test_a_usage_limit_is_waited_out_and_its_task_comes_back() -> None:
    assert rest_after(Category.USAGE_LIMIT, 3600.0, 1) == Rest(3605.0, 3605.0)


def test_a_limit_that_does_not_say_when_it_ends_is_waited_for_longer_each_time() -> None:
    assert [rest_after(Category.USAGE_LIMIT, None, n).pause for n in (1, 2, 99)] == [
        900.0,
        1800.0,
        18000.0,
    ]


@pytest.mark.parametrize(
    ("category", "seconds"),
    [(Category.SHORT_RATE_LIMIT, 60.0), (Category.PROVIDER_OVERLOADED, 30.0)],
)
def test_a_short_limit_is_a_short_rest(category: Category, seconds: float) -> None:
    assert rest_after(category, None, 5) == Rest(seconds, seconds)
    assert rest_after(category, 2.0, 1) == Rest(7.0, 7.0)


@pytest.mark.parametrize(
    "category", [Category.AUTH_OR_PROXY, Category.INVALID_MODEL, Category.HARNESS_LAUNCH]
)
def test_who_is_not_set_up_fails_its_tasks_ever_more_slowly(category: Category) -> None:
    rests = [rest_after(category, None, n) for n in range(1, 7)]
    assert [rest.pause for rest in rests] == [1.0, 5.0, 15.0, 60.0, 300.0, 300.0]
    assert all(rest.again is None for rest in rests)


def test_passing_trouble_lets_the_task_run_again_and_the_second_in_a_row_rests() -> None:
    assert rest_after(Category.TRANSIENT_INFRA, None, 1) == Rest(0.0, 5.0)
    assert rest_after(Category.STALLED, None, 2) == Rest(120.0, 120.0)


@pytest.mark.parametrize("category", [None, Category.AGENT_ERROR, Category.TIMED_OUT])
def test_what_lies_in_the_task_costs_nobody_a_rest(category: Category | None) -> None:
    assert rest_after(category, None, 9) == Rest()


def test_nobody_rests_longer_than_a_hub_can_hold_a_task_back() -> None:
    assert rest_after(Category.USAGE_LIMIT, 40 * 86400.0, 1).again == 30 * 86400.0
