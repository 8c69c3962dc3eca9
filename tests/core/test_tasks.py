"""The life of a task as a pure matter: what happens to it, and what becomes of it."""

import pytest

from mittelo.core.admission import admit
from mittelo.core.requests import Enqueue
from mittelo.core.tasks import (
    Attempt,
    Ending,
    Head,
    No,
    Status,
    Step,
    Taker,
    Why,
    cancel,
    canonical,
    due,
    end,
    expire,
    grant,
    is_repeat,
    keep_after_restart,
    open_backends,
    other_ended,
    renew,
    retry,
    retry_is_blocked,
    serves,
    task_of,
)

ME = Taker("me", 7, 60.0, "salt")


def task(**fields: object) -> Head:
    request = Enqueue(prompt="x", **fields)  # type: ignore[arg-type]
    return admit(request, 1, "somebody", 0, 100.0)


def leased(**fields: object) -> Head:
    return grant(task(**fields), ME, 110.0).head


def ending(head: Head, status: str = "done", retry_after: float | None = None) -> Ending:
    return Ending(
        status=status, lease_id=head.lease_id, connection=99, retry_after=retry_after, result="r"
    )


def stepped(step: Step | No) -> Head:
    assert isinstance(step, Step), step
    return step.head


def why(step: Step | No) -> Why:
    assert isinstance(step, No), step
    return step.why


def test_a_new_task_is_ready_unless_it_has_to_wait() -> None:
    assert task().ready
    assert not task(not_before=101.0).ready
    assert task(not_before=99.0).ready
    assert not admit(Enqueue(prompt="x", after=[5]), 2, "", 1, 100.0).ready
    assert due(task(not_before=101.0), 101.0).head.ready


def test_a_lease_has_an_id_that_no_other_lease_ever_has() -> None:
    first = leased()
    again = grant(stepped(end(first, ending(first, "released"), 111.0)), ME, 112.0).head
    assert first.lease_id != again.lease_id
    assert (first.spent, again.spent) == (1, 1)


def test_only_the_current_lease_ends_or_renews_a_task() -> None:
    first = leased()
    second = grant(expire(first, 170.0).head, ME, 171.0).head
    assert why(end(second, ending(first), 172.0)) is Why.LEASE_LOST
    assert why(renew(second, first.lease_id or "", 60.0, 172.0)) is Why.LEASE_LOST
    assert stepped(renew(second, second.lease_id or "", 9.0, 172.0)).leased_until == 181.0
    assert stepped(end(second, ending(second), 172.0)).status is Status.DONE


def test_a_lease_whose_time_is_over_is_nobodys_even_before_it_is_swept() -> None:
    head = leased()
    assert why(end(head, ending(head), 170.0)) is Why.LEASE_LOST
    assert why(renew(head, head.lease_id or "", 60.0, 170.0)) is Why.LEASE_LOST


@pytest.mark.parametrize(
    ("connection", "workers", "allowed"),
    [(7, (), True), (8, ("me",), True), (8, ("you",), False), (8, (), False)],
)
def test_without_a_lease_id_the_connection_or_the_name_counts(
    connection: int, workers: tuple[str, ...], *, allowed: bool
) -> None:
    said = Ending(status="done", lease_id=None, connection=connection, workers=workers)
    assert isinstance(end(leased(), said, 111.0), Step) is allowed


def test_the_first_end_counts() -> None:
    head = leased()
    over = stepped(end(head, ending(head), 111.0))
    assert why(end(over, ending(head, "failed"), 112.0)) is Why.CONFLICT
    unnamed = Ending(status="done", lease_id=None, connection=7)
    assert why(end(over, unnamed, 112.0)) is Why.CONFLICT


def test_a_repeat_is_one_only_when_everything_is_the_same() -> None:
    made = Attempt(number=1, worker_id="me", began=1, ended=2, how="done", result="r", lease_id="L")
    said = Ending(status="done", lease_id="L", connection=1, result="r")
    assert is_repeat(said, made)
    assert not is_repeat(said, None)
    for other in (
        Ending(status="failed", lease_id="L", connection=1, result="r"),
        Ending(status="done", lease_id="M", connection=1, result="r"),
        Ending(status="done", lease_id="L", connection=1, result="other"),
        Ending(status="done", lease_id=None, connection=1, result="r"),
    ):
        assert not is_repeat(other, made)


def test_expiry_is_an_attempt_and_the_last_one_fails_the_task() -> None:
    head = task(max_attempts=2)
    for last in (False, True):
        step = expire(grant(head, ME, 110.0).head, 170.0)
        assert step.over
        assert "The lease expired" in (step.over.error or "")
        assert step.head.status is (Status.FAILED if last else Status.QUEUED)
        head = step.head
    assert head.lease_id is None


def test_what_is_released_has_cost_no_attempt() -> None:
    head = leased(max_attempts=1)
    back = stepped(end(head, ending(head, "released"), 111.0))
    assert (back.status, back.spent, back.ready) == (Status.QUEUED, 0, True)
    held = stepped(end(head, ending(head, "released", retry_after=5.0), 111.0))
    assert held.not_before == 116.0


def test_a_failure_is_final_unless_it_may_be_tried_again() -> None:
    head = leased(max_attempts=2)
    assert stepped(end(head, ending(head, "failed"), 111.0)).status is Status.FAILED
    later = stepped(end(head, ending(head, "failed", retry_after=10.0), 111.0))
    assert (later.status, later.not_before) == (Status.QUEUED, 121.0)
    last = grant(due(later, 121.0).head, ME, 121.0).head
    over = end(last, ending(last, "failed", retry_after=10.0), 122.0)
    assert stepped(over).status is Status.FAILED


def test_cancelling_ends_a_queued_task_and_asks_for_the_end_of_a_leased_one() -> None:
    assert stepped(cancel(task(), 111.0)).status is Status.CANCELLED
    head = stepped(cancel(leased(), 111.0))
    assert (head.status, head.cancel_requested) == (Status.LEASED, True)
    for how in ("failed", "released"):
        assert stepped(end(head, ending(head, how), 112.0)).status is Status.CANCELLED
    assert expire(head, 170.0).head.status is Status.CANCELLED
    assert stepped(end(head, ending(head), 112.0)).status is Status.DONE


def test_nobody_cancels_what_is_over_or_anothers() -> None:
    head = leased()
    done = stepped(end(head, ending(head), 111.0))
    assert why(cancel(done, 112.0)) is Why.CONFLICT
    assert why(cancel(task(), 112.0, owner="other")) is Why.UNAUTHORIZED
    assert stepped(cancel(task(), 112.0, owner="somebody")).status is Status.CANCELLED
    gone = stepped(cancel(task(), 112.0))
    assert cancel(gone, 113.0) == Step("", gone)


def test_a_retry_clears_everything_and_gives_all_attempts_back() -> None:
    failed = expire(leased(max_attempts=1), 170.0).head
    again = stepped(retry(failed, 171.0))
    assert again.ready
    assert (again.worker_id, again.lease_id, again.spent, again.ending) == (None, None, 0, None)
    assert again.leases == 1
    assert why(retry(again, 172.0)) is Why.CONFLICT


def test_the_end_of_one_task_lets_another_go_or_cancels_it() -> None:
    waiting = admit(Enqueue(prompt="x", after=[8, 9]), 10, "", 2, 100.0)
    half = other_ended(waiting, 8, Status.DONE, 101.0).head
    assert not half.ready
    assert other_ended(half, 9, Status.DONE, 102.0).head.ready
    for status in (Status.FAILED, Status.CANCELLED):
        gone = other_ended(half, 9, status, 102.0).head
        assert gone.status is Status.CANCELLED
        assert gone.note == f"Task 9, which it waited for, is {status}."


def test_a_retry_waits_again_for_what_is_not_done() -> None:
    assert retry_is_blocked(task(), 5, Status.DONE) == 0
    assert retry_is_blocked(task(), 5, Status.QUEUED) == 1
    assert isinstance(retry_is_blocked(task(), 5, Status.FAILED), No)
    assert isinstance(retry_is_blocked(task(), 5, None), No)


def test_a_restart_leaves_time_to_renew() -> None:
    assert keep_after_restart(leased(), 1000.0, 30.0).leased_until == 1030.0
    assert keep_after_restart(leased(), 111.0, 30.0).leased_until == 170.0


def test_tags_are_held_in_one_order() -> None:
    assert canonical(["b", "a", "b"]) == ("a", "b")


@pytest.mark.parametrize(
    ("offered", "tags", "fits"),
    [(None, ["a"], True), ([], [], True), ([], ["a"], False), (["a", "b"], ["a"], True)],
)
def test_a_worker_of_tags_takes_no_task_with_another(
    offered: list[str] | None, tags: list[str], *, fits: bool
) -> None:
    assert serves(offered, tags) is fits


@pytest.mark.parametrize(
    ("backends", "paused", "found"),
    [
        ([], [], [""]),
        (["a", "b"], [], ["", "a", "b"]),
        (["a", "b"], ["a"], ["", "b"]),
        (["a"], ["a"], []),
        ([], ["a"], [""]),
        (["a"], [""], []),
    ],
)
def test_paused_backends_get_nothing(
    backends: list[str], paused: list[str], found: list[str]
) -> None:
    assert open_backends(backends, paused) == found


@pytest.mark.parametrize(
    ("lease_id", "found"),
    [
        ("12.1.x", 12),
        ("", None),
        ("12", None),
        (".1.x", None),
        ("-1.1", None),
        ("²٣.1", None),
        ("0.1.x", None),
    ],
)
def test_a_lease_names_its_task(lease_id: str, found: int | None) -> None:
    assert task_of(lease_id) == found
    assert task_of(str(grant(task(), ME, 100.0).head.lease_id)) == 1
    assert task_of("9" * 5000 + ".1") is None
