"""Ask the relay of a workspace for something, from outside, and see whether it is done."""

import time
from collections.abc import Callable

from mittelo.core.keys import Order
from mittelo.errors import MitteloError
from mittelo.rally.mailbox import Mailbox
from mittelo.repo.workspace import Holder, Workspace

TAKEN_SECONDS = 5.0
DONE_SECONDS = 20.0
LOOK_SECONDS = 0.1


def running(workspace: Workspace) -> Holder:
    """Return the relay that runs in a workspace; complain when there is none."""
    holder = workspace.holder()
    deadline = time.monotonic() + TAKEN_SECONDS
    while holder and not holder.pid and time.monotonic() < deadline:  # it has only just begun
        time.sleep(LOOK_SECONDS)
        holder = workspace.holder()
    if not holder:
        raise MitteloError(
            "No relay is running here.", "See: rally status; start one with: rally start"
        )
    return holder


def ask(workspace: Workspace, holder: Holder, order: Order) -> bool:
    """Leave an order for a relay, and tell whether it took it within a few seconds."""
    letter = Mailbox(workspace).leave(order, holder)
    if _wait(lambda: not letter.exists(), TAKEN_SECONDS):
        return True
    if has_ended(workspace, holder):
        letter.unlink(missing_ok=True)
        raise MitteloError("The relay ended before it took the order.", "See: rally status")
    return False


def wait_until_ended(workspace: Workspace, holder: Holder) -> bool:
    """Wait until a relay has ended; tell whether it did in good time."""
    return _wait(lambda: has_ended(workspace, holder), DONE_SECONDS)


def wait_until_paused(workspace: Workspace, holder: Holder) -> bool:
    """Wait until a relay holds; tell whether it did in good time, and did not end instead."""

    def settled() -> bool:
        now = workspace.holder()
        return now is None or bool(now.paused_since)

    return _wait(settled, DONE_SECONDS) and not has_ended(workspace, holder)


def has_ended(workspace: Workspace, holder: Holder) -> bool:
    """Tell whether a relay runs no more."""
    now = workspace.holder()
    return now is None or (now.pid, now.since) != (holder.pid, holder.since)


def _wait(true: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True
